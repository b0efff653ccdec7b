package scangate_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
)

// nestings are ways in which a guard meets other handlers that use the session.
var nestings = []struct {
	name  string
	mount func(m *scs.SessionManager, gate *scangate.Gate, own http.Handler) http.Handler
}{
	{"a guard in a guard", func(_ *scs.SessionManager, gate *scangate.Gate, own http.Handler) http.Handler {
		return gate.RequireWeChat(gate.RequireWeChat(own))
	}},
	{"a guard in LoadAndSave", func(m *scs.SessionManager, gate *scangate.Gate, own http.Handler) http.Handler {
		return m.LoadAndSave(gate.RequireWeChat(own))
	}},
	{"LoadAndSave in a guard", func(m *scs.SessionManager, gate *scangate.Gate, own http.Handler) http.Handler {
		return gate.RequireWeChat(m.LoadAndSave(own))
	}},
	{"Check in a guard", func(_ *scs.SessionManager, gate *scangate.Gate, own http.Handler) http.Handler {
		return gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user, err := gate.Check(r); err == nil && user.ID != "" {
				own.ServeHTTP(w, r)
			}
		}))
	}},
	{"Admit in a guard", func(_ *scs.SessionManager, gate *scangate.Gate, own http.Handler) http.Handler {
		return gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r, ok := gate.Admit(w, r); ok {
				own.ServeHTTP(w, r)
			}
		}))
	}},
	{"Admit in LoadAndSave", func(m *scs.SessionManager, gate *scangate.Gate, own http.Handler) http.Handler {
		return m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r, ok := gate.Admit(w, r); ok {
				own.ServeHTTP(w, r)
			}
		}))
	}},
}

// TestIssue17Nestings reads the session behind each of them, and then changes it. All
// handlers of a request share one session, and the store is read once.
func TestIssue17Nestings(t *testing.T) {
	for _, c := range nestings {
		t.Run(c.name, func(t *testing.T) {
			l := newLate(t)
			own := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.own(r.Context(), w, r) })
			l.addHost("app.example.com", c.mount(l.manager, l.gate, own))
			l.phone.client.Transport = l.hosts
			if got := l.draft(); got != "tea" {
				t.Errorf("first request: draft = %q, want tea", got)
			}
			if finds, commits := l.store.calls(); finds != 1 || commits != 0 {
				t.Errorf("first request: the store was read %d times and written %d times, want once and never", finds, commits)
			}
			a := l.serve(func(ctx context.Context, w http.ResponseWriter, _ *http.Request) {
				if user, ok := scangate.UserFromContext(ctx); !ok || user.ID == "" {
					t.Errorf("UserFromContext = %q, %t, want a user", user.ID, ok)
				}
				l.manager.Put(ctx, "draft", "coffee")
				_, _ = io.WriteString(w, "put")
			})
			if a.body != "put" || sessionCookie(a) == nil {
				t.Errorf("a request that puts a value: body = %q, session cookie = %v, want put and one", a.body, sessionCookie(a))
			}
			if got := l.draft(); got != "coffee" {
				t.Errorf("next request: draft = %q, want coffee", got)
			}
		})
	}
}

// TestIssue17TwoGatesOfOneManager puts the guard of one gate into that of another. The
// session belongs to the first one's site, so the second one refuses the request.
func TestIssue17TwoGatesOfOneManager(t *testing.T) {
	l := newLate(t)
	other := newWorld(t, func(c *scangate.Config) {
		c.Session.Manager, c.PublicURL = l.manager, "https://login.example.com"
	})
	inner := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler of the other gate runs") })
	l.own = func(_ context.Context, w http.ResponseWriter, r *http.Request) {
		other.gate.RequireWeChat(inner).ServeHTTP(w, r)
	}
	if a := l.phone.get("/own", "Accept", "application/json"); a.StatusCode != http.StatusUnauthorized || len(a.Cookies()) != 0 {
		t.Errorf("guard of another site: status = %d, Set-Cookie = %v, want 401 and none", a.StatusCode, a.Cookies())
	}
	if got := l.draft(); got != "tea" {
		t.Errorf("the first site afterwards: draft = %q, want tea", got)
	}
}
