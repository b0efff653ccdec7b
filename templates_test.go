package scangate_test

import (
	"errors"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// withTemplates returns an option of newWorld that parses text as the pages.
func withTemplates(t *testing.T, text string, funcs template.FuncMap) func(*scangate.Config) {
	t.Helper()
	set, err := template.New("").Funcs(funcs).Parse(text)
	if err != nil {
		t.Fatalf("parsing %q: %v", text, err)
	}
	return func(c *scangate.Config) { c.Pages.Templates = set }
}

// required is everything that New demands of each page.
const required = `{{define "required"}}<script src="{{.Asset "script.js"}}"></script>
{{if .StateURL}}<div data-state-url="{{.StateURL}}" data-renew-url="{{.RenewURL}}" data-scan-url="{{.ScanURL}}" data-state="{{.State}}" data-login-url="{{.LoginURL}}" data-renew-in="{{.RenewIn}}">
<img src="{{.QRURL}}"><a href="{{.ScanURL}}"></a><form method="post" action="{{.RenewURL}}"></form></div>{{end}}
{{with .FinishURL}}<form method="post" action="{{.}}"><button name="answer" value="deny"></button></form>{{end}}
{{range .Terms}}<a href="{{.URL}}"></a>{{end}}{{with .WeChatURL}}<a href="{{.}}"></a>{{end}}{{with .NextURL}}<a href="{{.}}"></a>{{end}}
{{with .Token}}<form method="post"><input name="token" value="{{.}}"><input name="agree" value="{{$.Agreement}}"><input name="number">
<button name="answer" value="approve"></button><button name="answer" value="deny"></button></form>{{end}}
{{with .CodeURL}}<form method="post" action="{{.}}"><input name="token" value="{{$.Token}}"><input name="phone"></form>{{end}}
{{with .PhoneURL}}<form method="post" action="{{.}}"><input name="token" value="{{$.Token}}"><input name="code"></form>{{end}}
{{if or .StateURL (not .MatchNumber)}}<b data-number>{{.Number}}</b>{{end}}{{end}}`

func TestTemplates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text      string
		page            func(*world) answer
		want, forbidden string // parts of the page
	}{
		{
			"one page replaces the built-in one", `{{define "login.html"}}<p>Scan {{.QRURL}} for {{.App}}, {{.Number}} {{.Lang}}</p>{{template "required" .}}{{end}}`,
			func(w *world) answer { return w.desktop().get("/wechat/login") }, "/qr.svg for Example, ", "<html",
		},
		{
			"the other pages stay", `{{define "login.html"}}mine{{template "required" .}}{{end}}`,
			func(w *world) answer { return w.desktop().get("/wechat/scan/x") }, "No such login", "mine",
		},
		{
			"the parts that all pages share can be used", `{{define "message.html"}}{{template "page-head" .}}<h1>{{.T ".heading"}}, {{.NextURL}}</h1>{{template "required" .}}{{template "page-foot" .}}{{end}}`,
			func(w *world) answer { return w.desktop().get("/wechat/login?with=a&with=b") }, "<h1>Bad request, /wechat/login</h1>", "class=\"icon",
		},
		{
			"the shared parts can be replaced", `{{define "page-head"}}{{if .StateURL}}{{template "required" .}}{{end}}<title>{{upper .App}}</title>{{end}}`,
			func(w *world) answer { return w.desktop().get("/wechat/scan/x") }, "<title>EXAMPLE</title><i class=\"icon", "<head>",
		},
		{
			"a person's name stays text", `{{define "finish.html"}}<script type="application/json">{{.Nickname}}</script>{{.Nickname}}{{template "required" .}}{{end}}`,
			func(w *world) answer {
				desktop, phone := w.desktop(), w.phone("yueyue")
				login := desktop.start()
				w.tapThroughProfile(phone, phone.scan(login))
				phone.answer(login, "approve")
				return desktop.get("/wechat/login?return_to=/account")
			}, `<script type="application/json">"月月`, "<html",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, withProfile, withTemplates(t, required+c.text, template.FuncMap{"upper": strings.ToUpper}))
			a := c.page(w)
			if !strings.Contains(a.body, c.want) || strings.Contains(a.body, c.forbidden) {
				t.Errorf("GET %s: want %q and not %q in\n%s", a.Request.URL, c.want, c.forbidden, a.body)
			}
			if csp := a.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
				t.Errorf("GET %s: Content-Security-Policy = %q, want default-src 'none' and nothing unsafe", a.Request.URL, csp)
			}
		})
	}
}

