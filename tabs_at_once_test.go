package scangate_test

import (
	"net/http"
	"strings"
	"testing"
)

// atOnce begins n logins as tabs do that a browser without cookies opens at the same time.
// The cookies of the last answer win.
func (b *browser) atOnce(w *world, n int) []scan {
	w.t.Helper()
	var tabs []scan
	for range n {
		fresh := w.desktop() // sends no cookie
		var s scan
		a := fresh.postJSON("/wechat/login", `{"return_to":"/account"}`, &s)
		if a.StatusCode != http.StatusCreated {
			w.t.Fatalf("POST login: status = %d, want 201", a.StatusCode)
		}
		b.client.Jar.SetCookies(mustURL(w.t, appURL), a.Cookies())
		tabs = append(tabs, s)
	}
	return tabs
}

// TestCaseA05ApprovedTabIsResumed: the login page of a tab whose login was approved shows the
// account, also if the cookie of another tab has replaced that tab's. A login that waits is
// not resumed by its own cookie: another browser may have planted it.
func TestCaseA05ApprovedTabIsResumed(t *testing.T) {
	for i := range 3 {
		w := newWorld(t)
		desktop, phone := w.desktop(), w.phone("lin")
		tabs := desktop.atOnce(w, 3)
		phone.scan(tabs[i])
		phone.answer(tabs[i], "approve")
		if a := desktop.get("/wechat/login?return_to=/account"); !strings.Contains(a.body, tabs[i].ID+"/finish") {
			t.Errorf("tab %d of 3: the login page does not show the account after the approval, want it", i+1)
		}
		if a := desktop.finish(tabs[i]); a.StatusCode != http.StatusSeeOther || desktop.user() == "" {
			t.Errorf("tab %d of 3: finish: status = %d, user = %q, want 303 and a user", i+1, a.StatusCode, desktop.user())
		}
	}
	w := newWorld(t)
	desktop := w.desktop()
	tabs := desktop.atOnce(w, 2)
	a := desktop.get("/wechat/login?return_to=/account")
	if strings.Contains(a.body, tabs[0].ID) || !strings.Contains(a.body, tabs[1].ID) {
		t.Errorf("while all wait, the login page shows another code than the browser's last, want that")
	}
}

// The code of one of the tabs is renewed before it is approved.
func TestCaseA05ApprovedTabWithANewCodeIsResumed(t *testing.T) {
	for i := range 3 {
		w := newWorld(t)
		desktop, phone := w.desktop(), w.phone("lin")
		tabs := desktop.atOnce(w, 3)
		var renewed scan
		if a := desktop.postJSON("/wechat/login/"+tabs[i].ID+"/renew", "{}", &renewed); a.StatusCode != http.StatusCreated {
			t.Fatalf("tab %d of 3: renew: status = %d, want 201", i+1, a.StatusCode)
		}
		phone.scan(renewed)
		phone.answer(renewed, "approve")
		if a := desktop.get("/wechat/login?return_to=/account"); !strings.Contains(a.body, renewed.ID+"/finish") {
			t.Errorf("tab %d of 3: the login page does not show the account after the approval of the new code, want it", i+1)
		}
	}
}
