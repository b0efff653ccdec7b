package scangate

import (
	"testing"
	"time"
)

func TestSessionValue(t *testing.T) {
	for _, id := range []string{"1", "Ü ser", "a b c", " ", "\x00", "01930c5e-7d2b-7cc0-8f7e-3f0a3c1c9a55"} {
		v := sessionValue{userID: id, begun: time.UnixMicro(1_700_000_000_123_456)}
		if got, ok := decodeSessionValue(v.encode()); !ok || got != v {
			t.Errorf("user %q: decoded %v, %t, want %v", id, got, ok, v)
		}
	}
	for _, bad := range []string{"", "1", "1 ", "1  ", "2 abc id", "1 !! id", "1 abc", "1 abc ", "gibberish"} {
		if got, ok := decodeSessionValue(bad); ok {
			t.Errorf("decoded %q as %v, want nothing", bad, got)
		}
	}
}
