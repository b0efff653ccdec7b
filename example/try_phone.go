package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/scangate/scangate/wechattest"
)

// maxTryPhones bounds how many phones /try keeps. The oldest goes first.
const maxTryPhones = 100

// maxTryBody bounds the size of a page and of a form, in bytes.
const maxTryBody = 1 << 20

// tryPhones are the phones of /try.
type tryPhones struct {
	mu    sync.Mutex
	byID  map[string]*tryPhone
	order []string
}

// tryPhone is a person's phone. It keeps its cookies in this program, because the frame that
// shows it shares the desktop's.
type tryPhone struct {
	id, way string
	browser *wechattest.Phone
	login   string // the login whose code the mini program has scanned

	mu    sync.Mutex
	token string // of the mini program's next request
}

// add keeps a phone and gives it an ID.
func (ps *tryPhones) add(p *tryPhone) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.byID == nil {
		ps.byID = make(map[string]*tryPhone)
	}
	p.id = rand.Text()
	ps.byID[p.id] = p
	if ps.order = append(ps.order, p.id); len(ps.order) > maxTryPhones {
		delete(ps.byID, ps.order[0])
		ps.order = ps.order[1:]
	}
}

// find returns the phone of an ID, or nil.
func (ps *tryPhones) find(id string) *tryPhone {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.byID[id]
}

// phoneRoutes registers the phone's routes.
func (t *try) phoneRoutes() {
	// Another site must not scan for the person.
	t.routes.Handle("POST /try/phones", http.NewCrossOriginProtection().Handler(http.HandlerFunc(t.scan)))
	t.routes.HandleFunc("/try/phone/{id}/{host}/{path...}", t.onPhone(t.browse))
	t.routes.HandleFunc("GET /try/phone/{id}/mini", t.onPhone(t.openMini))
	t.routes.HandleFunc("POST /try/phone/{id}/mini", t.onPhone(t.answerMini))
}

// onPhone calls a handler with the phone in the path.
func (t *try) onPhone(handler func(http.ResponseWriter, *http.Request, *tryPhone)) http.HandlerFunc {
	// Another site must not answer for the person.
	guard := http.NewCrossOriginProtection()
	return func(w http.ResponseWriter, r *http.Request) {
		p := t.phones.find(r.PathValue("id"))
		if p == nil || guard.Check(r) != nil {
			http.NotFound(w, r)
			return
		}
		handler(w, r, p)
	}
}

