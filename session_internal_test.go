package scangate

import (
	"testing"
	"time"
)

func TestSessionValue(t *testing.T) {
	for _, id := range []string{"1", "Ü ser", "a b c", " ", "\x00", "01930c5e-7d2b-7cc0-8f7e-3f0a3c1c9a55"} {
		want := sessionValue{userID: id, begun: time.UnixMicro(1_700_000_000_123_456)}
		if got, ok := decodeSessionValue(want.encode()); !ok || got != want {
			t.Errorf("decoding the encoded value of user %q: %v, %t, want %v", id, got, ok, want)
		}
	}
	for _, bad := range []string{"", "1", "1 ", "1  ", "2 abc id", "1 !! id", "1 abc", "1 abc ", "gibberish"} {
		if got, ok := decodeSessionValue(bad); ok {
			t.Errorf("decoding %q: %v, want no value", bad, got)
		}
	}
}
