package scangate

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"
)

func TestSessionValue(t *testing.T) {
	for _, id := range []string{"1", "Ü ser", "a b c", " ", "\x00", "01930c5e-7d2b-7cc0-8f7e-3f0a3c1c9a55"} {
		v := sessionValue{userID: id, begun: time.UnixMicro(1_700_000_000_123_456)}
		if got, ok := decodeSessionValue(v.encode()); !ok || got != v {
			t.Errorf("%q: %v, %v", id, got, ok)
		}
	}
	for _, bad := range []string{"", "1", "1 ", "1  ", "2 abc id", "1 !! id", "1 abc", "1 abc ", "gibberish"} {
		if got, ok := decodeSessionValue(bad); ok {
			t.Errorf("%q is %v", bad, got)
		}
	}
}

// TestMemorySessionsHoldNoToken sees that who reads the memory, or a dump of it,
// has nobody's session.
func TestMemorySessionsHoldNoToken(t *testing.T) {
	store := newMemorySessionStore()
	const token = "a token that nobody is to read"
	if err := store.Commit(token, []byte("value"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for key := range store.sessions.Keys() {
		if len(key) != sha256.Size || strings.Contains(key, "token") {
			t.Errorf("the key is %q", key)
		}
	}
	if value, found, err := store.Find(token); string(value) != "value" || !found || err != nil {
		t.Errorf("%q, %v, %v", value, found, err)
	}
	if err := store.Delete(token); err != nil {
		t.Fatal(err)
	}
	if _, found, _ := store.Find(token); found {
		t.Error("a deleted session is found")
	}
}
