package scangate_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/scangate/scangate"
)

// heldFinish returns a desktop whose first finish waits until release is called, because the
// session store writes its session. The request carries no session.
func heldFinish(t *testing.T) (w *world, store *gatedSessions, desktop *browser, login scan, release func() answer) {
	t.Helper()
	manager, plain := plainSessions()
	store = &gatedSessions{mapSessions: plain}
	manager.Store = store
	w = newWorld(t, func(c *scangate.Config) { c.Session.Manager = manager })
	desktop = w.desktop()
	login = desktop.start()
	phone := w.phone("lin")
	phone.scan(login)
	phone.answer(login, "approve")
	entered, open := store.hold()
	var first answer
	wait := background(func() { first = desktop.finish(login) })
	<-entered
	return w, store, desktop, login, func() answer {
		open()
		wait()
		return first
	}
}

// TestFinishAtASlowStoreDuringALogout: the browser sends the first finish twice. The second
// request ends before the first one, and the browser logs out.
func TestFinishAtASlowStoreDuringALogout(t *testing.T) {
	w, store, desktop, login, release := heldFinish(t)
	if a := desktop.finish(login); a.StatusCode != http.StatusSeeOther || desktop.user() == "" {
		t.Fatalf("the second finish: status = %d, user = %q, want 303 and a user", a.StatusCode, desktop.user())
	}
	cookies := cookieHeader(desktop, "session")
	desktop.post("/wechat/logout", nil)
	if a := release(); a.StatusCode != http.StatusConflict && a.StatusCode != http.StatusGone {
		t.Errorf("the first finish, after the logout: status = %d, want that of a login that is over", a.StatusCode)
	}
	w.noUser(desktop, cookies, store.mapSessions)
}

// TestFinishThatIsRefusedTakesTheSessionBack: the browser declines the account while the
// session of its finish is written.
func TestFinishThatIsRefusedTakesTheSessionBack(t *testing.T) {
	w, store, desktop, login, release := heldFinish(t)
	if a := desktop.post(login.FinishURL, url.Values{"answer": {"deny"}}); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("decline: status = %d, want 303", a.StatusCode)
	}
	if a := release(); a.StatusCode != http.StatusGone || len(a.Header["Set-Cookie"]) > 0 {
		t.Errorf("finish of a declined login: status = %d, cookies = %q, want 410 and none", a.StatusCode, a.Header["Set-Cookie"])
	}
	w.noUser(desktop, "", store.mapSessions)
}

// TestFinishTwiceAtOnceBeginsOneSession: both answers have the same session, so they may
// arrive in any order.
func TestFinishTwiceAtOnceBeginsOneSession(t *testing.T) {
	w, store, desktop, login, release := heldFinish(t)
	second := desktop.finish(login)
	user := desktop.user()
	if first := release(); first.StatusCode != http.StatusSeeOther || second.StatusCode != http.StatusSeeOther {
		t.Errorf("two finishes: status = %d and %d, want 303 of both", first.StatusCode, second.StatusCode)
	}
	if after := desktop.user(); user == "" || after != user || len(store.m) != 1 {
		t.Errorf("user = %q, then %q, with %d sessions, want the same user and one session", user, after, len(store.m))
	}
	finished := 0
	for _, name := range w.happened() {
		if name == string(scangate.EventFinished) {
			finished++
		}
	}
	if finished != 1 {
		t.Errorf("events of the end of the login = %d, want 1", finished)
	}
}
