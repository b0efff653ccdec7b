package scangate_test

// Rows 29 to 34: users and sessions.

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
)

// TestThreat29DisabledMeanwhile: the application disables a user between the approval
// and the finish. The gate reads the user again at the finish, and makes no session.
func TestThreat29DisabledMeanwhile(t *testing.T) {
	users := &changingUsers{UserStore: scangate.NewMemoryStore()}
	w := newWorld(t, func(c *scangate.Config) { c.Users = users })
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	phone.scan(login)
	phone.answer(login, "approve")
	users.change = func(u *scangate.User) error { u.Disabled = true; return nil }
	a := desktop.finish(login)
	if a.StatusCode != http.StatusForbidden {
		t.Errorf("finish of a disabled user: status = %d, want %d", a.StatusCode, http.StatusForbidden)
	}
	if got := sessionCookie(a); got != nil {
		t.Errorf("finish of a disabled user: session cookie = %v, want none", got)
	}
}

// TestThreat29SessionsEndedMeanwhile: the victim logs out everywhere after the attacker's
// login was approved. That ends the login too.
func TestThreat29SessionsEndedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		victim := w.phone("lin")
		victim.open("/account")
		attacker, phone := w.desktop(), w.phone("lin")
		login := attacker.start()
		pass(time.Second)
		phone.scan(login)
		phone.answer(login, "approve")
		victim.post("/wechat/logout", url.Values{"everywhere": {"true"}})
		if got := attacker.finish(login).StatusCode; got != http.StatusGone {
			t.Errorf("finish after logging out everywhere: status = %d, want %d", got, http.StatusGone)
		}
		if got := attacker.user(); got != "" {
			t.Errorf("finish after logging out everywhere: user = %q, want none", got)
		}
	})
}

// TestThreat30TwoFirstLogins: one person's first login happens 20 times at once. The
// store's uniqueness makes one user of them.
func TestThreat30TwoFirstLogins(t *testing.T) {
	w := newWorld(t)
	var logins sync.WaitGroup
	var mu sync.Mutex
	users := map[string]int{}
	for range 20 {
		desktop, phone := w.desktop(), w.phone("lin")
		login := desktop.start()
		phone.scan(login)
		form := url.Values{"token": {phone.get(login.confirmURL()).find(t, tokenPattern)}, "answer": {"approve"}}
		logins.Go(func() {
			_, _ = phone.try(t.Context(), false, http.MethodPost, login.confirmURL(), form.Encode())
			_, _ = desktop.try(t.Context(), false, http.MethodPost, login.FinishURL, "")
			a, err := desktop.try(t.Context(), false, http.MethodGet, "/account", "")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				users[a.body]++
			}
		})
	}
	logins.Wait()
	if len(users) != 1 {
		t.Errorf("20 first logins at once: gated pages = %v, want one user's", users)
	}
}

// TestThreat31SessionFixation: the attacker plants the token of its own session in the
// victim's browser. A login renews the token, and the planted one stays logged out.
func TestThreat31SessionFixation(t *testing.T) {
	m := ownSessions()
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
	victim, attacker := w.phone("lin"), w.desktop()
	ctx, err := m.Load(t.Context(), "")
	if err != nil {
		t.Fatalf("loading a new session: %v", err)
	}
	m.Put(ctx, "planted", true)
	planted, _, err := m.Commit(ctx)
	if err != nil {
		t.Fatalf("committing the attacker's session: %v", err)
	}
	victim.setAppCookie("__Host-session", planted)
	victim.open("/account")
	for _, c := range victim.appCookies() {
		if c.Name == "__Host-session" && c.Value == planted {
			t.Error("session token after the login = the planted one, want a new one")
		}
	}
	attacker.setAppCookie("__Host-session", planted)
	if victim.user() == "" {
		t.Error("after the login: the victim is not logged in, want a user")
	}
	if got := attacker.user(); got != "" {
		t.Errorf("request with the planted token: user = %q, want none", got)
	}
}

// TestThreat31SessionDataOfThePreviousUser: two users share one desktop, and the session
// of the first one ends without a logout. Its data is cleared at the login of the second.
func TestThreat31SessionDataOfThePreviousUser(t *testing.T) {
	m := ownSessions()
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
	desktop := w.desktop()
	session := func() context.Context {
		var token string
		for _, c := range desktop.appCookies() {
			if c.Name == "__Host-session" {
				token = c.Value
			}
		}
		ctx, err := m.Load(t.Context(), token)
		if err != nil {
			t.Fatalf("loading the desktop's session: %v", err)
		}
		return ctx
	}
	w.scanLogin(desktop, w.phone("lin"))
	ctx := session()
	m.Put(ctx, "draft", "private")
	if _, _, err := m.Commit(ctx); err != nil {
		t.Fatalf("committing the first user's session: %v", err)
	}
	first := desktop.user()
	if err := w.users.EndSessions(t.Context(), first, time.Now().Add(time.Minute)); err != nil {
		t.Fatalf("EndSessions: %v", err)
	}
	w.scanLogin(desktop, w.phone("wang"))
	if got := m.GetString(session(), "draft"); got != "" {
		t.Errorf("session of the second user: draft = %q, want none", got)
	}
	if got := desktop.user(); got == first {
		t.Errorf("after the second login: user = %q, want another one", got)
	}
}

