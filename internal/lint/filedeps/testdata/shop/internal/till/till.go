// Package till is below internal/, so a walk of calls goes through it.
package till

func Round(n int) int { return half(n) * 2 }

func half(n int) int { return n / 2 }
