package scangate

// Records returns how many records the store holds that it may drop.
func (m *MemoryStore) Records() int { return m.state.records.Len() }

// RecordBytes returns the size of those records, by the store's own account.
func (m *MemoryStore) RecordBytes() int { return m.state.bytes }

// LimitRecords lets the empty store hold at most n records that it may drop. It keeps
// tests of a full store short.
func (m *MemoryStore) LimitRecords(n int) { m.state.limit(n) }