// TestThreat32RevivedSession: two tabs wait for a login while another finishes it and
// logs out. A waiting request loads no session, so it cannot save the ended one again.
func TestThreat32RevivedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &scs.SessionManager{
			Lifetime: 24 * time.Hour, IdleTimeout: time.Hour, Store: &mapSessions{m: map[string][]byte{}}, Codec: scs.GobCodec{},
			Cookie: scs.SessionCookie{Name: "__Host-session", Path: "/", HttpOnly: true, Secure: true},
		}
		w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
		desktop, phone := w.desktop(), w.phone("lin")
		login := desktop.start()
		var tabs sync.WaitGroup
		for range 2 {
			tabs.Go(func() {
				_, _ = desktop.try(t.Context(), false, http.MethodGet, login.StateURL+"?seen=scanned", "")
			})
		}
		phone.scan(login)
		synctest.Wait()
		phone.answer(login, "approve")
		desktop.finish(login)
		old := desktop.appCookies()
		if desktop.user() == "" {
			t.Fatal("after the finish: the desktop is not logged in, want a user")
		}
		desktop.post("/wechat/logout", nil)
		tabs.Wait()
		desktop.restoreAppCookies(old)
		if got := desktop.user(); got != "" {
			t.Errorf("the old cookie after the logout: user = %q, want none", got)
		}
	})
}

// TestThreat33CookieTheft: the attacker reads cookies by a script, over plain HTTP or in
// the state store. Their attributes prevent the first two, and the store holds hashes.
func TestThreat33CookieTheft(t *testing.T) {
	state := &recordingState{StateStore: scangate.NewMemoryStore()}
	sms := &texts{}
	w := newWorld(t, sms.withPhone, func(c *scangate.Config) { c.State = state })
	phone := w.phone("lin")
	loginPage := phone.get("/wechat/login")
	if a := phone.prove(sms, phone.open("/account"), mobile); a.StatusCode != http.StatusOK {
		t.Fatalf("login with a number: status = %d, want %d\n%s", a.StatusCode, http.StatusOK, a.body)
	}
	for _, c := range loginPage.Cookies() {
		checkCookie(t, c)
	}
	secrets := map[string]string{"code": sms.to(mobile)}
	for _, c := range phone.appCookies() {
		secrets["cookie "+c.Name] = c.Value
	}
	if len(secrets) != 6 {
		t.Fatalf("the phone's secrets = %v, want a code and five cookies", secrets)
	}
	for name, secret := range secrets {
		// A code has 6 digits, which an ID or a time could contain by chance.
		if strings.Contains(state.recorded(), `"`+secret+`"`) || len(secret) > 6 && strings.Contains(state.recorded(), secret) {
			t.Errorf("state store: it holds the %s, want a hash", name)
		}
	}
	desktop, secondPhone := w.desktop(), w.phone("lin")
	login := desktop.start()
	secondPhone.scan(login)
	secondPhone.answer(login, "approve")
	for _, c := range desktop.finish(login).Cookies() {
		checkCookie(t, c)
	}
}

// TestThreat33SessionTokensInTheStore: the attacker reads the session store. With
// HashTokenInStore its keys are not tokens.
func TestThreat33SessionTokensInTheStore(t *testing.T) {
	sessions := &mapSessions{m: map[string][]byte{}}
	m := ownSessions()
	m.Store, m.HashTokenInStore = sessions, true
	w := newWorld(t, func(c *scangate.Config) { c.Session.Manager = m })
	phone := w.phone("lin")
	phone.open("/account")
	for _, c := range phone.appCookies() {
		if _, ok := sessions.m[c.Value]; ok {
			t.Errorf("session store: a key is the value of the cookie %s, want a hash", c.Name)
		}
	}
	if got := len(sessions.m); got != 1 {
		t.Errorf("session store after one login: sessions = %d, want 1", got)
	}
	if phone.user() == "" {
		t.Error("after the login: the phone is not logged in, want a user")
	}
}

// TestThreat34LogoutByLink: the attacker logs a victim out by a link or an image. A
// logout is a POST only, and it ends the session in the store, not only the cookie.
func TestThreat34LogoutByLink(t *testing.T) {
	w := newWorld(t)
	phone := w.phone("lin")
	phone.open("/account")
	if got := phone.get("/wechat/logout").StatusCode; got != http.StatusMethodNotAllowed {
		t.Errorf("GET logout: status = %d, want %d", got, http.StatusMethodNotAllowed)
	}
	if phone.user() == "" {
		t.Error("after GET logout: the phone is not logged in, want a user")
	}
	old := phone.appCookies()
	phone.post("/wechat/logout", nil)
	phone.restoreAppCookies(old)
	if got := phone.user(); got != "" {
		t.Errorf("the old cookie after POST logout: user = %q, want none", got)
	}
}

// TestThreat34LogoutWhileTheUserStoreFails: the user store fails when a person logs out.
// A logout needs the session only, so it works all the same.
func TestThreat34LogoutWhileTheUserStoreFails(t *testing.T) {
	w := newWorld(t)
	phone := w.phone("lin")
	phone.open("/account")
	w.users.failWith(errors.New("away"))
	if got := phone.post("/wechat/logout", nil).StatusCode; got != http.StatusSeeOther {
		t.Errorf("logout while the user store fails: status = %d, want %d", got, http.StatusSeeOther)
	}
	if got := phone.post("/wechat/logout", url.Values{"everywhere": {"true"}}).StatusCode; got != http.StatusSeeOther {
		t.Errorf("logout everywhere of a browser that is logged out: status = %d, want %d", got, http.StatusSeeOther)
	}
	w.users.failWith(nil)
	if got := phone.user(); got != "" {
		t.Errorf("after the logout: user = %q, want none", got)
	}
}
