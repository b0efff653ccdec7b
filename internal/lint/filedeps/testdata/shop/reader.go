package shop

// first depends on top.go by a field only.
func first() string { return every()[0].name }
