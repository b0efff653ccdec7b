package shop

// rename uses nothing but its receiver: this file depends on no other.
func (s *Shop) rename(name string) { s.name = name }
