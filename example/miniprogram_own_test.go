package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// keptSession is the session that the mini program keeps on the phone.
type keptSession struct {
	Session   string    `json:"session"`
	Cookie    string    `json:"cookie"`
	ExpiresAt time.Time `json:"expires_at"`
}

// kept returns the session on the phone. ok is false if there is none.
func (p *miniPhone) kept() (k keptSession, ok bool) {
	p.t.Helper()
	text, ok := p.screen.Storage["session"]
	if ok {
		if err := json.Unmarshal([]byte(text), &k); err != nil {
			p.t.Fatal(err)
		}
	}
	return k, ok
}

// TestMiniProgramLogsIn logs the mini program itself in, and shows the account from an API
// behind the gate.
func TestMiniProgramLogsIn(t *testing.T) {
	s := newSite(t, withMiniProgram)
	phone := newMiniPhone(t, s, "wang")
	phone.open(sceneRecents, miniIndex, nil)
	phone.wantRequests("before the tap", 0)
	phone.tap("Log in with WeChat")
	phone.want("Hello, WeChat user")
	phone.wantButtons("Log out")
	kept, ok := phone.kept()
	if !ok || kept.Cookie == "" || kept.Session == "" || time.Until(kept.ExpiresAt) < time.Hour {
		t.Errorf("the phone keeps %+v, want a session of more than an hour", kept)
	}
	if r := phone.requests[1]; r.Header["Cookie"] != kept.Cookie+"="+kept.Session || !strings.HasSuffix(r.URL, "/api/account") {
		t.Errorf("the second request is %+v, want /api/account with the session's cookie", r)
	}
	// The session outlives the mini program.
	phone.do(command{"do": "close"})
	phone.open(sceneRecents, miniIndex, nil)
	phone.want("Hello, WeChat user")
	phone.wantRequests("after the mini program was opened again", 3)

	phone.tap("Log out")
	phone.wantButtons("Log in with WeChat")
	if _, ok := phone.kept(); ok {
		t.Error("after the logout the phone keeps the session, want none")
	}
	// The session is over at the server too.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/account", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: kept.Cookie, Value: kept.Session})
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _ = body(t, resp); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the session after the logout: status = %d, want 401", resp.StatusCode)
	}
}

// TestMiniProgramLogsInAgain has the server forget the session. The API answers 401, and the
// mini program logs in again, once.
func TestMiniProgramLogsInAgain(t *testing.T) {
	s := newSite(t, withMiniProgram)
	phone := newMiniPhone(t, s, "wang")
	future := time.Now().Add(time.Hour).Format(time.RFC3339)
	keep := func(session, cookie, expires string) {
		t.Helper()
		text, err := json.Marshal(map[string]string{"session": session, "cookie": cookie, "expires_at": expires})
		if err != nil {
			t.Fatal(err)
		}
		phone.do(command{"do": "set", "storage": map[string]string{"session": string(text)}})
	}
	keep("forgotten", "session", future)
	phone.open(sceneRecents, miniIndex, nil)
	phone.want("Hello, WeChat user")
	phone.wantRequests("with a forgotten session", 3) // 401, login, account
	keep("expired", "session", "2020-01-01T00:00:00Z")
	phone.open(sceneRecents, miniIndex, nil)
	phone.wantButtons("Log in with WeChat")
	phone.wantRequests("with an expired session", 3)

	o := (&outage{site: s, path: "/mini/login", fail: cutOff}).begin()
	phone.tap("Log in with WeChat")
	phone.want("No connection")
	o.end(t)
	phone.tap("Log in with WeChat")
	phone.want("Hello, WeChat user")
}

// TestMiniProgramLogsInWithPhone logs the mini program in where a phone number and an
// agreement are required.
func TestMiniProgramLogsInWithPhone(t *testing.T) {
	s := newSite(t, both(withMiniProgram, withPhone, withLinks))
	phone := newMiniPhone(t, s, "wang")
	phone.open(sceneRecents, miniIndex, nil)
	phone.tap("Log in with WeChat")
	phone.want("Before you continue")
	phone.tap("Cancel")
	phone.wantButtons("Log in with WeChat")
	phone.tap("Log in with WeChat")
	phone.tap("I have read and agree to these documents")
	phone.tap("Agree and continue")
	phone.want("Your phone number")
	phone.shareNumber("13580006666")
	phone.want("Hello, WeChat user")
	phone.wantButtons("Log out")
	// A scan comes to the same page, and asks for consent.
	desktop := newDesktop(t, s)
	phone.scan(desktop.login.ScanURL)
	phone.want("Log in to Example?")
	phone.tap("I have read and agree to these documents")
	phone.tap("Log in")
	phone.want("Done")
	desktop.finish()
}

// TestMiniProgramInDeveloperTools runs the mini program in a browser, as the developer tools
// do: its requests are those of another site.
func TestMiniProgramInDeveloperTools(t *testing.T) {
	s := newSite(t, withMiniProgram)
	desktop, phone := newDesktop(t, s), newMiniPhone(t, s, "lin", "DEVTOOLS=1")
	phone.scan(desktop.login.ScanURL)
	phone.tap("Log in")
	desktop.finish()
	phone.open(1001, miniIndex, nil)
	phone.tap("Log in with WeChat")
	phone.want("Hello, WeChat user")
	phone.tap("Log out")
	phone.wantButtons("Log in with WeChat")
}

// TestMiniProgramLanguages opens the pages in the languages of WeChat. An old WeChat has no
// wx.getAppBaseInfo.
func TestMiniProgramLanguages(t *testing.T) {
	s := newSite(t, both(withMiniProgram, withLinks))
	for language, want := range map[string][2]string{
		"zh_CN": {"登录 Example？", "《用户协议》"}, "zh_TW": {"登录 Example？", ""}, "en": {"Log in to Example?", "Terms of Use"}, "ja": {"Log in to Example?", ""},
	} {
		for _, age := range []string{"", "OLD_WECHAT=1"} {
			phone := newMiniPhone(t, s, "wang", "LANGUAGE="+language, age)
			phone.scan(newDesktop(t, s).login.ScanURL)
			phone.want(want[0], want[1])
		}
	}
}
