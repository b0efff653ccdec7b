package scangate_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// withMini is an option of newWorld for a gate with a mini program besides other accounts.
func withMini(c *scangate.Config) { c.MiniProgram = mini }

// scansMini is an option of newWorld for a gate whose codes lead to the mini program.
func scansMini(c *scangate.Config) { c.MiniProgram, c.Scan = mini, scangate.ScanMiniProgram }

// showsMiniCode is an option of newWorld for a gate that shows WeChat's codes.
func showsMiniCode(c *scangate.Config) { c.MiniProgram, c.Scan = mini, scangate.ScanMiniProgramCode }

// miniOnly is an option of newWorld for a gate that has a mini program and no other account.
func miniOnly(c *scangate.Config) { c.OfficialAccount, c.MiniProgram = wechat.Account{}, mini }

// miniProgram is the mini program on a person's phone, with the token of one login.
type miniProgram struct {
	w     *world
	phone *wechattest.Phone
	token string
}

// mini returns the mini program on a person's phone.
func (w *world) mini(person string) *miniProgram {
	w.t.Helper()
	return &miniProgram{w: w, phone: w.wechat.Phone(person, w.hosts, openURL)}
}

// miniAnswer is an answer of a route for mini programs.
type miniAnswer struct {
	answer      `json:"-"`
	ID          string            `json:"id"`
	Token       string            `json:"token"`
	Step        string            `json:"step"`
	App         string            `json:"app"`
	Browser     string            `json:"browser"`
	System      string            `json:"system"`
	Place       string            `json:"place"`
	Number      int               `json:"number"`
	State       string            `json:"state"`
	Agreement   string            `json:"agreement"`
	Terms       []json.RawMessage `json:"terms"`
	RegisterURL string            `json:"register_url"`
	Phone       string            `json:"phone"`
	Session     string            `json:"session"`
	Cookie      string            `json:"cookie"`
	ExpiresAt   string            `json:"expires_at"`
	Code        string            `json:"code"` // of a problem
}

// post sends fields as wx.request does, which keeps no cookies. Pairs of names and values in
// header are further headers.
func (m *miniProgram) post(path string, fields map[string]any, header ...string) miniAnswer {
	m.w.t.Helper()
	body, err := json.Marshal(fields)
	if err != nil {
		m.w.t.Fatalf("encode the fields: %v", err)
	}
	req, err := http.NewRequestWithContext(m.w.t.Context(), http.MethodPost, appURL+path, bytes.NewReader(body))
	if err != nil {
		m.w.t.Fatalf("make a request: %v", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Referer", "https://servicewechat.com/"+mini.AppID+"/devtools/page-frame.html")
	req.Header.Set("Sec-Fetch-Site", "cross-site") // of the developer tools
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := m.w.hosts.RoundTrip(req)
	if err != nil {
		m.w.t.Fatalf("POST %s: %v", path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		m.w.t.Fatalf("POST %s: read the answer: %v", path, err)
	}
	resp.Request = req
	a := miniAnswer{answer: answer{resp, string(text)}}
	if err := json.Unmarshal(text, &a); err != nil {
		m.w.t.Fatalf("POST %s: status = %d, body = %s, want JSON: %v", path, a.StatusCode, text, err)
	}
	m.check(path, a)
	return a
}

// check fails the test if the answer breaks a rule for all answers to mini programs.
func (m *miniProgram) check(path string, a miniAnswer) {
	m.w.t.Helper()
	want := "application/json"
	if a.StatusCode != http.StatusOK {
		want = "application/problem+json"
	}
	if got := a.Header.Get("Content-Type"); got != want {
		m.w.t.Errorf("POST %s: status = %d with the type %q, want %q", path, a.StatusCode, got, want)
	}
	if got := a.Header.Values("Set-Cookie"); len(got) > 0 {
		m.w.t.Errorf("POST %s: Set-Cookie = %q, want none", path, got)
	}
	if strings.Contains(a.body, "session_key") {
		m.w.t.Errorf("POST %s: body = %s, want no session key", path, a.body)
	}
}

// loginCode returns a code of wx.login.
func (m *miniProgram) loginCode() string {
	m.w.t.Helper()
	code, err := m.phone.LoginCode(mini.AppID)
	if err != nil {
		m.w.t.Fatalf("get a code: %v", err)
	}
	return code
}

// numberCode returns a code of a getPhoneNumber button.
func (m *miniProgram) numberCode(number string) string {
	m.w.t.Helper()
	code, err := m.phone.NumberCode(mini.AppID, number)
	if err != nil {
		m.w.t.Fatalf("get a code for a number: %v", err)
	}
	return code
}

// enter opens the login in the mini program, with a fresh code.
func (m *miniProgram) enter(s scan) miniAnswer {
	m.w.t.Helper()
	a := m.post("/wechat/mini/"+s.ID, map[string]any{"code": m.loginCode()})
	m.token = a.Token
	return a
}

// answer posts the person's answer, with pairs of names and values as further fields.
func (m *miniProgram) answer(s scan, answer string, more ...any) miniAnswer {
	m.w.t.Helper()
	fields := map[string]any{"token": m.token, "answer": answer}
	for i := 0; i+1 < len(more); i += 2 {
		fields[more[i].(string)] = more[i+1]
	}
	return m.post("/wechat/mini/"+s.ID+"/answer", fields)
}

// number posts a phone number's field: code, phone or sms.
func (m *miniProgram) number(s scan, field, value string) miniAnswer {
	m.w.t.Helper()
	return m.post("/wechat/mini/"+s.ID+"/phone", map[string]any{"token": m.token, field: value})
}

// wantStep fails t unless the answer has that step.
func wantStep(t testing.TB, doing string, a miniAnswer, want string) {
	t.Helper()
	if a.StatusCode != http.StatusOK || a.Step != want {
		t.Errorf("%s: status = %d, step = %q, want %d and %q\n%s", doing, a.StatusCode, a.Step, http.StatusOK, want, a.body)
	}
}

// wantProblem fails t unless the answer is that problem.
func wantProblem(t testing.TB, doing string, a miniAnswer, status int, code string) {
	t.Helper()
	if a.StatusCode != status || a.Code != code {
		t.Errorf("%s: status = %d, code = %q, want %d and %q\n%s", doing, a.StatusCode, a.Code, status, code, a.body)
	}
}

// openSession returns a browser with the session of the answer.
func (w *world) openSession(a miniAnswer) *browser {
	w.t.Helper()
	b := w.desktop()
	b.client.Jar.SetCookies(&url.URL{Scheme: "https", Host: "app.example.com", Path: "/"}, []*http.Cookie{{Name: a.Cookie, Value: a.Session, Secure: true, Path: "/"}})
	return b
}
