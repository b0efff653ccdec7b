package scangate_test

import (
	"errors"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

func withTemplates(t *testing.T, text string, funcs template.FuncMap) func(*scangate.Config) {
	t.Helper()
	set, err := template.New("").Funcs(funcs).Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *scangate.Config) { c.Pages.Templates = set }
}

func TestTemplates(t *testing.T) {
	for _, c := range []struct {
		name, text   string
		page         func(*world) answer
		own, foreign string // what the page says, and does not
	}{
		{
			"one page replaces the built-in one", `{{define "login.html"}}<p>Scan {{.QRURL}} for {{.App}}, {{.Number}} {{.Lang}}</p>{{end}}`,
			func(w *world) answer { return w.desktop().get("/wechat/login") }, "/qr.svg for Example, ", "<html",
		},
		{
			"the others stay", `{{define "login.html"}}mine{{end}}`,
			func(w *world) answer { return w.desktop().get("/wechat/scan/x") }, "No such login", "mine",
		},
		{
			"what all pages share can be used", `{{define "message.html"}}{{template "page-head" .}}<h1>{{.T ".heading"}}, {{.NextURL}}</h1>{{template "page-foot"}}{{end}}`,
			func(w *world) answer { return w.desktop().get("/wechat/scan/x") }, "<h1>No such login, /wechat/login</h1>", "class=\"icon",
		},
		{
			"and be replaced", `{{define "page-head"}}<title>{{upper .App}}</title>{{end}}`,
			func(w *world) answer { return w.desktop().get("/wechat/scan/x") }, "<title>EXAMPLE</title><i class=\"icon", "<head>",
		},
		{
			"a person's name stays text", `{{define "finish.html"}}<script>let name = {{.Nickname}}</script>{{.Nickname}}{{end}}`,
			func(w *world) answer {
				d, p := w.desktop(), w.phone("yueyue")
				s := d.start()
				w.tapThroughProfile(p, p.scan(s))
				p.answer(s, "approve")
				return d.get("/wechat/login?return_to=/account")
			}, `let name = "月月`, "<html",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, withProfile, withTemplates(t, c.text, template.FuncMap{"upper": strings.ToUpper}))
			a := c.page(w)
			if !strings.Contains(a.body, c.own) || strings.Contains(a.body, c.foreign) {
				t.Errorf("want %q and not %q in\n%s", c.own, c.foreign, a.body)
			}
			if csp := a.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
				t.Errorf("the policy is %q", csp)
			}
		})
	}
}

// TestTemplateData replaces every page, meets each of them, and compares what it
// is given with what PageData's comments promise.
func TestTemplateData(t *testing.T) {
	filled := func(p scangate.PageData) string {
		var names []string
		for v, i := reflect.ValueOf(p), 0; i < v.NumField(); i++ {
			if f := v.Type().Field(i); f.IsExported() && !v.Field(i).IsZero() {
				names = append(names, f.Name)
			}
		}
		return strings.Join(names, " ")
	}
	text := ""
	for _, page := range []string{"login", "finish", "profile", "confirm", "phone", "done", "message"} {
		text += fmt.Sprintf(`{{define "%s.html"}}%[1]s has {{filled .}}.<a href="{{.WeChatURL}}"></a><input name="token" value="{{.Token}}">{{end}}`, page)
	}
	s := &texts{}
	w := newWorld(t, s.withPhone, withProfile, withWebsite, withNumber, withTemplates(t, text, template.FuncMap{"filled": filled}))
	see := func(a answer, want string) answer {
		t.Helper()
		if got, _, _ := strings.Cut(a.body, "."); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		return a
	}
	desktop, phone := w.desktop(), w.phone("yueyue")
	see(desktop.get("/wechat/login?return_to=/account"), "login has Name State ScanURL QRURL StateURL LoginURL RenewIn WebsiteURL Number MatchNumber")
	login := desktop.start()
	profile := see(phone.scan(login), "profile has Name Token WeChatURL")
	page := see(w.tapThroughProfile(phone, profile), "phone has Name Token CodeURL PhoneURL")
	phone.sendCode(page, mobile)
	see(phone.get("/wechat/phone/"+login.ID), "phone has Name Token CodeURL PhoneURL Phone ResendIn")
	see(phone.typeCode(page, wrong(s.to(mobile))), "phone has Name Token CodeURL PhoneURL Phone ResendIn Wrong")
	see(phone.typeCode(page, s.to(mobile)), "confirm has Name Token Number MatchNumber Nickname Browser System Address")
	phone.answer(login, "approve", "number", fmt.Sprint(login.MatchNumber))
	see(phone.get(login.confirmURL()), "done has Name")
	see(desktop.get("/wechat/login?return_to=/account"), "finish has Name FinishURL Nickname")
	see(desktop.get("/wechat/scan/x"), "message has Name NextURL")
}

