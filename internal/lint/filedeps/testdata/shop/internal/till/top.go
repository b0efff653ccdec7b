// Package till is below internal/, so a walk of calls goes through it. Its file has the
// name of one in package shop: that is another file, and calls to it are not climbs.
package till

func Round(n int) int { return half(n) * 2 }

func half(n int) int { return n / 2 }
