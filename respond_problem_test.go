package scangate_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// byFetch are the headers of fetch without an Accept of its own.
var byFetch = []string{"Accept", "*/*", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin"}

func TestCaseD03FinishByFetch(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	if a := desktop.post(s.FinishURL, nil, byFetch...); a.StatusCode != http.StatusConflict || a.detail() == "" || !strings.Contains(a.body, `"not_approved"`) {
		t.Errorf("finish by fetch before the approval: %d %s, want 409 and a problem", a.StatusCode, a.body)
	}
	phone.scan(s)
	phone.answer(s, "approve")
	if a := desktop.post(s.FinishURL, nil, byFetch...); a.StatusCode != http.StatusOK || a.body != `{"return_to":"/account"}` {
		t.Errorf("finish by fetch: %d %s, want 200 and the return_to", a.StatusCode, a.body)
	}
	if a := desktop.post("/wechat/logout", nil, byFetch...); a.StatusCode != http.StatusNoContent {
		t.Errorf("logout by fetch: status = %d, want 204", a.StatusCode)
	}
}

func TestCaseD05BadRequestsHaveADetail(t *testing.T) {
	w := newWorld(t)
	desktop := w.desktop()
	s := desktop.start()
	for name, c := range map[string]struct {
		a    answer
		want string
	}{
		"no JSON":         {desktop.post("/wechat/login", url.Values{}, "Accept", "application/json"), "Content-Type"},
		"no object":       {desktop.postJSON("/wechat/login", "[]", nil), "object of strings"},
		"number":          {desktop.postJSON("/wechat/login", `{"return_to":1}`, nil), "object of strings"},
		"doubled member":  {desktop.postJSON("/wechat/login", `{"with":"a","with":"a"}`, nil), "each name once"},
		"doubled query":   {desktop.get(s.StateURL+"?seen=a&seen=b", "Accept", "application/json"), "repeated"},
		"broken query":    {desktop.get(s.StateURL+"?%zz", "Accept", "application/json"), "parsed"},
		"large body":      {desktop.postJSON("/wechat/login", strings.Repeat(" ", 17<<10), nil), "16 KiB"},
		"return_to":       {desktop.postJSON("/wechat/login", `{"return_to":"https://evil.example/"}`, nil), appURL},
		"unknown login":   {desktop.get("/wechat/login/"+strings.Repeat("A", 26)+"/state", "Accept", "application/json"), "no such login"},
		"no session":      {desktop.get("/wechat/me"), "session"},
		"no session, 401": {desktop.get("/account", "Accept", "application/json"), "session"},
	} {
		if got := c.a.detail(); !strings.Contains(got, c.want) || c.a.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s, want a problem whose detail has %q", name, c.a.StatusCode, c.a.body, c.want)
		}
	}
}

func TestCaseD05ForgedNamesTheOrigin(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	a := desktop.post("/wechat/login", nil, "Accept", "application/json", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	if a.StatusCode != http.StatusForbidden || !strings.Contains(a.detail(), appURL) || strings.Contains(a.body, "evil") {
		t.Errorf("POST login from another site: %d %s, want 403 with a detail that names %s only", a.StatusCode, a.body, appURL)
	}
	for _, want := range []string{"https://evil.example", "cross-site", appURL} {
		if !strings.Contains(w.log.String(), want) {
			t.Errorf("the log of a forged request lacks %q:\n%s", want, w.log)
		}
	}
	desktop.post("/wechat/login", nil, "Accept", "application/json", "Origin", "https://"+strings.Repeat("x", 4000)+"\u202e.example", "Sec-Fetch-Site", "cross-site")
	if got := w.log.String(); strings.Contains(got, strings.Repeat("x", 200)) {
		t.Errorf("the log has all of a long Origin")
	}

	s := desktop.start()
	phone.scan(s)
	a = phone.post(s.confirmURL(), url.Values{"answer": {"approve"}}, "Accept", "application/json")
	if a.StatusCode != http.StatusForbidden || !strings.Contains(a.detail(), "token") {
		t.Errorf("POST confirm without a token: %d %s, want 403 with a detail about the token", a.StatusCode, a.body)
	}
}