// TestBrokenTemplate has a template fail for what New did not try it with.
func TestBrokenTemplate(t *testing.T) {
	fails := template.FuncMap{"fail": func(address string) (string, error) {
		if address == "192.0.2.1" {
			return "", errors.New("no map of that place")
		}
		return address, nil
	}}
	sample := true
	fails["login"] = func() (string, error) {
		if sample {
			return "", nil
		}
		return "", errors.New("out of paper")
	}
	w := newWorld(t, withTemplates(t, `{{define "login.html"}}<p>half a page {{login}}</p>{{end}}{{define "message.html"}}{{login}}{{end}}`, fails))
	sample = false
	for _, target := range []string{"/wechat/login?return_to=/account", "/wechat/scan/x"} {
		a := w.desktop().get(target)
		if a.StatusCode != http.StatusInternalServerError || !strings.Contains(a.body, "Something went wrong") || !strings.Contains(a.body, `href="/wechat/login"`) {
			t.Errorf("%s: %d\n%s", target, a.StatusCode, a.body)
		}
		if strings.Contains(a.body, "half a page") || strings.Contains(a.body, "out of paper") {
			t.Errorf("%s: the page shows what went wrong\n%s", target, a.body)
		}
	}
	for _, want := range []string{"rendering a page", "out of paper", "page=login", "page=message"} {
		if !strings.Contains(w.log.String(), want) {
			t.Errorf("the log has no %q", want)
		}
	}
}

func TestNewRefusesLooks(t *testing.T) {
	used := template.Must(template.New("login.html").Parse("mine"))
	if err := used.Execute(&strings.Builder{}, nil); err != nil {
		t.Fatal(err)
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
		{"an accent with more to it", func(c *scangate.Config) { c.Pages.AccentColor = "#07c160}" }, "Pages.AccentColor"},
		{"a logo elsewhere", func(c *scangate.Config) { c.Pages.Logo = "https://cdn.example.com/logo.png" }, "Pages.Logo"},
		{"a logo elsewhere without a scheme", func(c *scangate.Config) { c.Pages.Logo = "//cdn.example.com/logo.png" }, "Pages.Logo"},
		{"a logo of script", func(c *scangate.Config) { c.Pages.Logo = "javascript:alert(1)" }, "Pages.Logo"},
		{"a logo of HTML", func(c *scangate.Config) { c.Pages.Logo = "data:text/html,<script>" }, "Pages.Logo"},
		{"a logo that ends its attribute", func(c *scangate.Config) { c.Pages.Logo = `data:image/png,"onerror=alert(1)` }, "Pages.Logo"},
		{"the page itself as logo", func(c *scangate.Config) { c.Pages.Logo = "/" }, "Pages.Logo"},
		{"a template without a field", func(c *scangate.Config) { c.Pages.Templates = parse("{{.Nmuber}}") }, "Pages.Templates: template: login.html:1"},
		{"a template without another", func(c *scangate.Config) { c.Pages.Templates = parse(`{{template "header"}}`) }, "Pages.Templates"},
		{"a template that can't be escaped", func(c *scangate.Config) { c.Pages.Templates = parse(`<a href="{{if .App}}">{{end}}`) }, "Pages.Templates"},
		{"no page", func(c *scangate.Config) { c.Pages.Templates = template.Must(template.New("index.html").Parse("mine")) }, "Pages.Templates"},
		{"a page without a text", func(c *scangate.Config) { c.Pages.Templates = template.New("login.html") }, "Pages.Templates"},
		{"templates that were used", func(c *scangate.Config) { c.Pages.Templates = used }, "Pages.Templates"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := scangate.Config{PublicURL: appURL, OfficialAccount: official}
			c.change(&config)
			if _, err := scangate.New(config); err == nil || !strings.HasPrefix(err.Error(), "scangate: Config."+c.want) {
				t.Errorf("got %v, want an error about %s", err, c.want)
			}
		})
	}
}