// withFields returns an option of newWorld that replaces each page. In place of its content
// a page has the names of the fields that it receives.
func withFields(t *testing.T) func(*scangate.Config) {
	t.Helper()
	filled := func(p scangate.PageData) string {
		var names []string
		for v, i := reflect.ValueOf(p), 0; i < v.NumField(); i++ {
			if f := v.Type().Field(i); f.IsExported() && !v.Field(i).IsZero() {
				names = append(names, f.Name)
			}
		}
		return strings.Join(names, " ")
	}
	text := required
	for _, page := range []string{"login", "finish", "profile", "terms", "confirm", "phone", "done", "message"} {
		text += fmt.Sprintf(`{{define "%s.html"}}%[1]s has {{filled .}}.{{template "required" .}}{{end}}`, page)
	}
	return withTemplates(t, text, template.FuncMap{"filled": filled})
}

// checkFields compares the fields that a page of withFields has received with those that
// PageData's comments promise.
func (a answer) checkFields(t *testing.T, want string) answer {
	t.Helper()
	if got, _, _ := strings.Cut(a.body, "."); got != want {
		t.Errorf("GET %s: the page's data\ngot  %s\nwant %s", a.Request.URL, got, want)
	}
	return a
}

// TestTemplateData opens each page.
func TestTemplateData(t *testing.T) {
	t.Parallel()
	codes, check := &texts{}, func(a answer, want string) answer { t.Helper(); return a.checkFields(t, want) }
	w := newWorld(t, codes.withPhone, withProfile, withNumber, withTerms, withFields(t))
	both := newWorld(t, withWebsite, withFields(t))
	desktop, phone := w.desktop(), w.phone("yueyue")
	check(both.desktop().get("/wechat/login?return_to=/account"), "login has Name State ScanURL QRURL StateURL LoginURL RenewIn RenewURL Number")
	check(desktop.get("/wechat/login?return_to=/account"), "login has Name State ScanURL QRURL StateURL LoginURL RenewIn RenewURL Number MatchNumber")
	login := desktop.start()
	terms := check(phone.scan(login), "terms has Name Token Agreement")
	agree := url.Values{"token": {terms.find(t, tokenPattern)}, "agree": {versions}}
	profile := check(phone.submit(terms.Request.URL.Path, agree), "profile has Name Token WeChatURL")
	page := check(w.tapThroughProfile(phone, profile), "phone has Name Token CodeURL PhoneURL")
	phone.sendCode(page, mobile)
	check(phone.get("/wechat/phone/"+login.ID), "phone has Name Token CodeURL PhoneURL Phone ResendIn")
	check(phone.typeCode(page, wrong(codes.to(mobile))), "phone has Name Token CodeURL PhoneURL Phone ResendIn Wrong")
	check(phone.typeCode(page, codes.to(mobile)), "confirm has Name Token Number MatchNumber Nickname Browser System Address")
	phone.answer(login, "approve", "number", fmt.Sprint(login.MatchNumber))
	check(phone.get(login.confirmURL()), "done has Name")
	check(desktop.get("/wechat/login?return_to=/account"), "finish has Name FinishURL Nickname AvatarURL NewAccount Phone")
	check(desktop.get("/wechat/scan/x"), "message has Name")
	check(desktop.get("/wechat/login?with=a&with=b"), "message has Name NextURL")
}

// TestTemplateDataOfOtherCases opens pages that have fields which are zero in
// TestTemplateData.
func TestTemplateDataOfOtherCases(t *testing.T) {
	t.Parallel()
	codes, check := &texts{}, func(a answer, want string) answer { t.Helper(); return a.checkFields(t, want) }
	abroad := newWorld(t, codes.withPhone, func(c *scangate.Config) { c.Phone.Countries = []string{"852"} }, withFields(t))
	newcomer := abroad.phone("wang")
	form := check(newcomer.scan(abroad.desktop().start()), "phone has Name Token CodeURL PhoneURL International")
	check(newcomer.sendCode(form, "12345"), "phone has Name Token CodeURL PhoneURL Typed International Wrong")

	w := newWorld(t, withTerms, withLocate(func(netip.Addr) string { return "Beijing" }), withFields(t))
	check(w.browser("Mozilla/5.0 (Android 14; Mobile) Firefox/141.0").get("/wechat/login"), "login has Name State OnPhone ScanURL QRURL StateURL LoginURL RenewIn RenewURL Number")
	desktop, phone := w.desktop(), w.phone("wang")
	login := desktop.start()
	check(phone.scan(login), "confirm has Name Token Number Browser System Address Place Agreement")
	check(phone.answer(login, "approve"), "confirm has Name Token Number Browser System Address Place Agreement Wrong")
	phone.answer(login, "approve", "agree", versions)
	check(desktop.accountPage(), "finish has Name FinishURL NewAccount")
	desktop.finish(login)
	link, other := desktop.beginLink(), w.phone("lin")
	check(other.scan(link), "confirm has Name Purpose Token Number Browser System Address Place")
	other.answer(link, "approve")
	check(desktop.get("/wechat/link?return_to=/account"), "finish has Name Purpose FinishURL")
	desktop.loseSession()
	login = desktop.start()
	phone.scan(login)
	phone.answer(login, "approve", "agree", versions)
	check(desktop.accountPage(), "finish has Name FinishURL AutoFinish")
}

