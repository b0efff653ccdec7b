package scangate_test

import (
	"io"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// withUserTTL is an option of newWorld. Its gate keeps users in memory for an hour.
func withUserTTL(c *scangate.Config) { c.UserTTL = time.Hour }

// reads returns how often the gate has called the store's FindByID.
func (w *world) reads() int {
	w.users.mu.Lock()
	defer w.users.mu.Unlock()
	return w.users.calls["FindByID"]
}

// TestUserTTL sends requests that pass the gate. They read the user once within
// Config.UserTTL, and each time if it is zero.
func TestUserTTL(t *testing.T) {
	for _, c := range []struct {
		name   string
		option func(*scangate.Config)
		want   int // reads of ten requests within the hour
	}{
		{"an hour", withUserTTL, 1},
		{"zero", func(*scangate.Config) {}, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, c.option)
				phone := w.phone("lin")
				phone.open("/account") // logs in, which may leave the user in memory
				for _, after := range []time.Duration{time.Hour, time.Hour} {
					pass(after)
					before := w.reads()
					for range 10 {
						if phone.user() == "" {
							t.Fatal("GET /account: not logged in, want logged in")
						}
					}
					if got := w.reads() - before; got != c.want {
						t.Errorf("10 requests: %d reads of the user, want %d", got, c.want)
					}
				}
			})
		})
	}
}

// TestUserTTLDisabledUserCannotLogIn finishes a login while the cache still holds an
// enabled user. The gate reads the user from the store.
func TestUserTTLDisabledUserCannotLogIn(t *testing.T) {
	users := &changingUsers{UserStore: scangate.NewMemoryStore()}
	w := newWorld(t, withUserTTL, func(c *scangate.Config) { c.Users = users })
	phone, desktop := w.phone("lin"), w.desktop()
	if phone.open("/account"); phone.user() == "" {
		t.Fatal("GET /account: not logged in, want logged in")
	}
	login := desktop.start()
	second := w.phone("lin")
	second.scan(login)
	second.answer(login, "approve")
	users.change = func(u *scangate.User) error { u.Disabled = true; return nil }
	if got := desktop.finish(login).StatusCode; got != http.StatusForbidden {
		t.Errorf("finish of a disabled user: status = %d, want %d", got, http.StatusForbidden)
	}
	if phone.user() == "" {
		t.Error("GET /account within UserTTL: not logged in, want the cached user")
	}
}

// serveIdentities adds a gated page that lists the AppIDs of the user's identities.
func (w *world) serveIdentities() {
	mux := http.NewServeMux()
	mux.Handle("/", application(w.gate))
	mux.Handle("/identities", w.gate.RequireWeChat(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		user, _ := scangate.UserFromContext(r.Context())
		for _, identity := range user.Identities {
			_, _ = io.WriteString(rw, identity.AppID+";")
		}
	})))
	w.hosts = transportWith(w.hosts, mux)
}

// TestUserTTLSeesLinkAndUnlink links and unlinks within UserTTL. The next request sees
// both, because this process made the change.
func TestUserTTLSeesLinkAndUnlink(t *testing.T) {
	w := newWorld(t, withWebsite, withUserTTL)
	w.serveIdentities()
	w.know("lin")
	desktop := w.desktop()
	w.scanLogin(desktop, w.phone("lin"))
	show := func(after, want string) {
		t.Helper()
		if got := desktop.get("/identities").body; got != want {
			t.Errorf("identities after %s: %q, want %q", after, got, want)
		}
	}
	show("the login", official.AppID+";")

	to := desktop.get("/wechat/link?return_to=/account&with=website").Header.Get("Location")
	callback, err := w.wechat.Approve(to, "lin")
	if err != nil {
		t.Fatalf("approving %s: %v", to, err)
	}
	page := desktop.open(callback)
	answer := url.Values{"token": {page.find(t, tokenPattern)}, "answer": {"approve"}}
	if a := desktop.submit(page.Request.URL.Path, answer); a.StatusCode != http.StatusOK {
		t.Fatalf("confirming the link: status = %d, want %d\n%s", a.StatusCode, http.StatusOK, a.body)
	}
	show("linking", official.AppID+";"+website.AppID+";")

	unlink := url.Values{"appid": {website.AppID}, "openid": {w.wechat.OpenID("lin", website.AppID)}}
	if a := desktop.post("/wechat/unlink", unlink); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("unlinking: status = %d, want %d\n%s", a.StatusCode, http.StatusSeeOther, a.body)
	}
	show("unlinking", official.AppID+";")
}