func TestLooks(t *testing.T) {
	const dot = "data:image/svg+xml,%3Csvg%20xmlns='http://www.w3.org/2000/svg'/%3E"
	for _, c := range []struct {
		name   string
		change func(*scangate.Config)
		want   string
	}{
		{"the name's first character", func(c *scangate.Config) { c.AppName = "北京图书馆" }, `<i aria-hidden="true">北</i><span>北京图书馆</span>`},
		{"a logo", func(c *scangate.Config) { c.Pages.Logo = "/static/logo.svg" }, `<img src="/static/logo.svg" alt=""><span>Example</span>`},
		{"a logo in itself", func(c *scangate.Config) { c.Pages.Logo = dot }, `<link rel="icon" href="data:image/svg&#43;xml,%3Csvg%20xmlns=%27http://www.w3.org/2000/svg%27/%3E">`},
		{"markup in the name", func(c *scangate.Config) { c.AppName = "<b>&" }, `<span>&lt;b&gt;&amp;</span>`},
		{"English for another language", func(c *scangate.Config) {}, `lang="en"`},
		{"Chinese first", func(c *scangate.Config) { c.Pages.Languages = []string{"zh", "en"} }, `lang="zh-CN"`},
		{"English first", func(c *scangate.Config) { c.Pages.Languages = []string{"en", "zh"} }, `lang="en"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.change)
			if a := w.desktop().get("/wechat/login", "Accept-Language", "fr"); !strings.Contains(a.body, c.want) {
				t.Errorf("want %q in\n%s", c.want, a.body)
			}
		})
	}
	t.Run("an accent colour", func(t *testing.T) {
		w := newWorld(t, func(c *scangate.Config) { c.Pages.AccentColor = "#FFC53D" })
		d := w.desktop()
		page := d.get("/wechat/login")
		style := d.get(page.find(t, regexp.MustCompile(`href="([^"]*\.css)"`)))
		if !strings.Contains(style.body, "{:root{--accent:#ffc53d}}") || strings.Contains(style.body, ":root{--accent:#ffc53d}@") {
			t.Errorf("the accent is not dark enough for white, or not what was asked for on black:\n%.300s", style.body[len(style.body)-300:])
		}
		if got := style.Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
			t.Errorf("the style may be kept: %q", got)
		}
	})
}

// The page of one's own shows what the gate says of the login, keeps the gate's
// style and script, and is told apart from the built-in ones by its name.
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
		OfficialAccount: wechat.Account{AppID: "wx0123456789abcdef", Secret: "..."},
		AppName:         "Example",
		Pages:           scangate.Pages{Logo: "/static/logo.svg", AccentColor: "#1677ff", Languages: []string{"en", "zh"}, Templates: pages},
		// the other six pages stay the gate's own
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("New has tried the template, and found nothing wrong.")
	// Output: New has tried the template, and found nothing wrong.
}