// TestBrokenTemplate has a template fail after New has tried it.
func TestBrokenTemplate(t *testing.T) {
	sample := true
	fails := template.FuncMap{"login": func() (string, error) {
		if sample {
			return "", nil
		}
		return "", errors.New("out of paper")
	}}
	w := newWorld(t, withTemplates(t, required+`{{define "login.html"}}<p>half a page {{login}}</p>{{template "required" .}}{{end}}{{define "message.html"}}{{login}}{{template "required" .}}{{end}}`, fails))
	sample = false
	for _, target := range []string{"/wechat/login?return_to=/account", "/wechat/scan/x"} {
		a := w.desktop().get(target)
		if a.StatusCode != http.StatusInternalServerError || !strings.Contains(a.body, "Something went wrong") || !strings.Contains(a.body, `href="/wechat/login"`) {
			t.Errorf("GET %s: status = %d, want 500 and the built-in page\n%s", target, a.StatusCode, a.body)
		}
		if strings.Contains(a.body, "half a page") || strings.Contains(a.body, "out of paper") {
			t.Errorf("GET %s: the page shows a part of the template or its error, want neither\n%s", target, a.body)
		}
	}
	for _, want := range []string{"rendering a page", "out of paper", "page=login", "page=message"} {
		if !strings.Contains(w.log.String(), want) {
			t.Errorf("the log does not hold %q:\n%s", want, w.log)
		}
	}
}

func TestNewRefusesPages(t *testing.T) {
	t.Parallel()
	used := template.Must(template.New("login.html").Parse("mine"))
	if err := used.Execute(&strings.Builder{}, nil); err != nil {
		t.Fatalf("Execute: %v, want no error", err)
	}
	parse := func(text string) *template.Template { return template.Must(template.New("login.html").Parse(text)) }
	for _, c := range []struct {
		name   string
		change func(*scangate.Config)
		want   string
	}{
		{"an unknown language", func(c *scangate.Config) { c.Pages.Languages = []string{"zh", "fr"} }, `Pages.Languages: "fr"`},
		{"a language twice", func(c *scangate.Config) { c.Pages.Languages = []string{"en", "en"} }, `Pages.Languages: "en"`},
		{"an accent by name", func(c *scangate.Config) { c.Pages.AccentColor = "green" }, `Pages.AccentColor: "green"`},
		{"a short accent", func(c *scangate.Config) { c.Pages.AccentColor = "#07c" }, "Pages.AccentColor"},
		{"an accent with a brace", func(c *scangate.Config) { c.Pages.AccentColor = "#07c160}" }, "Pages.AccentColor"},
		{"a logo elsewhere", func(c *scangate.Config) { c.Pages.Logo = "https://cdn.example.com/logo.png" }, "Pages.Logo"},
		{"a logo elsewhere without a scheme", func(c *scangate.Config) { c.Pages.Logo = "//cdn.example.com/logo.png" }, "Pages.Logo"},
		{"a logo that is a script", func(c *scangate.Config) { c.Pages.Logo = "javascript:alert(1)" }, "Pages.Logo"},
		{"a logo that is HTML", func(c *scangate.Config) { c.Pages.Logo = "data:text/html,<script>" }, "Pages.Logo"},
		{"a logo that ends its attribute", func(c *scangate.Config) { c.Pages.Logo = `data:image/png,"onerror=alert(1)` }, "Pages.Logo"},
		{"the page itself as logo", func(c *scangate.Config) { c.Pages.Logo = "/" }, "Pages.Logo"},
		{"a template with an unknown field", func(c *scangate.Config) { c.Pages.Templates = parse("{{.Nmuber}}") }, "Pages.Templates: template: login.html:1"},
		{"a template that calls an unknown one", func(c *scangate.Config) { c.Pages.Templates = parse(`{{template "header"}}`) }, "Pages.Templates"},
		{"a template that cannot be escaped", func(c *scangate.Config) { c.Pages.Templates = parse(`<a href="{{if .App}}">{{end}}`) }, "Pages.Templates"},
		{"templates without a page", func(c *scangate.Config) { c.Pages.Templates = template.Must(template.New("index.html").Parse("mine")) }, "Pages.Templates"},
		{"a page without content", func(c *scangate.Config) { c.Pages.Templates = template.New("login.html") }, "Pages.Templates"},
		{"templates that have been executed", func(c *scangate.Config) { c.Pages.Templates = used }, "Pages.Templates"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := scangate.Config{PublicURL: appURL, OfficialAccount: official}
			c.change(&config)
			if _, err := scangate.New(config); err == nil || !strings.HasPrefix(err.Error(), "scangate: Config."+c.want) {
				t.Errorf("New: error = %v, want one about Config.%s", err, c.want)
			}
		})
	}
}

