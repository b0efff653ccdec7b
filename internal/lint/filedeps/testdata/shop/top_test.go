package shop

// Test files do not count.
func (s *Shop) onlyInTests() { audit(s) }
