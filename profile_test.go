package scangate_test

import (
	"net/http"
	"net/url"
	"testing"
)

// profileOfWang sends the phone back from the trip for the user info with a code that WeChat
// gave to wang, and demands that the gate refuses it and registers no one.
func (w *world) profileOfWang(phone *browser, page answer) {
	w.t.Helper()
	for _, accept := range []string{"text/html", "application/json"} {
		callback, err := w.wechat.Approve(page.find(w.t, wechatURLPattern), "wang")
		if err != nil {
			w.t.Fatalf("consenting to the user info as wang: %v", err)
		}
		if a := phone.get(callback, "Accept", accept); a.StatusCode != http.StatusBadGateway {
			w.t.Errorf("another person's code, %s: status = %d, want 502\n%s", accept, a.StatusCode, a.body)
		}
	}
	if a := phone.get(page.Request.URL.Path); a.StatusCode != http.StatusOK {
		w.t.Errorf("the profile page after that: status = %d, want 200\n%s", a.StatusCode, a.body)
	}
	w.checkOwner("lin", "")
	w.checkOwner("wang", "")
}

// TestProfileOfAnotherPerson has lin identified, and another person consent to the user
// info.
func TestProfileOfAnotherPerson(t *testing.T) {
	t.Run("cross-device", func(t *testing.T) {
		w := newWorld(t, withProfile)
		desktop, phone := w.desktop(), w.phone("lin")
		login := desktop.start()
		page := phone.scan(login)
		w.profileOfWang(phone, page)
		if a := w.tapThroughProfile(phone, page); a.Request.URL.Path != login.confirmURL() {
			t.Fatalf("lin's own consent: at %s, want %s", a.Request.URL.Path, login.confirmURL())
		}
		phone.answer(login, "approve")
		desktop.finish(login)
		if desktop.user() == "" {
			t.Error("finish: the desktop is not logged in")
		}
		w.checkOwner("lin", desktop.user())
		w.checkOwner("wang", "")
	})
	t.Run("same-device", func(t *testing.T) {
		w := newWorld(t, withProfile)
		phone := w.phone("lin")
		page := phone.open("/account")
		w.profileOfWang(phone, page)
		a := phone.submit(page.Request.URL.Path, url.Values{"token": {page.find(t, tokenPattern)}})
		if id := phone.user(); id == "" || a.body != "user "+id {
			t.Errorf("after declining the profile: status = %d, user %q, want lin's\n%s", a.StatusCode, id, a.body)
		}
		w.checkOwner("lin", phone.user())
		w.checkOwner("wang", "")
	})
}

// TestDecliningProfileNeedsToken posts the profile form without the token that its
// page holds.
func TestDecliningProfileNeedsToken(t *testing.T) {
	w := newWorld(t, withProfile)
	desktop, phone := w.desktop(), w.phone("lin")
	login := desktop.start()
	page := phone.scan(login)
	other := w.phone("lin").scan(w.desktop().start())
	for name, form := range map[string]url.Values{
		"no token":              {},
		"an empty token":        {"token": {""}},
		"another login's token": {"token": {other.find(t, tokenPattern)}},
		"a token given twice":   {"token": {page.find(t, tokenPattern), page.find(t, tokenPattern)}},
	} {
		want := http.StatusForbidden
		if len(form["token"]) > 1 {
			want = http.StatusBadRequest
		}
		if a := phone.post(page.Request.URL.Path, form); a.StatusCode != want {
			t.Errorf("declining the profile with %s: status = %d, want %d", name, a.StatusCode, want)
		}
		if a := phone.get(page.Request.URL.Path); a.StatusCode != http.StatusOK {
			t.Errorf("the profile page after %s: status = %d to %q, want 200", name, a.StatusCode, a.location())
		}
	}
	a := phone.post(page.Request.URL.Path, url.Values{"token": {page.find(t, tokenPattern)}})
	if a.StatusCode != http.StatusSeeOther || a.location() != login.confirmURL() {
		t.Errorf("declining the profile with its own token: status = %d to %q, want 303 to %q", a.StatusCode, a.location(), login.confirmURL())
	}
}
