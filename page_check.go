package scangate

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/scangate/scangate/internal/pages"
)

// checkTemplates reports pages of Config.Pages.Templates that fail, that lack a part without
// which they do not work, that use a text that does not exist, and parts that the browser
// would block. It executes each page with each of its samples, in each language. With digits,
// it also executes them with digitsSamples.
func checkTemplates(faults *configErrors, set *pages.Set, publicURL string, digits bool) {
	seen := make(map[string]bool)
	report := func(err error) {
		if err != nil && !seen[err.Error()] {
			seen[err.Error()] = true
			faults.addError("Pages.Templates", err)
		}
	}
	all := []map[string]PageData{fullSamples, accountSamples, bareSamples}
	if digits {
		all = append(all, digitsSamples)
	}
	for _, samples := range all {
		for _, name := range slices.Sorted(maps.Keys(samples)) {
			for i, lang := range set.Languages() {
				data := samples[name].forTemplate(set, lang, name)
				var unknown []string
				data.unknown = &unknown
				own, err := set.Execute(name, data)
				report(err)
				for _, key := range unknown {
					report(fmt.Errorf("%s.html uses the text %q, which does not exist for %q: docs/pages.md lists the keys", name, key, data.Name))
				}
				if err != nil || i > 0 {
					continue // the parts of a page are the same in all languages
				}
				builtin, err := set.ExecuteBuiltin(name, data)
				report(err)
				page := newTriedPage(data, own)
				for _, fault := range append(page.lacks(name, builtin), page.blocked(publicURL)...) {
					report(fmt.Errorf("%s.html %s", name, fault))
				}
			}
		}
	}
}

// triedPage is a page that was executed with a sample.
type triedPage struct {
	data     PageData
	elements []pages.Element
	text     string
	forms    []form
}

// form is a form of a page, with its fields and buttons.
type form struct {
	pages.Element
	fields []pages.Element
}

// newTriedPage parses a page that was executed with data.
func newTriedPage(data PageData, body []byte) *triedPage {
	p := &triedPage{data: data}
	p.elements, p.text = pages.Parse(string(body))
	for _, e := range p.elements {
		if e.Name == "form" {
			p.forms = append(p.forms, form{Element: e})
		}
	}
	next, open := 0, -1 // the next form, and the one around the element
	for _, e := range p.elements {
		switch e.Name {
		case "form":
			open, next = next, next+1
		case "/form":
			open = -1
		case "input", "button", "select", "textarea":
			at := open
			if id, ok := e.Attr("form"); ok {
				at = slices.IndexFunc(p.forms, func(f form) bool { own, _ := f.Attr("id"); return own == id })
			}
			if at >= 0 {
				p.forms[at].fields = append(p.forms[at].fields, e)
			}
		}
	}
	return p
}

// has reports whether an element has one of the attributes with that value.
func (p *triedPage) has(value string, attrs ...string) bool {
	return slices.ContainsFunc(p.elements, func(e pages.Element) bool {
		return slices.ContainsFunc(attrs, func(name string) bool { got, ok := e.Attr(name); return ok && got == value })
	})
}

// shows reports whether the number is in the page's text.
func (p *triedPage) shows(number int) bool {
	words := strings.FieldsFunc(p.text, func(c rune) bool { return c < '0' || c > '9' })
	return slices.Contains(words, strconv.Itoa(number))
}

// formField is a field or a button that a form must have. An empty value may be any.
type formField struct{ name, value string }

// lacksForm returns the missing parts of a form that posts the fields to the URL. words is
// that URL as a template writes it, such as "{{.CodeURL}}". An empty url means the page's own.
func (p *triedPage) lacksForm(url, words string, fields ...formField) []string {
	missing := fmt.Sprintf("lacks a form with method=\"post\" and action=%q", words)
	if url == "" {
		missing = "lacks a form with method=\"post\" and without an action"
	}
	for _, f := range p.forms {
		action, _ := f.Attr("action")
		if method, _ := f.Attr("method"); action != url || !strings.EqualFold(method, "post") {
			continue
		}
		var absent []string
		for _, want := range fields {
			if !slices.ContainsFunc(f.fields, want.is) {
				absent = append(absent, want.String())
			}
		}
		if len(absent) == 0 {
			return nil
		}
		missing = fmt.Sprintf("lacks %s in its form", strings.Join(absent, ", "))
		if url != "" {
			missing += " for " + words
		}
	}
	return []string{missing}
}

