package redisconn

import "sync"

// ChannelSet is a set of channels that one goroutine follows while others change it.
type ChannelSet struct {
	mu      sync.Mutex
	wanted  map[string]struct{}
	touched map[string]struct{} // added or removed since the last call of Take
	changed chan struct{}       // holds a token when Take may return channels
}

// NewChannelSet returns an empty set.
func NewChannelSet() *ChannelSet {
	return &ChannelSet{
		wanted:  make(map[string]struct{}),
		touched: make(map[string]struct{}),
		changed: make(chan struct{}, 1),
	}
}

// Add puts a channel in the set.
func (s *ChannelSet) Add(channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted[channel] = struct{}{}
	s.touch(channel)
}

// Remove takes a channel out of the set.
func (s *ChannelSet) Remove(channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.wanted[channel]; !ok {
		return
	}
	delete(s.wanted, channel)
	s.touch(channel)
}

// touch marks a channel for Take. The caller holds the lock.
func (s *ChannelSet) touch(channel string) {
	s.touched[channel] = struct{}{}
	select {
	case s.changed <- struct{}{}:
	default: // one token is enough: Take returns all changes
	}
}

// Has reports whether the channel is in the set.
func (s *ChannelSet) Has(channel string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.wanted[channel]
	return ok
}

// Changed returns a channel that receives when the set has changed since [ChannelSet.Take].
func (s *ChannelSet) Changed() <-chan struct{} { return s.changed }

// Take returns the channels that were added or removed since the last call: those that
// are in the set now, and those that are not.
func (s *ChannelSet) Take() (in, out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for channel := range s.touched {
		if _, ok := s.wanted[channel]; ok {
			in = append(in, channel)
		} else {
			out = append(out, channel)
		}
	}
	clear(s.touched)
	return in, out
}
