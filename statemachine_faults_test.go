package scangate_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scangate/scangate"
)

// errReset is the error of a request whose answer was lost.
var errReset = errors.New("connection reset by peer")

// connection is a device's connection. It remembers the last POST, to send it again, and
// can lose an answer.
type connection struct {
	next http.RoundTripper
	cut  atomic.Bool // the next POST is handled, and its answer is lost

	mu   sync.Mutex
	last *post
}

// post is a request that a browser may send again.
type post struct{ target, contentType, body string }

// RoundTrip implements [http.RoundTripper].
func (c *connection) RoundTrip(r *http.Request) (*http.Response, error) {
	c.remember(r)
	resp, err := c.next.RoundTrip(r)
	if err == nil && r.Method == http.MethodPost && c.cut.Swap(false) {
		_ = resp.Body.Close()
		return nil, errReset
	}
	return resp, err
}

// remember notes a POST.
func (c *connection) remember(r *http.Request) {
	if r.Method != http.MethodPost || r.GetBody == nil {
		return
	}
	body, err := r.GetBody()
	if err != nil {
		return
	}
	text, _ := io.ReadAll(body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = &post{r.URL.String(), r.Header.Get("Content-Type"), string(text)}
}

// previous returns the last POST, or nil.
func (c *connection) previous() *post {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// jar is a cookie jar that can be emptied while it is in use.
type jar struct {
	mu      sync.Mutex
	cookies http.CookieJar
}

func newJar() *jar {
	j := &jar{}
	j.empty()
	return j
}

// empty deletes all cookies.
func (j *jar) empty() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.cookies, _ = cookiejar.New(nil) // without options it returns no error
}

// SetCookies implements [http.CookieJar].
func (j *jar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.cookies.SetCookies(u, cookies)
}

// Cookies implements [http.CookieJar].
func (j *jar) Cookies(u *url.URL) []*http.Cookie {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.cookies.Cookies(u)
}

// mistake makes the next call of a store panic.
type mistake struct{ armed atomic.Bool }

// mistakeText is in the error of a request whose handler has panicked.
const mistakeText = "a mistake in the application's store"

// happen panics if the mistake is armed.
func (m *mistake) happen() {
	if m.armed.Swap(false) {
		panic(mistakeText)
	}
}

// users returns an option of newWorld: its user store makes the mistake.
func (m *mistake) users(c *scangate.Config) {
	users := &interceptedUsers{before: func(context.Context, string) error {
		m.happen()
		return nil
	}}
	users.wrap(c)
}

// mistakenState is a state store that makes the mistake: before a read, or after a write
// has succeeded.
type mistakenState struct {
	*failingState
	mistake *mistake
}

func (s mistakenState) Load(ctx context.Context, key string) ([]byte, int64, error) {
	s.mistake.happen()
	return s.failingState.Load(ctx, key)
}

func (s mistakenState) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	err := s.failingState.Update(ctx, key, version, value, ttl)
	if err == nil {
		s.mistake.happen()
	}
	return err
}

// isFault reports whether a request may have failed with err: its answer was lost, or a
// store has panicked.
func isFault(err error) bool {
	return errors.Is(err, errReset) || strings.Contains(err.Error(), mistakeText)
}

// faults returns the actions that break something. An action that is listed twice is
// twice as likely.
func (s *sequence) faults(d *device) []func() {
	victim := s.devices[2+2*s.random.IntN(2)] // one of the honest desktops
	return []func(){
		func() { s.resend(d) },
		func() { s.resend(d) },
		func() { d.connection.cut.Store(true) },
		func() { s.mistake.armed.Store(true) },
		func() { s.openTabs(victim) },
		func() { s.plantKey(victim) },
	}
}

// resend sends the device's last POST again, as browsers do after a reset.
func (s *sequence) resend(d *device) {
	last := d.connection.previous()
	if last == nil {
		return
	}
	if login := s.finishedBy(last.target); login != nil {
		s.finish(d, login)
		return
	}
	a, err := d.try(s.t.Context(), false, http.MethodPost, last.target, last.body, "Content-Type", last.contentType)
	if err != nil && !isFault(err) {
		s.t.Errorf("%s: POST %s again: error = %v, want an answer", d.name, last.target, err)
	}
	if err == nil {
		s.note(d, "sends again", a)
	}
}

// finishedBy returns the login that the URL finishes, or nil.
func (s *sequence) finishedBy(target string) *knownLogin {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, login := range s.logins {
		if strings.HasSuffix(target, login.FinishURL) {
			return login
		}
	}
	return nil
}

// openTabs opens several tabs at once in a browser that has lost its cookies.
func (s *sequence) openTabs(d *device) {
	d.jar.empty()
	s.mu.Lock()
	d.sharesKey = false
	s.mu.Unlock()
	var tabs sync.WaitGroup
	for _, returnTo := range []string{"/tab1", "/tab2", "/tab3"} {
		tabs.Go(func() { s.start(d, returnTo) })
	}
	tabs.Wait()
}

// plantKey gives the victim the browser key of the attacker, whose logins then are the
// victim's too, and the other way around, until a login renews the key.
func (s *sequence) plantKey(victim *device) {
	attacker := s.devices[0]
	app, _ := url.Parse(appURL)
	for _, cookie := range attacker.client.Jar.Cookies(app) {
		if cookie.Name == "__Host-scangate" {
			victim.jar.SetCookies(app, []*http.Cookie{{Name: cookie.Name, Value: cookie.Value, Path: "/", Secure: true}})
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	victim.sharesKey = true
	for _, login := range s.logins {
		if login.initiators[attacker] {
			login.initiators[victim] = true
		}
	}
	s.log = append(s.log, victim.name+" gets the attacker's key")
}

// initiate notes the device, and each that shares its key, as the login's initiators. The
// caller holds the lock.
func (s *sequence) initiate(d *device, login *knownLogin) {
	attacker := s.devices[0]
	login.initiators[d] = true
	for _, other := range s.devices {
		if d.sharesKey && other == attacker || d == attacker && other.sharesKey {
			login.initiators[other] = true
		}
	}
}