// is reports whether e is the field.
func (f formField) is(e pages.Element) bool {
	name, _ := e.Attr("name")
	value, _ := e.Attr("value")
	return name == f.name && (f.value == "" || value == f.value)
}

// String returns the field as HTML has it.
func (f formField) String() string {
	switch {
	case f.name == "token":
		return `the field name="token" value="{{.Token}}"`
	case f.name == ticketParam:
		return `the field name="ticket" value="{{.Token}}"`
	case f.name == "agree":
		return `the box name="agree" value="{{.Agreement}}"`
	case f.value == "":
		return fmt.Sprintf("the field name=%q", f.name)
	}
	return fmt.Sprintf("name=%q value=%q", f.name, f.value)
}

// lacks returns the parts that the page lacks to work. The built-in page was executed with
// the same data.
func (p *triedPage) lacks(name string, builtin []byte) []string {
	d := p.data
	token := formField{"token", d.Token}
	var faults []string
	switch name {
	case "login":
		faults = p.lacksLogin(builtin)
	case "finish":
		faults = p.lacksForm(d.FinishURL, "{{.FinishURL}}", formField{"answer", "deny"})
	case "profile":
		if d.Name != "profile.needed" { // it has only one way on
			faults = p.lacksForm("", "", token)
		}
		faults = require(faults, p.has(d.WeChatURL, "href"), `a link with href="{{.WeChatURL}}"`)
	case "terms":
		faults = p.lacksForm("", "", token, formField{"agree", d.Agreement})
		faults = p.requireTerms(faults)
	case "confirm":
		faults = p.lacksConfirm(token)
	case "phone":
		faults = p.lacksForm(d.CodeURL, "{{.CodeURL}}", token, formField{"phone", ""})
		if d.Phone != "" {
			faults = append(faults, p.lacksForm(d.PhoneURL, "{{.PhoneURL}}", token, formField{"code", ""})...)
		}
	case "chat":
		if d.Digits == "" {
			faults = p.lacksForm("", "", formField{ticketParam, d.Token})
		}
		faults = require(faults, strings.Contains(p.text, d.Digits), "{{.Digits}}")
	case "done", "message":
		faults = require(faults, d.NextURL == "" || p.has(d.NextURL, "href"), `a link with href="{{.NextURL}}"`)
	}
	return faults
}

// require appends a fault unless the page has the part that it needs.
func require(faults []string, has bool, what string) []string {
	if !has {
		faults = append(faults, "lacks "+what)
	}
	return faults
}

// requireTerms appends a fault unless the page links to all documents.
func (p *triedPage) requireTerms(faults []string) []string {
	for _, document := range p.data.Terms() {
		if !p.has(document.URL, "href") {
			return append(faults, "lacks links to the documents of {{.Terms}}")
		}
	}
	return faults
}

// lacksConfirm is lacks for confirm.html.
func (p *triedPage) lacksConfirm(token formField) []string {
	d := p.data
	fields := []formField{token, {"answer", "approve"}, {"answer", "deny"}}
	if d.MatchNumber {
		fields = append(fields, formField{"number", ""})
	}
	if d.Agreement != "" {
		fields = append(fields, formField{"agree", d.Agreement})
	}
	faults := p.lacksForm("", "", fields...)
	if d.Agreement != "" {
		faults = p.requireTerms(faults)
	}
	if d.MatchNumber && p.shows(d.Number) {
		return append(faults, "shows {{.Number}} although MatchNumber is set, so nothing is left to type")
	}
	return require(faults, d.MatchNumber || p.shows(d.Number), "{{.Number}}, which a person compares")
}