// scan gives a person a phone, which opens the text of the code on the desktop.
func (t *try) scan(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxTryBody)
	person, way, code := r.PostFormValue("person"), r.PostFormValue("way"), r.PostFormValue("code")
	p := &tryPhone{way: way, browser: t.sim.Phone(person, nil, t.o.endpoint.Open)}
	t.phones.add(p)
	to, ok := t.onScreen(p, code)
	if !ok {
		http.Error(w, "not a code of this page", http.StatusBadRequest)
		return
	}
	switch way {
	case "mini":
		p.login = path.Base(code)
		to = "/try/phone/" + p.id + "/mini"
	case "follow", "message", "website":
		// A code of WeChat's opens on the phone of this person. The gate's own code does too,
		// because the phone has the cookie.
		separator := "?"
		if strings.Contains(to, "?") {
			separator = "&"
		}
		to += separator + wechattest.PersonParam + "=" + url.QueryEscape(person)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// The hosts in the paths of a phone's pages.
const (
	hostApp    = "app"    // this application
	hostWeChat = "wechat" // the simulated WeChat
)

// onScreen returns the path at which the phone's frame shows a page. It reports whether the
// page is the application's or WeChat's: the phone opens no other.
func (t *try) onScreen(p *tryPhone, address string) (string, bool) {
	address, _, _ = strings.Cut(address, "#") // the frame's program needs no fragment
	for host, base := range map[string]string{hostApp: t.o.publicURL, hostWeChat: t.o.endpoint.Open} {
		if rest, ok := strings.CutPrefix(address, base+"/"); ok {
			return "/try/phone/" + p.id + "/" + host + "/" + rest, true
		}
	}
	return "", false
}

// browse opens a page on the phone, or sends a form, and shows the answer.
func (t *try) browse(w http.ResponseWriter, r *http.Request, p *tryPhone) {
	base, prefix := t.o.publicURL, "/try/phone/"+p.id+"/"+r.PathValue("host")
	switch r.PathValue("host") {
	case hostApp:
	case hostWeChat:
		base = t.o.endpoint.Open
	default:
		http.NotFound(w, r)
		return
	}
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), prefix)
	// A phone on the phone's screen would make the program call itself, and again.
	if !ok || strings.HasPrefix(path.Join("/", r.PathValue("path")), "/try/phone") {
		http.NotFound(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxTryBody)
	req, err := phoneRequest(r, base, rest)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	client := *p.browser.Client
	// The frame follows redirects, so that its address is that of the page.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req) //nolint:gosec // to the application or the simulator, see browse
	if err != nil {
		http.Error(w, "The page does not answer.", http.StatusBadGateway)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	if next, err := resp.Location(); err == nil {
		t.follow(w, r, p, next.String())
		return
	}
	t.show(w, p, prefix, resp)
}

// phoneRequest returns the request of the phone for a page or a form in its frame.
func phoneRequest(r *http.Request, base, path string) (*http.Request, error) {
	address := base + path
	if r.URL.RawQuery != "" {
		address += "?" + r.URL.RawQuery
	}
	req, err := http.NewRequestWithContext(r.Context(), r.Method, address, r.Body) //nolint:gosec // base is one of two addresses, see browse
	if err != nil {
		return nil, err
	}
	// No other header: the cookies and the origin of the frame are the desktop's.
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Accept-Language", r.Header.Get("Accept-Language"))
	if r.Method == http.MethodPost {
		req.Header.Set("Content-Type", r.Header.Get("Content-Type"))
		req.Header.Set("Origin", base)
	}
	return req, nil
}

// follow answers with a redirect of a page's. The callback of WeChat's own QR page belongs to
// the desktop: the script of /try opens it there.
func (t *try) follow(w http.ResponseWriter, r *http.Request, p *tryPhone, next string) {
	if p.way == "website" && strings.HasPrefix(next, t.o.publicURL+"/") {
		t.render(w, r, "try-allowed", struct {
			words
			Callback string
		}{wordsFor(r), next})
		return
	}
	to, ok := t.onScreen(p, next)
	if !ok {
		http.Error(w, "The page leads to another site.", http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // onScreen returns a path below /try/phone/
}

// scripts match the scripts of a page. The frame runs none: a script would see the desktop.
var scripts = regexp.MustCompile(`<script[^>]*></script>`)

// show sends a page of the phone's to its frame. Its links lead to other pages of the phone.
func (t *try) show(w http.ResponseWriter, p *tryPhone, prefix string, resp *http.Response) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxTryBody))
	if err != nil {
		http.Error(w, "The page does not answer.", http.StatusBadGateway)
		return
	}
	h := w.Header()
	h.Set("Content-Type", resp.Header.Get("Content-Type"))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	// The gate's pages refuse to be framed, which protects a real person's phone.
	policy := strings.ReplaceAll(resp.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'", "frame-ancestors 'self'")
	h.Set("Content-Security-Policy", policy)
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		own, pairs := "/try/phone/"+p.id, []string{` target="_blank"`, "", ` autofocus`, ""} // a frame has no focus of its own
		// Addresses in other attributes are data of the page's.
		for _, link := range []string{`href="`, `src="`, `action="`} {
			pairs = append(pairs,
				link+t.o.publicURL+"/", link+own+"/"+hostApp+"/",
				link+t.o.endpoint.Open+"/", link+own+"/"+hostWeChat+"/",
				link+"/", link+prefix+"/")
		}
		body = []byte(strings.NewReplacer(pairs...).Replace(scripts.ReplaceAllString(string(body), "")))
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(body)
}

// tryMini is the data of the mini program's page, and the gate's answer.
type tryMini struct {
	words
	Token  string
	Step   string
	State  string
	Number int
	Code   string // of a problem

	App, Browser, System, Place string
}

// openMini opens the mini program, which sends a fresh code to the gate.
func (t *try) openMini(w http.ResponseWriter, r *http.Request, p *tryPhone) {
	code, err := p.browser.LoginCode(t.mini.AppID)
	if err != nil {
		http.Error(w, "The mini program does not open.", http.StatusBadGateway)
		return
	}
	t.askMini(w, r, p, "", map[string]string{"code": code})
}

// answerMini sends the person's decision to the gate.
func (t *try) answerMini(w http.ResponseWriter, r *http.Request, p *tryPhone) {
	r.Body = http.MaxBytesReader(w, r.Body, maxTryBody)
	p.mu.Lock()
	token := p.token
	p.mu.Unlock()
	t.askMini(w, r, p, "/answer", map[string]string{"token": token, "answer": r.PostFormValue("answer"), "number": r.PostFormValue("number")})
}

// askMini posts to a route of the gate's for mini programs, and shows the next step. A real
// mini program is in the folder miniprogram.
func (t *try) askMini(w http.ResponseWriter, r *http.Request, p *tryPhone, route string, fields map[string]string) {
	body, err := json.Marshal(fields)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, t.o.publicURL+t.bases["mini"]+"/mini/"+url.PathEscape(p.login)+route, bytes.NewReader(body))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.browser.Client.Do(req)
	if err != nil {
		http.Error(w, "The gate does not answer.", http.StatusBadGateway)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	view := tryMini{words: wordsFor(r)}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxTryBody)).Decode(&view); err != nil {
		http.Error(w, "The gate does not answer.", http.StatusBadGateway)
		return
	}
	if view.Token != "" {
		p.mu.Lock()
		p.token = view.Token
		p.mu.Unlock()
	}
	t.render(w, r, "try-mini", view)
}
