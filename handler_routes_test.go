package scangate

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/wechat"
)

// guardedRoutes returns the routes that only one browser may call. Those of a mini program
// are in TestWrongTokenSeesAnUnknownLogin.
func guardedRoutes(g *Gate) []route {
	var rows []route
	for _, row := range g.routes() {
		if row.access != accessAnyone && row.access != accessMini {
			rows = append(rows, row)
		}
	}
	return rows
}

// send calls a route with a login ID, from the browser with that key and with the right
// form token. The media type in accept makes it a request of a page or of a script.
func send(g *Gate, row route, id string, key login.Key, accept string) *http.Response {
	form := url.Values{"token": {key.FormToken(id)}, "answer": {"approve"}, "code": {"123456"}}
	var body io.Reader = http.NoBody
	if row.method == http.MethodPost {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(row.method, g.config.BasePath+strings.Replace(row.path, "{id}", id, 1), body)
	r.Header.Set("Accept", accept)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(&http.Cookie{Name: g.cookies.name, Value: encodeKeys(browserKey{key, time.Now()})})
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w.Result()
}

// dump returns the answer as text, without its Date and with the login ID masked.
func dump(t *testing.T, a *http.Response, id string) string {
	t.Helper()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatalf("read the answer's body: %v", err)
	}
	var b strings.Builder
	_, _ = io.WriteString(&b, a.Status+"\n")
	_ = a.Header.WriteSubset(&b, map[string]bool{"Date": true})
	_, _ = b.Write(body)
	return strings.ReplaceAll(b.String(), id, "ID")
}

// loginsInEveryState returns logins of every kind and state. The desktop initiated them,
// and the phone authorizes them.
func loginsInEveryState(t *testing.T, g *Gate, desktop, phone login.Key) []*login.Login {
	t.Helper()
	ctx := t.Context()
	start := func(kind login.Kind) *login.Login {
		request := login.Request{Kind: kind, AppID: "wx0123456789abcdef", ReturnTo: "/secret", Initiator: desktop.Digest()}
		l, err := g.logins.Start(ctx, login.NewSlot(request))
		if err != nil {
			t.Fatalf("start a login: %v", err)
		}
		return l
	}
	identify := func(l *login.Login, key login.Key) *login.Login {
		l, err := g.logins.Exchange(ctx, l, key, login.ScopeBase, "code", func(context.Context, *login.Login) (login.Person, error) {
			return login.Person{UserID: "user", Identity: login.Identity{OpenID: "openid"}}, nil
		})
		if err != nil {
			t.Fatalf("identify a login: %v", err)
		}
		return l
	}
	step := func(take func(context.Context, *login.Login) (*login.Login, error), l *login.Login) *login.Login {
		next, err := take(ctx, l)
		if err != nil {
			t.Fatalf("take a step of a login that is %s: %v", l.State(), err)
		}
		return next
	}
	finish := func(ctx context.Context, l *login.Login) (*login.Login, error) {
		return g.logins.Finish(ctx, l, time.Now())
	}
	cross := func() *login.Login { return identify(start(login.CrossDevice), phone) }
	return []*login.Login{
		start(login.CrossDevice), step(g.logins.Scan, start(login.CrossDevice)),
		cross(), step(g.logins.Approve, cross()), step(g.logins.Deny, cross()),
		step(finish, step(g.logins.Approve, cross())),
		start(login.SameDevice), identify(start(login.SameDevice), desktop),
		step(finish, identify(start(login.SameDevice), desktop)),
	}
}

// TestWrongBrowserSeesAnUnknownLogin walks the route table. Every guarded route must
// answer the wrong browser exactly as if the login did not exist, in every state.
func TestWrongBrowserSeesAnUnknownLogin(t *testing.T) {
	t.Parallel()
	g := newTestGate(t)
	desktop, phone, attacker := login.NewKey(), login.NewKey(), login.NewKey()
	for _, l := range loginsInEveryState(t, g, desktop, phone) {
		wrong := map[access]map[string]login.Key{
			accessInitiator:  {"attacker": attacker, "phone": phone},
			accessAuthorizer: {"attacker": attacker},
		}
		if l.Kind() == login.CrossDevice {
			wrong[accessAuthorizer]["desktop"] = desktop // it must not approve its own QR code
		}
		for _, row := range guardedRoutes(g) {
			for name, key := range wrong[row.access] {
				for _, accept := range []string{"text/html", "application/json"} {
					unknownID := string(login.NewKey()) // has the form of an ID
					want := dump(t, send(g, row, unknownID, key, accept), unknownID)
					got := dump(t, send(g, row, l.ID(), key, accept), l.ID())
					if got != want || !strings.HasPrefix(want, "404 ") {
						t.Errorf("%s %s of a %s login that is %s, by the %s: got\n%s\nwant the answer for an unknown login, 404:\n%s",
							row.method, row.path, l.Kind(), l.State(), name, got, want)
					}
				}
			}
		}
	}
}

// TestRightBrowserIsServed sends the same requests from the right browser. At least one
// state must not answer 404, otherwise the test above would prove nothing.
func TestRightBrowserIsServed(t *testing.T) {
	g := newTestGate(t)
	desktop, phone := login.NewKey(), login.NewKey()
	for _, row := range guardedRoutes(g) {
		served := false
		for _, l := range loginsInEveryState(t, g, desktop, phone) {
			key := phone
			if row.access == accessInitiator {
				key = desktop
			}
			if a := send(g, row, l.ID(), key, "text/html"); a.StatusCode != http.StatusNotFound {
				served = true
			}
		}
		if !served {
			t.Errorf("%s %s by the right browser: status = 404 in every state, want another in at least one", row.method, row.path)
		}
	}
}

// TestEveryRouteWithALoginIsGuarded names the only routes with a login ID that anyone may
// call: the target of the QR code, in a browser and in a mini program.
func TestEveryRouteWithALoginIsGuarded(t *testing.T) {
	for _, row := range newTestGate(t).routes() {
		open := row.path == "/scan/{id}" || row.path == "/mini/{id}"
		if strings.Contains(row.path, "{id}") && (row.access == accessAnyone) != open {
			t.Errorf("%s %s: open to any browser = %v, want %v", row.method, row.path, !open, open)
		}
	}
}

// newTestGate returns a gate that is never connected to WeChat.
func newTestGate(t *testing.T) *Gate {
	t.Helper()
	g, err := New(Config{
		PublicURL:       "https://app.example.com",
		OfficialAccount: wechat.Account{AppID: "wx0123456789abcdef", Secret: "0123456789abcdef0123456789abcdef"},
		Phone:           Phone{SendCode: func(context.Context, string, string) error { return nil }},
		Limits:          Limits{Address: 1_000_000},
		Logger:          slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() { _ = g.Close() })
	return g
}