// lacksLogin is lacks for login.html. The data attributes that script.js needs are those that
// hold a URL on the built-in page, and the others of the same element.
func (p *triedPage) lacksLogin(builtin []byte) []string {
	d := p.data
	faults := p.lacksForm(d.RenewURL, "{{.RenewURL}}")
	faults = require(faults, p.has(d.QRURL, "src") || d.OnPhone, `a picture with src="{{.QRURL}}"`)
	faults = require(faults, p.has(d.ScanURL, "href", "value") || !d.OnPhone, "{{.ScanURL}} on a phone, as a link or in a field")
	if d.Digits != "" {
		faults = require(faults, strings.Contains(p.text, d.Digits), "{{.Digits}}")
	} else {
		faults = require(faults, p.shows(d.Number), "{{.Number}}")
	}
	renewable := slices.ContainsFunc(p.elements, func(e pages.Element) bool { _, ok := e.Attr("data-number"); return ok })
	faults = require(faults, renewable, "an element with the attribute data-number around {{.Number}}, which script.js replaces with a new code")
	scripts := slices.ContainsFunc(p.elements, func(e pages.Element) bool { _, ok := e.Attr("src"); return ok && e.Name == "script" })
	faults = require(faults, scripts, `a script, such as src="{{.Asset "script.js"}}", which follows the state of the login`)
	model := newTriedPage(d, builtin)
	for _, e := range model.elements {
		needed := dataAttrs(e)
		if !slices.ContainsFunc(needed, func(a pages.Attr) bool { return strings.HasPrefix(a.Value, "/") }) {
			continue
		}
		var absent []string
		for _, a := range needed {
			if !p.has(a.Value, a.Name) {
				absent = append(absent, fmt.Sprintf("%s=%q", a.Name, d.words(a.Value)))
			}
		}
		together := slices.ContainsFunc(p.elements, func(own pages.Element) bool {
			return !slices.ContainsFunc(needed, func(a pages.Attr) bool { value, ok := own.Attr(a.Name); return !ok || value != a.Value })
		})
		switch {
		case len(absent) > 0:
			faults = append(faults, "lacks "+strings.Join(absent, ", ")+", which script.js needs on one element")
		case !together:
			faults = append(faults, "has the data attributes that script.js needs on different elements")
		}
	}
	return faults
}

// dataAttrs returns the data attributes of an element.
func dataAttrs(e pages.Element) []pages.Attr {
	return slices.DeleteFunc(slices.Clone(e.Attrs), func(a pages.Attr) bool { return !strings.HasPrefix(a.Name, "data-") })
}

// words returns the value as a template writes it, such as "{{.StateURL}}".
func (p PageData) words(value string) string {
	for v, i := reflect.ValueOf(p), 0; i < v.NumField(); i++ {
		if f := v.Type().Field(i); f.IsExported() && !v.Field(i).IsZero() && fmt.Sprint(v.Field(i).Interface()) == value {
			return "{{." + f.Name + "}}"
		}
	}
	return value
}

// blocked returns the parts of the page that its Content-Security-Policy blocks: inline
// scripts and styles, and the resources of other origins than publicURL.
func (p *triedPage) blocked(publicURL string) []string {
	var faults []string
	for _, e := range p.elements {
		switch e.Name {
		case "style":
			faults = append(faults, "has a <style>, which the policy blocks: use a file of this server")
		case "iframe", "frame", "object", "embed", "audio", "video", "base":
			faults = append(faults, fmt.Sprintf("has a <%s>, which the policy blocks", e.Name))
		case "script":
			kind, _ := e.Attr("type")
			if _, ok := e.Attr("src"); !ok && !strings.HasSuffix(strings.ToLower(kind), "json") {
				faults = append(faults, "has an inline script, which the policy blocks: use a file of this server")
			}
		}
		for _, a := range e.Attrs {
			if e.Name == "img" && a.Name == "src" && a.Value == p.data.AvatarURL {
				continue // the policy of that page allows WeChat's hosts
			}
			if fault := attrFault(e.Name, a, publicURL); fault != "" {
				faults = append(faults, fault)
			}
		}
	}
	return faults
}

// attrFault returns why the policy blocks an attribute, or "".
func attrFault(element string, a pages.Attr, publicURL string) string {
	value := strings.ToLower(strings.TrimSpace(a.Value))
	switch {
	case a.Name == "style":
		return fmt.Sprintf("has <%s style=...>, which the policy blocks: use a class", element)
	case strings.HasPrefix(a.Name, "on"):
		return fmt.Sprintf("has <%s %s=...>, which the policy blocks: use a script of this server", element, a.Name)
	case strings.HasPrefix(value, "javascript:"):
		return fmt.Sprintf("has <%s %s=\"javascript:...\">, which the policy blocks", element, a.Name)
	}
	loads := a.Name == "src" || a.Name == "srcset" || a.Name == "action" || a.Name == "formaction" || a.Name == "poster" || a.Name == "background" ||
		a.Name == "href" && element == "link" || a.Name == "xlink:href"
	if !loads || !isForeign(value, strings.ToLower(publicURL)) {
		return ""
	}
	picture := element == "img" || element == "link"
	if picture && strings.HasPrefix(value, "data:") {
		return ""
	}
	return fmt.Sprintf("has <%s %s=%.60q>, which is not on this server", element, a.Name, a.Value)
}

