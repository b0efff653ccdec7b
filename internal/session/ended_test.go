package session

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"
)

// opened returns the session of a request that a Writer answers, and its token.
func opened(t *testing.T, m *scs.SessionManager, parent context.Context) (*Late, string) { //nolint:revive // the parent is an argument of Open
	t.Helper()
	_, token := stored(t, m, "tea")
	l := &Late{}
	if _, found, err := Copy(m).Open(parent, l, token, "key"); err != nil || !found {
		t.Fatalf("Open: found = %t, error = %v, want the session", found, err)
	}
	NewWriter(httptest.NewRecorder(), httptest.NewRequestWithContext(l, http.MethodGet, "/", nil), l, nil)
	return l, token
}

// TestOnlyExisting asks about tokens in the context of a request behind two gates, whose
// managers differ.
func TestOnlyExisting(t *testing.T) {
	outer, outerToken := opened(t, NewManager(true, nil), t.Context())
	hashing := NewManager(true, NewMemoryStore())
	inner, innerToken := opened(t, hashing, outer)
	stored := Copy(hashing).storedToken(innerToken)
	for _, c := range []struct {
		name  string
		ctx   context.Context
		token string
		want  *Late
	}{
		{"the inner session", inner, stored, inner},
		{"the inner session in a derived context", context.WithoutCancel(context.WithValue(inner, testKey{}, 1)), stored, inner},
		{"the inner session, not hashed", inner, innerToken, nil},
		{"the outer session", inner, outerToken, outer},
		{"the inner session in front of the inner gate", outer, stored, nil},
		{"another session", inner, "another", nil},
		{"no session", inner, "", nil},
		{"no gate", t.Context(), outerToken, nil},
	} {
		inner.ended.Store(false)
		outer.ended.Store(false)
		if got := OnlyExisting(c.ctx, c.token); got != (c.want != nil) {
			t.Errorf("%s: OnlyExisting = %t, want %t", c.name, got, c.want != nil)
		}
		NoteEnded(c.ctx, c.token)
		if inner.ended.Load() != (c.want == inner) || outer.ended.Load() != (c.want == outer) {
			t.Errorf("%s, after NoteEnded: inner ended = %t, outer ended = %t, want %t and %t",
				c.name, inner.ended.Load(), outer.ended.Load(), c.want == inner, c.want == outer)
		}
	}
}

// A session in front of the gate is saved by another handler, which may have renewed its
// token and not stored it yet.
func TestOnlyExistingWithoutAWriter(t *testing.T) {
	m := NewManager(true, nil)
	_, token := stored(t, m, "tea")
	l := &Late{}
	if _, _, err := Copy(m).Open(t.Context(), l, token, "key"); err != nil {
		t.Fatal(err)
	}
	if OnlyExisting(l, token) {
		t.Error("OnlyExisting without a Writer = true, want false")
	}
}

// wrappedStore is an application's store, which may have another CommitCtx.
type wrappedStore struct{ *MemoryStore }

func TestConditionalStores(t *testing.T) {
	own := NewRedis(&redis.Pool{}, "app", "site")
	for name, c := range map[string]struct {
		store scs.Store
		want  bool
	}{
		"MemoryStore":         {NewMemoryStore(), true},
		"Redis":               {own, true},
		"Shards":              {&Shards{Servers: []scs.CtxStore{own, own}}, true},
		"Shards of a wrapper": {&Shards{Servers: []scs.CtxStore{own, wrappedStore{NewMemoryStore()}}}, false},
		"a wrapper":           {wrappedStore{NewMemoryStore()}, false},
		"another store":       {own.RedisStore, false},
		"no store":            {nil, false},
	} {
		if got := isConditional(c.store); got != c.want {
			t.Errorf("%s: isConditional = %t, want %t", name, got, c.want)
		}
	}
}

// TestSavingReadsOnlyStoresOfOthers counts what saving a changed session sends to Redis.
func TestSavingReadsOnlyStoresOfOthers(t *testing.T) {
	server := miniredis.RunT(t)
	own := NewRedis(&redis.Pool{MaxIdle: 1, Dial: func() (redis.Conn, error) { return redis.Dial("tcp", server.Addr()) }}, "app", "site")
	for name, c := range map[string]struct {
		store scs.Store
		want  int
	}{
		"the library's store": {own, 1},            // SET
		"a store of others":   {own.RedisStore, 5}, // GET, and a transaction of four commands
	} {
		m := NewManager(true, c.store)
		l, _ := opened(t, m, t.Context())
		w := NewWriter(httptest.NewRecorder(), httptest.NewRequestWithContext(l, http.MethodGet, "/", nil), l, nil)
		m.Put(l, "key", "coffee")
		before := server.CommandCount()
		w.Save()
		if got := server.CommandCount() - before; got != c.want {
			t.Errorf("%s: saving sends %d commands, want %d", name, got, c.want)
		}
	}
}

// TestWriterSavesTheSessionAfterDestroy logs out twice at once: another request has ended
// the session before the handler destroys it. The handler's next session is a new one.
func TestWriterSavesTheSessionAfterDestroy(t *testing.T) {
	m := NewManager(true, nil)
	l, token := opened(t, m, t.Context())
	answer := httptest.NewRecorder()
	w := NewWriter(answer, httptest.NewRequestWithContext(l, http.MethodGet, "/", nil), l, nil)
	if err := m.Store.Delete(token); err != nil {
		t.Fatal(err)
	}
	if err := m.Destroy(l); err != nil {
		t.Fatal(err)
	}
	m.Put(l, "notice", "logged out")
	w.Save()
	if got := answer.Result().Cookies(); len(got) != 1 || got[0].Value == token || got[0].Value == "" {
		t.Errorf("after Destroy and Put: cookies = %v, want that of a new session", got)
	}
}
