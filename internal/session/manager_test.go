package session

import (
	"context"
	"errors"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate/scscodec"
)

// stored returns a context with a new session that holds the value, and its token.
func stored(t *testing.T, m *scs.SessionManager, value string) (context.Context, string) {
	t.Helper()
	ctx, err := m.Load(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	m.Put(ctx, "key", value)
	token, _, err := m.Commit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return ctx, token
}

// damage writes over the stored session of that token.
func damage(t *testing.T, store scs.Store, token, record string) {
	t.Helper()
	if err := store.Commit(token, []byte(record), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
}

func TestCopySharesSessions(t *testing.T) {
	original := NewManager(true, nil)
	before := *original
	m := Copy(original)
	ctx, token := stored(t, original, "tea")
	if got := m.GetString(ctx, "key"); got != "tea" {
		t.Errorf("copy: value in the original's context = %q, want %q", got, "tea")
	}
	if again, err := m.Load(ctx, ""); again != ctx || err != nil {
		t.Errorf("copy: Load of the original's context returned another one, %v, want the same", err)
	}
	loaded, err := m.Load(t.Context(), token)
	if err != nil {
		t.Fatalf("copy: Load: %v", err)
	}
	if got := original.GetString(loaded, "key"); got != "tea" {
		t.Errorf("original: value in the copy's context = %q, want %q", got, "tea")
	}
	if !reflect.DeepEqual(*original, before) {
		t.Errorf("after Copy: the original is %+v, want %+v", *original, before)
	}
}

// failingCodec is an application's codec, with an error of its own.
type failingCodec struct{ scs.Codec }

var errOwn = errors.New("the key has changed")

func (failingCodec) Decode([]byte) (time.Time, map[string]any, error) {
	return time.Time{}, nil, errOwn
}

func TestLoadMarksDamagedSessions(t *testing.T) {
	for _, codec := range []scs.Codec{scscodec.Codec{}, scs.GobCodec{}, failingCodec{scs.GobCodec{}}} {
		original := NewManager(true, nil)
		original.Codec = codec
		m := Copy(original)
		_, token := stored(t, original, "tea")
		damage(t, original.Store, token, "\x00\x02")
		_, err := m.Load(t.Context(), token)
		if !errors.Is(err, scscodec.ErrDamaged) {
			t.Errorf("%T: Load: error = %v, want %v", codec, err, scscodec.ErrDamaged)
		}
		if _, own := codec.(failingCodec); own && !errors.Is(err, errOwn) {
			t.Errorf("%T: Load: error = %v, want %v in it", codec, err, errOwn)
		}
	}
}

// failingStore is a store that is away.
type failingStore struct{ scs.Store }

var errAway = errors.New("the store is away")

func (failingStore) Find(string) ([]byte, bool, error) { return nil, false, errAway }

func TestLoadDoesNotMarkAFailingStore(t *testing.T) {
	m := Copy(NewManager(true, failingStore{NewMemoryStore()}))
	for name, load := range map[string]func(context.Context, string) (context.Context, error){"Load": m.Load, "LoadBlank": m.LoadBlank} {
		if _, err := load(t.Context(), "token"); !errors.Is(err, errAway) || errors.Is(err, scscodec.ErrDamaged) {
			t.Errorf("%s: error = %v, want %v only", name, err, errAway)
		}
	}
}

func TestLoadBlank(t *testing.T) {
	for name, change := range map[string]func(*Manager, context.Context) error{
		"Destroy":    func(m *Manager, ctx context.Context) error { return m.Destroy(ctx) },
		"RenewToken": func(m *Manager, ctx context.Context) error { return m.RenewToken(ctx) },
	} {
		store := NewMemoryStore()
		m := Copy(NewManager(true, store))
		m.HashTokenInStore, m.blank.HashTokenInStore = false, false
		_, token := stored(t, m.SessionManager, "tea")
		damage(t, store, token, "\x00\x02")
		ctx, err := m.LoadBlank(t.Context(), token)
		if err != nil {
			t.Fatalf("%s: LoadBlank: %v", name, err)
		}
		if keys := m.Keys(ctx); len(keys) != 0 || m.Token(ctx) != token {
			t.Errorf("%s: loaded keys %q and token %q, want none and %q", name, keys, m.Token(ctx), token)
		}
		if err := change(m, ctx); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, found, _ := store.Find(token); found {
			t.Errorf("after %s: the damaged record is stored, want it deleted", name)
		}
		m.Put(ctx, "key", "coffee")
		_, expiry, err := m.Commit(ctx)
		if left := time.Until(expiry); err != nil || left < lifetime-time.Hour || left > lifetime {
			t.Errorf("after %s: Commit: the session ends in %v, %v, want about %v", name, left, err, lifetime)
		}
	}
}

func TestWriteCookieKeepsCaching(t *testing.T) {
	m := Copy(NewManager(true, nil))
	for _, caching := range [][]string{nil, {"no-store"}, {"private", "max-age=5"}} {
		w := httptest.NewRecorder()
		for _, value := range caching {
			w.Header().Add("Cache-Control", value)
		}
		m.WriteCookie(t.Context(), w, "token", time.Now().Add(time.Hour))
		if got := w.Header().Values("Cache-Control"); len(got) != len(caching) || len(got) > 0 && !reflect.DeepEqual(got, caching) {
			t.Errorf("Cache-Control = %q, want %q", got, caching)
		}
		cookie := w.Result().Cookies()[0]
		if cookie.Name != "__Host-session" || !cookie.Secure || !cookie.HttpOnly || cookie.Value != "token" {
			t.Errorf("cookie = %v, want a secure one of scs's with the token", cookie)
		}
	}
}
