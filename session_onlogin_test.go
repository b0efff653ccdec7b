package scangate_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
)

// onLoginWorld is a world whose OnLogin works on the session.
type onLoginWorld struct {
	*world
	manager *scs.SessionManager
	store   *mapSessions
	onLogin func(ctx context.Context, l scangate.Login) error
}

// forEachMount runs the test with the gate outside and inside of the application's
// LoadAndSave.
func forEachMount(t *testing.T, test func(t *testing.T, w *onLoginWorld)) {
	for _, outer := range []bool{false, true} {
		name := "without LoadAndSave"
		if outer {
			name = "inside LoadAndSave"
		}
		t.Run(name, func(t *testing.T) {
			m, store := plainSessions()
			m.Cookie.Persist = false
			w := &onLoginWorld{manager: m, store: store}
			w.world = newWorld(t, func(c *scangate.Config) {
				c.Session.Manager = m
				c.OnLogin = func(ctx context.Context, l scangate.Login) error { return w.onLogin(ctx, l) }
			})
			mux := http.NewServeMux()
			mux.Handle("/", application(w.gate))
			mux.Handle("/put", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				m.Put(r.Context(), r.URL.Query().Get("key"), r.URL.Query().Get("value"))
			}))
			mux.Handle("/value", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(rw, m.GetString(r.Context(), r.URL.Query().Get("key")))
			}))
			var handler http.Handler
			if outer {
				handler = m.LoadAndSave(mux)
			} else {
				inner := m.LoadAndSave(mux)
				handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/put" || r.URL.Path == "/value" {
						inner.ServeHTTP(rw, r)
						return
					}
					mux.ServeHTTP(rw, r)
				})
			}
			w.hosts = transportWith(w.hosts, handler)
			w.onLogin = func(context.Context, scangate.Login) error { return nil }
			test(t, w)
		})
	}
}

// value returns a value of the browser's session.
func (b *browser) value(key string) string { return b.get("/value?key=" + key).body }

func TestCaseD08OnLoginPutsIntoTheSession(t *testing.T) {
	forEachMount(t, func(t *testing.T, w *onLoginWorld) {
		w.onLogin = func(ctx context.Context, l scangate.Login) error {
			w.manager.Put(ctx, "role", "member "+w.manager.GetString(ctx, "cart"))
			w.manager.Put(ctx, "id", l.User.ID)
			w.manager.Remove(ctx, "coupon")
			return nil
		}
		desktop, phone := w.desktop(), w.phone("lin")
		phone.get("/put?key=cart&value=tea")
		phone.get("/put?key=coupon&value=used")
		phone.open("/account")
		w.scanLogin(desktop, phone)
		for name, b := range map[string]*browser{"phone": phone, "desktop": desktop} {
			cart := map[string]string{"phone": "tea"}[name]
			user := b.user()
			if user == "" || b.value("id") != user || b.value("role") != "member "+cart || b.value("cart") != cart || b.value("coupon") != "" {
				t.Errorf("%s: user %q, id %q, role %q, cart %q, coupon %q, want those that OnLogin put there",
					name, user, b.value("id"), b.value("role"), b.value("cart"), b.value("coupon"))
			}
		}
		if got := len(w.store.m); got != 2 {
			t.Errorf("%d sessions are stored, want one for each browser", got)
		}
	})
}

// A refused login leaves the browser's earlier session as it was.
func TestCaseD08RefusalChangesNoSession(t *testing.T) {
	forEachMount(t, func(t *testing.T, w *onLoginWorld) {
		desktop := w.desktop()
		w.scanLogin(desktop, w.phone("lin"))
		user := desktop.user()
		desktop.get("/put?key=cart&value=tea")
		for _, person := range []string{"lin", "wang"} {
			w.onLogin = func(ctx context.Context, _ scangate.Login) error {
				if got := w.manager.GetString(ctx, "cart"); person == "wang" && got != "" {
					t.Errorf("OnLogin for another person: cart %q, want none", got)
				}
				w.manager.Put(ctx, "role", "admin")
				w.manager.Remove(ctx, "cart")
				return errors.New("not on Sundays")
			}
			s := w.approved(desktop, w.phone(person))
			if a := desktop.finish(s); a.StatusCode != http.StatusForbidden {
				t.Errorf("login of %s that OnLogin refuses: %d, want %d", person, a.StatusCode, http.StatusForbidden)
			}
			if got := desktop.user(); got != user || desktop.value("cart") != "tea" || desktop.value("role") != "" {
				t.Errorf("after the refused login of %s: user %q, cart %q, role %q, want %q, tea and none",
					person, got, desktop.value("cart"), desktop.value("role"), user)
			}
		}
	})
}

// The data of the previous user are gone before OnLogin sees the session.
func TestCaseD08AnotherPersonsDataAreGone(t *testing.T) {
	forEachMount(t, func(t *testing.T, w *onLoginWorld) {
		desktop := w.desktop()
		w.scanLogin(desktop, w.phone("lin"))
		desktop.get("/put?key=cart&value=tea")
		w.onLogin = func(ctx context.Context, _ scangate.Login) error {
			w.manager.Put(ctx, "role", "member"+w.manager.GetString(ctx, "cart"))
			return nil
		}
		before := desktop.user()
		w.scanLogin(desktop, w.phone("wang"))
		if got := desktop.user(); got == before || desktop.value("role") != "member" || desktop.value("cart") != "" {
			t.Errorf("after the login of another person: user %q, role %q, cart %q, want another than %q, member and none",
				got, desktop.value("role"), desktop.value("cart"), before)
		}
	})
}

type onLoginKey struct{}

// OnLogin's context is the request's in all other respects.
func TestCaseD08ContextIsTheRequests(t *testing.T) {
	forEachMount(t, func(t *testing.T, w *onLoginWorld) {
		hosts := w.hosts
		w.hosts = roundTripper(func(r *http.Request) (*http.Response, error) {
			ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), onLoginKey{}, "trace"), time.Minute)
			defer cancel()
			return hosts.RoundTrip(r.WithContext(ctx))
		})
		w.onLogin = func(ctx context.Context, _ scangate.Login) error {
			if _, ok := ctx.Deadline(); !ok || ctx.Value(onLoginKey{}) != "trace" || ctx.Err() != nil {
				t.Errorf("OnLogin's context: value %v, deadline %t, %v, want the request's", ctx.Value(onLoginKey{}), ok, ctx.Err())
			}
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			<-ctx.Done()
			return nil
		}
		w.scanLogin(w.desktop(), w.phone("lin"))
	})
}

// OnLogin may end the session early, or make its cookie last.
func TestCaseD08OnLoginSetsHowLongTheSessionLasts(t *testing.T) {
	forEachMount(t, func(t *testing.T, w *onLoginWorld) {
		w.onLogin = func(ctx context.Context, _ scangate.Login) error {
			w.manager.RememberMe(ctx, true)
			w.manager.SetDeadline(ctx, time.Now().Add(10*time.Minute))
			return nil
		}
		desktop := w.desktop()
		s := w.approved(desktop, w.phone("lin"))
		var lasts time.Duration
		for _, c := range desktop.finish(s).Cookies() {
			if c.Name == "session" {
				lasts = time.Duration(c.MaxAge) * time.Second
			}
		}
		if lasts < 9*time.Minute || lasts > 10*time.Minute+2*time.Second || desktop.user() == "" {
			t.Errorf("finish: the session of user %q lasts %v, want 10 minutes", desktop.user(), lasts)
		}
	})
}
