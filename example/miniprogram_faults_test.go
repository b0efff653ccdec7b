package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scangate/scangate/wechattest"
)

// outage makes the site fail some requests, until end is called.
type outage struct {
	site *site
	path string // the end of the path of the requests, or "" for all of the mini program
	fail func(http.ResponseWriter, *http.Request)
	met  atomic.Int32
}

// begin begins the outage.
func (o *outage) begin() *outage {
	intercept := func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/mini/") || !strings.HasSuffix(r.URL.Path, o.path) {
			return false
		}
		o.met.Add(1)
		o.fail(w, r)
		return true
	}
	o.site.intercept.Store(&intercept)
	return o
}

// end ends the outage. It fails the test if no request has met it.
func (o *outage) end(t *testing.T) {
	t.Helper()
	o.site.intercept.Store(nil)
	if o.met.Load() == 0 {
		t.Error("no request has met the outage, want one")
	}
}

// cutOff closes the connection without an answer.
func cutOff(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// badGateway answers as a proxy does whose server is down.
func badGateway(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "<html>bad gateway</html>", http.StatusBadGateway)
}

// problem answers as the gate does.
func problem(status int, code string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "code": code})
	}
}

// TestMiniProgramOutages cuts the connection, or the server is down, at each request of a
// login. A tap on one button goes on where the person was.
func TestMiniProgramOutages(t *testing.T) {
	for name, tt := range map[string]struct {
		fail func(http.ResponseWriter, *http.Request)
		says string
	}{
		"no network":        {cutOff, "No connection"},
		"a proxy's 502":     {badGateway, "Something went wrong"},
		"the gate's 503":    {problem(503, "unavailable"), "Something went wrong"},
		"WeChat's silence":  {problem(502, "wechat"), "No answer from WeChat"},
		"too many requests": {problem(429, "too_many"), "Too many requests"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, both(withMiniProgram, withPhone, withNumber))
			desktop, phone := newDesktop(t, s), newMiniPhone(t, s, "wang")
			away := func(path string) *outage { return (&outage{site: s, path: path, fail: tt.fail}).begin() }

			o := away("/" + desktop.id())
			phone.scan(desktop.login.ScanURL)
			phone.want(tt.says)
			phone.tap("Try again")
			phone.want(tt.says)
			o.end(t)
			phone.tap("Try again")
			phone.want("Your phone number")

			o = away("/phone")
			phone.shareNumber("13580006666")
			phone.want("Your phone number", tt.says)
			first := phone.requests[len(phone.requests)-1].Body
			o.end(t)
			phone.tap("Try again") // with the same code, because each costs money
			if again := phone.requests[len(phone.requests)-1].Body; again != first {
				t.Errorf("the repeated request has the body %s, want %s", again, first)
			}
			phone.want("Log in to Example?")

			phone.typeInto("Type the two digits on the other screen", desktop.number())
			o = away("/answer")
			phone.tap("Log in")
			phone.want("Log in to Example?", tt.says)
			if got := phone.screen.Inputs[0].Value; got != desktop.number() {
				t.Errorf("after the failure the typed number is %q, want %s", got, desktop.number())
			}
			o.end(t)
			phone.tap("Try again")
			phone.want("Done")
			desktop.finish()
		})
	}
}

// TestMiniProgramAnswerWasLost loses the answer to the person's yes. The gate takes the
// repeated one.
func TestMiniProgramAnswerWasLost(t *testing.T) {
	s := newSite(t, withMiniProgram)
	desktop, phone := newDesktop(t, s), newMiniPhone(t, s, "lin")
	phone.scan(desktop.login.ScanURL)
	lose := func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/answer") {
			return false
		}
		s.intercept.Store(nil)
		s.app.ServeHTTP(discard{w}, r)
		panic(http.ErrAbortHandler)
	}
	s.intercept.Store(&lose)
	phone.tap("Log in")
	phone.want("No connection")
	desktop.wantState("approved")
	phone.tap("Try again")
	phone.want("Done")
	desktop.finish()
}

// discard is a writer that sends nothing.
type discard struct{ http.ResponseWriter }

func (discard) Header() http.Header           { return http.Header{} }
func (discard) Write(b []byte) (int, error)   { return len(b), nil }
func (discard) WriteHeader(int)               {}
func (d discard) Unwrap() http.ResponseWriter { return d.ResponseWriter }

// TestMiniProgramOver opens codes of logins that are over, unknown or another person's. The
// page explains each, and offers to scan the new code.
func TestMiniProgramOver(t *testing.T) {
	s := newSite(t, withMiniProgram)
	desktop, phone := newDesktop(t, s), newMiniPhone(t, s, "lin")
	other := newMiniPhone(t, s, "wang")
	other.scan(desktop.login.ScanURL)
	wantOver := func(says string) {
		t.Helper()
		phone.want(says)
		phone.wantButtons("Scan the new code")
	}
	phone.scan(desktop.login.ScanURL)
	wantOver("Scanned already")
	other.tap("Log in") // the first WeChat has lost nothing
	desktop.finish()
	phone.scan(desktop.login.ScanURL)
	wantOver("Already finished")

	phone.scan(s.url + "/wechat/scan/" + strings.Repeat("A", 26))
	wantOver("No such login")

	desktop.start()
	old := desktop.login.ScanURL
	desktop.renew()
	phone.scan(old)
	wantOver("A newer code was made")

	phone.scan(desktop.login.ScanURL)
	// The shortest LoginTTL is a minute, so the test answers as the gate does after it.
	o := (&outage{site: s, fail: problem(409, "expired")}).begin()
	phone.tap("Log in")
	wantOver("Time is up")
	phone.scan(desktop.login.ScanURL)
	wantOver("Time is up")
	o.end(t)
	phone.scan(desktop.login.ScanURL)
	o = (&outage{site: s, fail: problem(404, "unknown")}).begin() // a store that lost its data
	phone.tap("Log in")
	wantOver("No such login")
	o.end(t)
}

// TestMiniProgramRefusals meets the refusals of a person. None of them is a dead end without
// an explanation.
func TestMiniProgramRefusals(t *testing.T) {
	s := newSite(t, withMiniProgram)
	desktop, phone := newDesktop(t, s), newMiniPhone(t, s, "lin")
	for code, says := range map[string]string{
		"disabled": "This account has been disabled.", "rejected": "This account can’t log in now.", "other_user": "Another WeChat",
	} {
		o := (&outage{site: s, fail: problem(403, code)}).begin()
		phone.scan(desktop.login.ScanURL)
		phone.want(says)
		phone.wantButtons()
		o.end(t)
	}
	s.wechat.Fail(wechattest.OpSession, 1, wechattest.Fault{Errcode: 40226}) // a person of high risk
	phone.scan(desktop.login.ScanURL)
	phone.wantButtons("Try again")
	phone.do(command{"do": "set", "login": "fails"})
	phone.tap("Try again")
	phone.want("No answer from WeChat")
	phone.do(command{"do": "set", "login": "works"})
	phone.tap("Try again")
	phone.tap("Log in")
	desktop.finish()
}
