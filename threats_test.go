package scangate_test

// The files threats_NN_test.go test the table of attacks in SECURITY.md, row by row and
// in its order. NN is the first row in a file. A test is named after its row and its
// comment gives the attack and the defence. Tests drive the gate through HTTP.
//
// Each device has a cookie jar of its own. The desktop starts a login, the phone is
// WeChat's browser in a person's hand, and the attacker has either kind of browser.
// This file has the helpers that several rows share.

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scangate/scangate"
)

// unknownLoginID is well formed, but no login has it.
const unknownLoginID = "AAAAAAAAAAAAAAAAAAAAAAAAAA"

// withID returns target with the given ID in place of the login's.
func (s scan) withID(target, id string) string { return strings.Replace(target, s.ID, id, 1) }

// same checks that got is the answer for an unknown login, byte for byte, and that it
// does not contain the login's ID.
func same(t *testing.T, what, id string, got, want answer) {
	t.Helper()
	if got.StatusCode != http.StatusNotFound {
		t.Errorf("%s: status = %d, want %d", what, got.StatusCode, http.StatusNotFound)
	}
	if got.StatusCode != want.StatusCode {
		t.Errorf("%s: status = %d, want the unknown login's, %d", what, got.StatusCode, want.StatusCode)
	}
	if got.body != want.body {
		t.Errorf("%s: body = %q, want the unknown login's, %q", what, got.body, want.body)
	}
	if got, want := fmt.Sprint(got.Header), fmt.Sprint(want.Header); got != want {
		t.Errorf("%s: header = %s, want the unknown login's, %s", what, got, want)
	}
	if strings.Contains(got.body, id) {
		t.Errorf("%s: body contains the login's id %s, want none:\n%s", what, id, got.body)
	}
}

// appCookies returns the cookies that the browser sends to the application.
func (b *browser) appCookies() []*http.Cookie {
	u, _ := url.Parse(appURL)
	return b.client.Jar.Cookies(u)
}

// setAppCookie puts a cookie into the browser's jar, as the application would set it.
func (b *browser) setAppCookie(name, value string) {
	u, _ := url.Parse(appURL)
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: true}})
}

// restoreAppCookies puts cookies that appCookies returned back into the browser's jar.
func (b *browser) restoreAppCookies(cookies []*http.Cookie) {
	for _, c := range cookies {
		b.setAppCookie(c.Name, c.Value)
	}
}

// checkCookie checks the attributes that keep a cookie from scripts, from other hosts,
// from plain HTTP and from cross-site requests.
func checkCookie(t *testing.T, c *http.Cookie) {
	t.Helper()
	if !strings.HasPrefix(c.Name, "__Host-") {
		t.Errorf("Set-Cookie: name = %q, want the prefix __Host-", c.Name)
	}
	if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("Set-Cookie: %v, want Secure, HttpOnly and SameSite=Lax", c)
	}
	if c.Path != "/" || c.Domain != "" {
		t.Errorf("Set-Cookie: path = %q, domain = %q, want / and none", c.Path, c.Domain)
	}
}

// mapSessions is an scs session store in memory. It starts no goroutine.
type mapSessions struct {
	mu sync.Mutex
	m  map[string][]byte
}

func (s *mapSessions) Find(token string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.m[token]
	return b, ok, nil
}

func (s *mapSessions) Commit(token string, b []byte, _ time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m[token] = b
	return nil
}

func (s *mapSessions) Delete(token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, token)
	return nil
}

// recordingState records the keys and values of the calls that reach the state store.
type recordingState struct {
	scangate.StateStore
	mu   sync.Mutex
	text strings.Builder
}

// note records one call.
func (s *recordingState) note(key string, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.WriteString(key)
	s.text.Write(value)
}

// recorded returns the keys and values so far.
func (s *recordingState) recorded() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *recordingState) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	s.note(key, value)
	return s.StateStore.Create(ctx, key, value, ttl)
}

func (s *recordingState) Load(ctx context.Context, key string) ([]byte, int64, error) {
	s.note(key, nil)
	return s.StateStore.Load(ctx, key)
}

func (s *recordingState) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	s.note(key, value)
	return s.StateStore.Update(ctx, key, version, value, ttl)
}

func (s *recordingState) Wait(ctx context.Context, key string, version int64) ([]byte, int64, error) {
	s.note(key, nil)
	return s.StateStore.Wait(ctx, key, version)
}

func (s *recordingState) Add(ctx context.Context, key string, window time.Duration) (int64, error) {
	s.note(key, nil)
	return s.StateStore.Add(ctx, key, window)
}

// failingState is a state store whose calls return err while err is set. Wait still
// works.
type failingState struct {
	scangate.StateStore
	err atomic.Pointer[error]
}

// failure returns the error to fail with, or nil.
func (s *failingState) failure() error {
	if err := s.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *failingState) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := s.failure(); err != nil {
		return err
	}
	return s.StateStore.Create(ctx, key, value, ttl)
}

func (s *failingState) Load(ctx context.Context, key string) ([]byte, int64, error) {
	if err := s.failure(); err != nil {
		return nil, 0, err
	}
	return s.StateStore.Load(ctx, key)
}

func (s *failingState) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	if err := s.failure(); err != nil {
		return err
	}
	return s.StateStore.Update(ctx, key, version, value, ttl)
}

func (s *failingState) Add(ctx context.Context, key string, window time.Duration) (int64, error) {
	if err := s.failure(); err != nil {
		return 0, err
	}
	return s.StateStore.Add(ctx, key, window)
}
