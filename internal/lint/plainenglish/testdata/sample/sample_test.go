package sample

// Tests have a table of their own: people say so.
func helper() {}
