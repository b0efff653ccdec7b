package scangate_test

// Row 35 for each row of the route table.

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// manyRequests is an option of newWorld: no limit of an address is reached.
func manyRequests(c *scangate.Config) { c.Limits.Address = 1_000_000 }

// TestThreat35EveryRoute: the attacker has any answer of any route cached, framed or sniffed,
// or reads a secret in it. The test calls each row of the route table while logins go their
// ways by a page, a chat and a mini program, with unknown IDs, and from another origin.
func TestThreat35EveryRoute(t *testing.T) {
	answers := map[string][]answer{}
	routes := walkPages(t, answers)
	walkChat(t, answers)
	walkMini(t, answers)
	// An asset is served to any request that names it.
	faultless := []string{"GET /assets/login.js", "GET /assets/login.json"}
	// WeChat signs the request that succeeds; TestWeChatChecksThePushURL sends it.
	refused := []string{"GET /push"}
	for _, route := range routes {
		var failed, succeeded bool
		for _, a := range answers[route] {
			a.checkHeaders(t, route)
			failed = failed || a.StatusCode >= http.StatusBadRequest
			succeeded = succeeded || a.StatusCode < http.StatusBadRequest
		}
		if !failed && !slices.Contains(faultless, route) {
			t.Errorf("%s: the test caused no error, want one", route)
		}
		if !succeeded && !slices.Contains(refused, route) {
			t.Errorf("%s: the test caused errors only, want a success", route)
		}
	}
}

// checkSecrets checks that no answer has a secret of the world, or one of the further ones, in
// its body or in a header other than Set-Cookie.
func (c *routeCalls) checkSecrets(t *testing.T, answers map[string][]answer, more map[string]string) {
	t.Helper()
	secrets := map[string]string{
		"official account's secret": official.Secret, "mini program's secret": mini.Secret, "website's secret": website.Secret,
		"push token": pushToken, "push key": pushKey, "number": strings.TrimPrefix(mobile, "+86"),
	}
	for name, secret := range more {
		secrets[name] = secret
	}
	for device, b := range map[string]*browser{"desktop": c.desktop, "phone": c.phone, "member": c.member} {
		for _, cookie := range b.appCookies() {
			if len(cookie.Value) >= 20 { // the others are settings
				secrets[device+"'s cookie "+cookie.Name] = cookie.Value
			}
		}
	}
	for route, list := range answers {
		for _, a := range list {
			header := a.Header.Clone()
			header.Del("Set-Cookie")
			for name, secret := range secrets {
				if strings.Contains(a.body+fmt.Sprint(header), secret) {
					t.Errorf("%s (%d): the answer contains the %s, want it left out:\n%v\n%s", route, a.StatusCode, name, header, a.body)
				}
			}
		}
	}
}

// errors calls each row with an unknown login and malformed fields, and from another origin.
func (c *routeCalls) errors(answers map[string][]answer) {
	c.w.t.Helper()
	broken := &routeCalls{
		w: c.w, id: unknownLoginID, asset: "nothing.css", callback: "/wechat/callback?code=c&state=x", query: "lang=en&lang=zh", json: `{`, code: " ",
		desktop: c.w.desktop(), phone: c.w.phone("chen"), member: c.w.desktop(), mini: c.w.mini("chen"),
	}
	broken.walk(answers)
	broken.header = []string{"Origin", "https://evil.example"}
	broken.walk(answers)
}

// endings are the rows that end a login or a session.
var endings = []string{"POST /login/{id}/renew", "POST /logout"}

// walkPages takes a login by a page through all steps, and returns the route table. Each walk
// gets as far as the steps allow.
func walkPages(t *testing.T, all map[string][]answer) []string {
	t.Helper()
	sms, answers := &texts{}, map[string][]answer{}
	w := newWorld(t, sms.withPhone, withProfile, withTerms, manyRequests)
	user := w.knowPhone(mobile2, w.identity("wang"))
	if err := w.users.LinkWeChat(t.Context(), user.ID, clerk("wang")); err != nil { // the last identity cannot be removed
		t.Fatalf("LinkWeChat: %v", err)
	}
	calls, login := newRouteCalls(w, "wang")
	calls.errors(answers)
	calls.callback = calls.phone.callback(login)
	calls.form.Set("token", calls.phone.open(calls.callback).find(t, tokenPattern))
	callback, err := url.Parse(calls.callback)
	if err != nil {
		t.Fatalf("parse %s: %v", calls.callback, err)
	}
	for range 4 {
		calls.form.Set("code", sms.to(mobile))
		calls.walk(answers, endings...)
	}
	if calls.desktop.user() == "" {
		t.Error("login by the calls of all routes: the desktop is not logged in, want a user")
	}
	calls.checkSecrets(t, answers, map[string]string{"code of WeChat": callback.Query().Get("code")})
	calls.walk(answers)
	return collect(w, all, answers)
}

// walkChat does the same for a login that is confirmed in a chat, as far as the page behind
// the link.
func walkChat(t *testing.T, all map[string][]answer) {
	t.Helper()
	sms, answers := &texts{}, map[string][]answer{}
	w := newChatWorld(t, scangate.ScanFollow, sms.withPhone, manyRequests)
	w.knowPhone(mobile2, w.identity("wang"))
	calls, login := newRouteCalls(w.world, "wang")
	calls.errors(answers)
	w.scanCode("lin", login)
	link := w.chatLink("lin")
	calls.form.Set("ticket", ticketForm(link).Get("ticket"))
	_, calls.query, _ = strings.Cut(link, "?")
	calls.walk(answers, endings...)
	calls.phone.openLink(link)
	calls.walk(answers)
	hello := w.roundTrip(w.request(w.pusher.Document(w.pusher.Text("lin", "hello"))))
	answers["POST /push"] = append(answers["POST /push"], hello)
	calls.checkSecrets(t, answers, nil)
	collect(w.world, all, answers)
}

// walkMini does the same for a login by a mini program.
func walkMini(t *testing.T, all map[string][]answer) {
	t.Helper()
	sms, answers := &texts{}, map[string][]answer{}
	w := newWorld(t, scansMini, sms.withPhone, withTerms, manyRequests)
	w.knowPhone(mobile2, w.identity("wang"))
	calls, _ := newRouteCalls(w, "wang")
	calls.errors(answers)
	for range 3 {
		calls.walk(answers, endings...)
	}
	calls.checkSecrets(t, answers, nil)
	collect(w, all, answers)
}

// collect adds a world's answers to all, and returns the route table.
func collect(w *world, all, answers map[string][]answer) []string {
	for route, list := range answers {
		all[route] = append(all[route], list...)
	}
	return w.gate.Routes()
}