// isForeign reports whether a URL, or one of a srcset, has a scheme or a host other than those
// of publicURL.
func isForeign(value, publicURL string) bool {
	for candidate := range strings.SplitSeq(value, ",") {
		u, err := url.Parse(strings.TrimSpace(strings.ReplaceAll(candidate, `\`, "/")))
		if err != nil || u.Host == "" && u.Scheme == "" {
			continue
		}
		if u.Scheme+"://"+u.Host != publicURL {
			return true
		}
	}
	return false
}

// Samples of data that New executes templates with. fullSamples have every field that a
// page can have together, and bareSamples only those that it always has. accountSamples have
// the fields that a page has in place of others. Each URL occurs once, so that a page can be
// searched for it.
var (
	fullSamples = map[string]PageData{
		"login": {
			State: "waiting", OnPhone: true, ScanURL: "https://example.com/w/scan/ID", QRURL: "/w/login/ID/qr.svg", StateURL: "/w/login/ID/state",
			LoginURL: "/w/login?return_to=%2Fa", RenewURL: "/w/login/ID/renew", RenewIn: 120, Number: 97, MatchNumber: true,
			ways: []wayURL{{WayWebsite, "/w/login?with=website"}},
		},
		"finish":  {FinishURL: "/w/login/ID/finish", Nickname: "N", TargetName: "N", Purpose: "link"},
		"profile": {Token: "T0KEN", WeChatURL: "https://open.weixin.qq.com/a"},
		"terms":   {Token: "T0KEN", Agreement: "1 2", Wrong: "error.terms_required"},
		"confirm": {
			Token: "T0KEN", Agreement: "1 2", Wrong: "error.terms_required", Browser: "B", System: "S", Address: "192.0.2.1", Place: "P",
			Number: 97, MatchNumber: true, Nickname: "N", TargetName: "N", Purpose: "link",
		},
		"phone": {
			Token: "T0KEN", CodeURL: "/w/phone/ID/code", PhoneURL: "/w/phone/ID", Phone: "138****8000", ResendIn: 60,
			Typed: "12345", International: true, Wrong: "error.phone_invalid", Purpose: "phone",
		},
		"chat":    {Name: "chat.echo", Token: "T0KEN", Digits: "0123"},
		"done":    {Name: "done.denied", NextURL: "/w/next", Purpose: "link"},
		"message": {Name: "error.snapshot", NextURL: "/w/next"},
	}
	accountSamples = map[string]PageData{
		"finish": {
			FinishURL: "/w/login/ID/finish", Nickname: "N", AvatarURL: "https://wx.qlogo.cn/a", Phone: "8000", NewAccount: true, AutoFinish: true,
		},
		"profile": {Name: "profile.needed", Token: "T0KEN", WeChatURL: "https://open.weixin.qq.com/a"},
	}
	// digitsSamples are for a gate whose logins are authorized in a chat.
	digitsSamples = map[string]PageData{
		"login": {
			State: "waiting", Way: "message", Digits: "01234567", ScanURL: "http://weixin.qq.com/r/a", QRURL: "/w/login/ID/qr.svg",
			StateURL: "/w/login/ID/state", LoginURL: "/w/login?return_to=%2Fa", RenewURL: "/w/login/ID/renew", RenewIn: 60, Number: 97,
		},
	}
	bareSamples = map[string]PageData{
		"login": {
			State: "scanned", ScanURL: "https://example.com/w/scan/ID", QRURL: "/w/login/ID/qr.svg", StateURL: "/w/login/ID/state",
			LoginURL: "/w/login?return_to=%2Fa", RenewURL: "/w/login/ID/renew", RenewIn: 60, Number: 97,
		},
		"finish":  {FinishURL: "/w/login/ID/finish"},
		"profile": {Name: "profile.known", Token: "T0KEN", WeChatURL: "https://open.weixin.qq.com/a"},
		"terms":   {Token: "T0KEN", Agreement: "1"},
		"confirm": {Token: "T0KEN", Number: 97},
		"phone":   {Token: "T0KEN", CodeURL: "/w/phone/ID/code", PhoneURL: "/w/phone/ID"},
		"chat":    {Token: "T0KEN"},
		"done":    {Name: "done.approved"},
		"message": {Name: "error.unavailable"},
	}
)
