package session

import (
	"context"
	"errors"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate/scscodec"
)

func TestMemoryStoreFindDoesNotAllocate(t *testing.T) {
	m := NewManager(true, nil)
	_, token := stored(t, m, "tea")
	if got := testing.AllocsPerRun(100, func() { _, _, _ = m.Store.Find(token) }); got != 0 {
		t.Errorf("Find: %v allocations, want none", got)
	}
}

func TestLazy(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*scs.SessionManager)
		want   bool
	}{
		"the gate's own manager": {func(*scs.SessionManager) {}, true},
		"an idle timeout":        {func(m *scs.SessionManager) { m.IdleTimeout = 1 }, false},
		"scs's default codec":    {func(m *scs.SessionManager) { m.Codec = scs.GobCodec{} }, false},
	} {
		m := NewManager(true, nil)
		c.change(m)
		if got := Copy(m).Lazy(); got != c.want {
			t.Errorf("%s: Lazy = %t, want %t", name, got, c.want)
		}
	}
}

// TestOpenDecodesLate opens a session, and changes the stored record before scs decodes the
// one that was read.
func TestOpenDecodesLate(t *testing.T) {
	for _, hashed := range []bool{false, true} {
		store := NewMemoryStore()
		original := NewManager(true, store)
		original.HashTokenInStore = hashed
		m := Copy(original)
		_, token := stored(t, original, "tea")
		l := &Late{}
		text, found, err := m.Open(t.Context(), l, token, "key")
		if err != nil || !found || text != "tea" || l.asked() {
			t.Fatalf("Open: %q, %t, %v, decoded: %t, want tea and not decoded", text, found, err, l.asked())
		}
		damage(t, store, m.storedToken(token), "damaged")
		if got := original.GetString(l, "key"); got != "tea" || !l.asked() {
			t.Errorf("value in the session = %q, decoded: %t, want tea and true", got, l.asked())
		}
		if got := original.Token(l); got != token {
			t.Errorf("token of the session = %q, want %q", got, token)
		}
	}
}

func TestOpenWithoutASession(t *testing.T) {
	m := Copy(NewManager(true, nil))
	if text, found, err := m.Open(t.Context(), &Late{}, "unknown", "key"); text != "" || found || err != nil {
		t.Errorf("Open of an unknown token: %q, %t, %v, want nothing", text, found, err)
	}
}

func TestOpenOfADamagedSession(t *testing.T) {
	original := NewManager(true, nil)
	m := Copy(original)
	_, token := stored(t, original, "tea")
	damage(t, m.Store, m.storedToken(token), "\x00\x02another version")
	if _, found, err := m.Open(t.Context(), &Late{}, token, "key"); found || !errors.Is(err, scscodec.ErrDamaged) {
		t.Errorf("Open of a damaged session: found = %t, error = %v, want %v", found, err, scscodec.ErrDamaged)
	}
}

// TestLateDecodingDoesNotPanic damages a record that Open has checked. That cannot happen,
// because no store changes the bytes that it has returned. The handler then gets a session
// without values.
func TestLateDecodingDoesNotPanic(t *testing.T) {
	original := NewManager(true, nil)
	l := &Late{Context: t.Context(), manager: Copy(original), token: "token", record: []byte("damaged")}
	if got := original.Keys(l); len(got) != 0 || original.Token(l) != "token" {
		t.Errorf("session of a damaged record: keys = %q, token = %q, want none and the token", got, original.Token(l))
	}
}

func TestHold(t *testing.T) {
	original := NewManager(true, nil)
	ctx, token := stored(t, original, "tea")
	l := &Late{}
	Copy(original).Hold(l, context.WithValue(ctx, testKey{}, "kept"))
	if got := original.GetString(l, "key"); got != "tea" || l.token != token || !l.asked() {
		t.Errorf("session held: value = %q, the token fits: %t, decoded: %t, want tea, true and true", got, l.token == token, l.asked())
	}
	if got := l.Value(testKey{}); got != "kept" {
		t.Errorf("another value of the context = %v, want kept", got)
	}
}