func TestConfiguredLooks(t *testing.T) {
	t.Parallel()
	const dot = "data:image/svg+xml,%3Csvg%20xmlns='http://www.w3.org/2000/svg'/%3E"
	for _, c := range []struct {
		name   string
		change func(*scangate.Config)
		want   string
	}{
		{"the name's first character", func(c *scangate.Config) { c.AppName = "北京图书馆" }, `<i aria-hidden="true">北</i><span>北京图书馆</span>`},
		{"a logo", func(c *scangate.Config) { c.Pages.Logo = "/static/logo.svg" }, `<img src="/static/logo.svg" alt=""><span>Example</span>`},
		{"a logo that is data", func(c *scangate.Config) { c.Pages.Logo = dot }, `<link rel="icon" href="data:image/svg&#43;xml,%3Csvg%20xmlns=%27http://www.w3.org/2000/svg%27/%3E">`},
		{"markup in the name", func(c *scangate.Config) { c.AppName = "<b>&" }, `<span>&lt;b&gt;&amp;</span>`},
		{"English for another language", func(c *scangate.Config) {}, `lang="en"`},
		{"Chinese first", func(c *scangate.Config) { c.Pages.Languages = []string{"zh", "en"} }, `lang="zh-CN"`},
		{"English first", func(c *scangate.Config) { c.Pages.Languages = []string{"en", "zh"} }, `lang="en"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.change)
			if a := w.desktop().get("/wechat/login", "Accept-Language", "fr"); !strings.Contains(a.body, c.want) {
				t.Errorf("GET login: want %q in\n%s", c.want, a.body)
			}
		})
	}
	t.Run("an accent colour", func(t *testing.T) {
		w := newWorld(t, func(c *scangate.Config) { c.Pages.AccentColor = "#FFC53D" })
		desktop := w.desktop()
		page := desktop.get("/wechat/login")
		style := desktop.get(page.find(t, regexp.MustCompile(`href="([^"]*\.css)"`)))
		if !strings.Contains(style.body, "{:root{--accent:#ffc53d}}") || strings.Contains(style.body, ":root{--accent:#ffc53d}@") {
			t.Errorf("the style: want the accent itself on black, and a darker one on white:\n%.300s", style.body[len(style.body)-300:])
		}
		if got := style.Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
			t.Errorf("the style: Cache-Control = %q, want a year and immutable", got)
		}
	})
}

// This page replaces the built-in page of the same name. It shows the gate's texts and
// keeps the gate's style.
func ExampleConfig_templates() {
	pages := template.Must(template.New("message.html").Parse(`<!doctype html>
<html lang="{{.Lang}}">
<title>{{.T ".heading"}}</title>
<link rel="stylesheet" href="{{.Asset "style.css"}}">
<main>
<h1>{{.T ".heading"}}</h1>
<p>{{.T ".text"}} Or call us: 010-12345678.</p>
<a class="button primary" href="{{.NextURL}}">{{.T ".again"}}</a>
</main>
</html>`))
	_, err := scangate.New(scangate.Config{
		PublicURL:       "https://app.example.com",
		OfficialAccount: account,
		AppName:         "Example",
		Pages:           scangate.Pages{Logo: "/static/logo.svg", AccentColor: "#1677ff", Languages: []string{"en", "zh"}, Templates: pages},
		// the other eight pages stay the gate's own
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("New has tried the template, and found nothing wrong.")
	// Output: New has tried the template, and found nothing wrong.
}
