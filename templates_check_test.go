package scangate_test

import (
	"errors"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// ownPages returns the complete example of templates that replace every page.
func ownPages(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/pages.html")
	if err != nil {
		t.Fatalf("reading the templates: %v", err)
	}
	return string(text)
}

// TestOwnTemplatesReplaceEveryPage compares the complete example with the built-in pages.
func TestOwnTemplatesReplaceEveryPage(t *testing.T) {
	pages, err := filepath.Glob("internal/pages/files/*.html")
	if err != nil || len(pages) < 10 {
		t.Fatalf("built-in pages: %v, %v, want nine and the layout", pages, err)
	}
	own := template.Must(template.New("").Parse(ownPages(t)))
	for _, page := range pages {
		if name := filepath.Base(page); name != "layout.html" && own.Lookup(name) == nil {
			t.Errorf("testdata/pages.html does not define %s, want every page", name)
		}
	}
	if err := newWithTemplates(t, ownPages(t)); err != nil {
		t.Errorf("New with testdata/pages.html: %v, want no error", err)
	}
}

// newWithTemplates returns New's error for a Config with those templates.
func newWithTemplates(t *testing.T, text string) error {
	t.Helper()
	config := scangate.Config{PublicURL: appURL, OfficialAccount: official}
	withTerms(&config)
	withTemplates(t, text, nil)(&config)
	_, err := scangate.New(config)
	return err
}

// keyPattern matches the key of a text in the place of the text.
var keyPattern = regexp.MustCompile(`>\.[a-z_.]+<`)

// TestOwnTemplatesForAllPages logs in with the complete example.
func TestOwnTemplatesForAllPages(t *testing.T) {
	t.Parallel()
	codes := &texts{}
	w := newWorld(t, codes.withPhone, withProfile, withNumber, withTerms, withTemplates(t, ownPages(t), nil))
	desktop, phone := w.desktop(), w.phone("yueyue")
	own := func(a answer) answer {
		t.Helper()
		if key := keyPattern.FindString(a.body); key != "" || !strings.Contains(a.body, `href="/static/pages.css"`) {
			t.Errorf("GET %s: want a page of the example's own without the raw key %q, got\n%s", a.Request.URL, key, a.body)
		}
		return a
	}
	own(desktop.get("/wechat/login?return_to=/account"))
	login := desktop.start()
	terms := own(phone.scan(login))
	profile := own(phone.open(appURL + phone.post(terms.Request.URL.Path, map[string][]string{"token": {terms.find(t, tokenPattern)}, "agree": {versions}}).location()))
	own(w.tapThroughProfile(phone, profile))
	own(phone.prove(codes, phone.get("/wechat/phone/"+login.ID), mobile))
	own(phone.get(login.confirmURL()))
	phone.answer(login, "approve", "number", fmt.Sprint(login.MatchNumber))
	own(phone.get(login.confirmURL()))
	own(desktop.get("/wechat/login?return_to=/account"))
	own(desktop.get("/wechat/scan/x"))
	desktop.finish(login)
	w.checkAgreed(desktop.user())

	both := newWorld(t, withWebsite, withTemplates(t, ownPages(t), nil))
	newcomer := both.phone("wang")
	known := own(newcomer.scan(both.desktop().start()))
	own(newcomer.submit(known.Request.URL.Path, map[string][]string{"token": {known.find(t, tokenPattern)}}))
}

// Each row takes one thing away from the complete example. New names the page and the thing.
// tokenField is the field of the token in the complete example.
const tokenField = `<input type="hidden" name="token" value="{{.Token}}">`

// pagesThatCannotWork are changes of the complete example, with which New refuses it: what to
// replace on which page, and New's error.
var pagesThatCannotWork = []struct{ page, remove, with, want string }{
	{"login", ` data-state-url="{{.StateURL}}"`, "", `login.html lacks data-state-url="{{.StateURL}}"`},
	{"login", ` data-state="{{.State}}"`, "", `login.html lacks data-state="{{.State}}"`},
	{"login", ` data-login-url="{{.LoginURL}}"`, "", `login.html lacks data-login-url="{{.LoginURL}}"`},
	{"login", ` data-renew-in="{{.RenewIn}}"`, "", `login.html lacks data-renew-in="{{.RenewIn}}"`},
	{"login", ` data-state="{{.State}}"`, ` data-state="waiting"`, `login.html lacks data-state="{{.State}}"`},
	{"login", ` data-renew-in`, `><i data-renew-in`, "on different elements"},
	{"login", `method="post" action="{{.RenewURL}}"`, "", `login.html lacks a form with method="post" and action="{{.RenewURL}}"`},
	{"login", `method="post" action="{{.RenewURL}}"`, `action="{{.RenewURL}}"`, "login.html lacks a form"},
	{"login", `src="{{.QRURL}}"`, "", `login.html lacks a picture with src="{{.QRURL}}"`},
	{"login", `value="{{.ScanURL}}"`, "", "login.html lacks {{.ScanURL}}"},
	{"login", `{{.Number}}`, "", "login.html lacks {{.Number}}"},
	{"login", `<b data-number>`, "<b>", "login.html lacks an element with the attribute data-number around {{.Number}}"},
	{"login", `{{.T "offline"}}`, `{{.T ".offline.text"}}`, `login.html uses the text ".offline.text", which does not exist for "login"`},
	{"profile", `{{if ne .Name "profile.needed"}}`, "{{if true}}", `profile.html uses the text ".skip", which does not exist for "profile.needed"`},
	{"message", `{{.T ".text"}}`, `{{.T "error.expierd.text"}}`, `message.html uses the text "error.expierd.text", which does not exist for "error.`},
	{"login", `<script src="{{.Asset "script.js"}}" defer></script>`, "", "login.html lacks a script"},
	{"finish", `action="{{.FinishURL}}"`, "", `finish.html lacks a form with method="post" and action="{{.FinishURL}}"`},
	{"finish", `name="answer" value="deny"`, "", `finish.html lacks name="answer" value="deny"`},
	{"profile", tokenField, "", `profile.html lacks the field name="token" value="{{.Token}}"`},
	{"profile", `href="{{.WeChatURL}}"`, "", `profile.html lacks a link with href="{{.WeChatURL}}"`},
	{"terms", tokenField, "", `terms.html lacks the field name="token"`},
	{"terms", `{{template "terms" .}}`, "", `terms.html lacks the box name="agree"`},
	{"terms", `value="{{.}}" required`, "required", `terms.html lacks the box name="agree" value="{{.Agreement}}"`},
	{"terms", `<a href="{{.URL}}" target="_blank"`, "<a", "terms.html lacks links to the documents of {{.Terms}}"},
	{"confirm", "<form method=\"post\">\n" + tokenField, `<form method="post">`, `confirm.html lacks the field name="token"`},
	{"confirm", `name="answer" value="approve"`, "", `confirm.html lacks name="answer" value="approve"`},
	{"confirm", `name="answer" value="deny" formnovalidate`, "", `confirm.html lacks name="answer" value="deny"`},
	{"confirm", `name="number"`, "", `confirm.html lacks the field name="number"`},
	{"confirm", "\n" + `{{template "terms" .}}`, "", `confirm.html lacks the box name="agree"`},
	{"confirm", `<b>{{.Number}}</b>`, "", "confirm.html lacks {{.Number}}"},
	{"confirm", `{{if and .Number (not .MatchNumber)}}`, "{{if .Number}}", "confirm.html shows {{.Number}} although MatchNumber is set"},
	{"phone", `name="phone" type="tel"`, `type="tel"`, `phone.html lacks the field name="phone" in its form for {{.CodeURL}}`},
	{"phone", `name="code"`, "", `phone.html lacks the field name="code" in its form for {{.PhoneURL}}`},
	{"phone", `action="{{.PhoneURL}}"`, "", `phone.html lacks a form with method="post" and action="{{.PhoneURL}}"`},
	{"phone", "action=\"{{.PhoneURL}}\">\n" + tokenField, `action="{{.PhoneURL}}">`, `phone.html lacks the field name="token"`},
	{"done", `<a href="{{.}}">{{$.T "done.back"}}</a>`, "", `done.html lacks a link with href="{{.NextURL}}"`},
	{"message", `<a href="{{.}}">{{$.T ".again"}}</a>`, "", `message.html lacks a link with href="{{.NextURL}}"`},
	{"chat", `name="ticket"`, "", `chat.html lacks the field name="ticket"`},
	{"chat", `<b>{{.Digits}}</b>`, "", "chat.html lacks {{.Digits}}"},
}

func TestCaseD01TemplatesThatCannotWork(t *testing.T) {
	t.Parallel()
	example := ownPages(t)
	if err := newWithTemplates(t, example); err != nil {
		t.Fatalf("New with the complete example: %v, want no error", err)
	}
	for _, c := range pagesThatCannotWork {
		before, page, ok := strings.Cut(example, `{{define "`+c.page+`.html"}}`)
		switch {
		case !ok:
			t.Fatalf("the example has no %s.html", c.page)
		case strings.Contains(page, c.remove):
			page = strings.Replace(page, c.remove, c.with, 1)
		case strings.Contains(before, c.remove):
			before = strings.Replace(before, c.remove, c.with, 1)
		default:
			t.Fatalf("the example has no %q", c.remove)
		}
		err := newWithTemplates(t, before+`{{define "`+c.page+`.html"}}`+page)
		if err == nil || !strings.HasPrefix(err.Error(), "scangate: Config.Pages.Templates: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New with %s.html without %q: error = %v, want one with %q", c.page, c.remove, err, c.want)
		}
	}
}

