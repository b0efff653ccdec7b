package scangate

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/wechat"
)

// TestWrongTokenSeesAnUnknownLogin walks the rows of the route table that a mini program
// calls by its token. Any other token gets the answer for a login that does not exist, in
// every state, and so does the right one in a browser's cookie.
func TestWrongTokenSeesAnUnknownLogin(t *testing.T) {
	g := newTestGate(t)
	account := wechat.Account{AppID: "wx000000000000mini", Secret: "0123456789abcdef0123456789abcdef"}
	client, err := wechat.NewClient(account, wechat.Endpoint{}, nil)
	if err != nil {
		t.Fatalf("NewClient: %v", err)
	}
	g.accounts.mini, g.logins.accounts.mini = client, client
	token, other := login.NewKey(), login.NewKey()
	send := func(row route, id string, cookie, token login.Key) *http.Response {
		body := `{"token":"` + string(token) + `","answer":"approve","code":"c"}`
		r := httptest.NewRequest(row.method, g.config.BasePath+strings.Replace(row.path, "{id}", id, 1), strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if cookie != "" {
			r.AddCookie(&http.Cookie{Name: g.cookies.name, Value: encodeKeys(browserKey{cookie, newBrowserKey().made})})
		}
		g.ServeHTTP(w, r)
		return w.Result()
	}
	rows := 0
	for _, row := range g.routes() {
		if row.access != accessMini {
			continue
		}
		rows++
		want := dump(t, send(row, string(token), "", other), string(token))
		for _, way := range []login.Way{login.WayMini, login.WayWeb} {
			for _, l := range miniLogins(t, g, way, account.AppID, token) {
				for name, sent := range map[string][2]login.Key{"another token": {"", other}, "no token": {"", ""}, "the token in a cookie": {token, ""}, "both": {token, other}} {
					if got := dump(t, send(row, l.ID(), sent[0], sent[1]), l.ID()); got != want || !strings.HasPrefix(want, "404 ") {
						t.Errorf("%s with %s for a login that is %s: got\n%s\nwant\n%s", row.path, name, l.State(), got, want)
					}
				}
				right := send(row, l.ID(), "", token)
				if known := right.StatusCode != http.StatusNotFound; known != (way == login.WayMini) {
					t.Errorf("%s with the right token for a login by %q that is %s: status = %d", row.path, way, l.State(), right.StatusCode)
				}
				_ = right.Body.Close()
			}
		}
	}
	if rows != 2 {
		t.Errorf("%d rows of the route table need a token, want 2", rows)
	}
}

// miniLogins returns logins in the states in which they have a person.
func miniLogins(t *testing.T, g *Gate, way login.Way, appID string, token login.Key) []*login.Login {
	t.Helper()
	identified := func() *login.Login {
		request := login.Request{Kind: login.CrossDevice, Way: way, AppID: appID, ReturnTo: "/", Initiator: login.NewKey().Digest()}
		if way == login.WayWeb {
			request.AppID = g.accounts.officialID
		}
		l, err := g.logins.Start(t.Context(), login.NewSlot(request))
		if err != nil {
			t.Fatalf("start a login: %v", err)
		}
		l, err = g.logins.Exchange(t.Context(), l, token, login.ScopeBase, "code", func(context.Context, *login.Login) (login.Person, error) {
			return login.Person{UserID: "user", HasPhone: true, Identity: login.Identity{AppID: request.AppID, OpenID: "openid"}}, nil
		})
		if err != nil {
			t.Fatalf("identify a login: %v", err)
		}
		return l
	}
	approved, err := g.logins.Approve(t.Context(), identified())
	if err != nil {
		t.Fatalf("approve a login: %v", err)
	}
	denied, err := g.logins.Deny(t.Context(), identified())
	if err != nil {
		t.Fatalf("deny a login: %v", err)
	}
	return []*login.Login{identified(), approved, denied}
}