func TestCaseD01TemplatesThatThePolicyBlocks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ add, want string }{
		{`<script>go()</script>`, "message.html has an inline script"},
		{`<script type="module">go()</script>`, "message.html has an inline script"},
		{`<style>p{}</style>`, "message.html has a <style>"},
		{`<p style="color: red">x</p>`, "message.html has <p style=...>"},
		{`<p onclick="go()">x</p>`, "message.html has <p onclick=...>"},
		{`<body onload=go()>`, "message.html has <body onload=...>"},
		{`<a href="javascript:go()">x</a>`, `has <a href="javascript:...">`},
		{`<a href=" JavaScript:go()">x</a>`, `has <a href="javascript:...">`},
		{`<script src="https://cdn.example.com/a.js"></script>`, `has <script src="https://cdn.example.com/a.js">, which is not on this server`},
		{`<script src="//cdn.example.com/a.js"></script>`, `has <script src="//cdn.example.com/a.js">`},
		{`<script src="data:text/javascript,go()"></script>`, "has <script src="},
		{`<link rel="stylesheet" href="https://cdn.example.com/a.css">`, `has <link href="https://cdn.example.com/a.css">`},
		{`<img src="http://cdn.example.com/a.png" alt="">`, `has <img src="http://cdn.example.com/a.png">`},
		{`<img srcset="/a.png, https://cdn.example.com/a.png 2x" alt="">`, "has <img srcset="},
		{`<img src="\\cdn.example.com/a.png" alt="">`, "has <img src="},
		{`<iframe src="/x"></iframe>`, "has a <iframe>"},
		{`<object data="/x"></object>`, "has a <object>"},
		{`<base href="/x">`, "has a <base>"},
		{`<form method="post" action="https://evil.example/"><button>x</button></form>`, `has <form action="https://evil.example/">`},
		{`<form method="post"><button formaction="//evil.example/">x</button></form>`, "has <button formaction="},
	} {
		err := newWithTemplates(t, `{{define "message.html"}}<a href="{{.NextURL}}">x</a>`+c.add+`{{end}}`)
		if err == nil || !strings.Contains(err.Error(), "Config.Pages.Templates: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New with %s on message.html: error = %v, want one with %q", c.add, err, c.want)
		}
	}
	for _, add := range []string{
		`<a href="https://help.example.com/">x</a>`, `<img src="data:image/png;base64,AAAA" alt="">`, `<img src="/a.png" alt="">`,
		`<script src="/a.js"></script>`, `<script type="application/json">{"a": {{.Name}}}</script>`, `<img src="` + appURL + `/a.png" alt="">`,
		`<p>onclick= style= &lt;script></p>`, `<!-- <script>x</script> -->`, `<form method="post" action="/own"></form>`, `<link rel="icon" href="data:,">`,
	} {
		if err := newWithTemplates(t, `{{define "message.html"}}<a href="{{.NextURL}}">x</a>`+add+`{{end}}`); err != nil {
			t.Errorf("New with %s on message.html: %v, want no error", add, err)
		}
	}
}

// All faults of all pages are in one error, each once.
func TestCaseD01AllFaultsAtOnce(t *testing.T) {
	set := template.Must(template.New("").Parse(`{{define "login.html"}}<p onclick="x">mine</p>{{end}}{{define "confirm.html"}}mine{{end}}`))
	_, err := scangate.New(scangate.Config{PublicURL: appURL, OfficialAccount: official, Pages: scangate.Pages{Templates: set}, UserTTL: -1})
	var all interface{ Unwrap() []error }
	if !errors.As(err, &all) {
		t.Fatalf("New: error = %v, want one with all faults", err)
	}
	seen := map[string]bool{}
	for _, fault := range all.Unwrap() {
		if seen[fault.Error()] || strings.Contains(fault.Error(), "; Config.") {
			t.Errorf("New: the fault %q is repeated, or several", fault)
		}
		seen[fault.Error()] = true
	}
	for _, want := range []string{"Config.UserTTL", "login.html has <p onclick", "login.html lacks data-state-url", "confirm.html lacks a form"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("New: error = %v, want %q in it", err, want)
		}
	}
}
