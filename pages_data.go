package scangate

import (
	"html/template"
	"strings"
)

// PageData is what the templates of [Config.Templates] get. The comments say
// which pages have a field; on the others it is zero. The built-in templates, in
// the folder pages of this module's source, show each in use: a page of one's
// own best begins as a copy.
type PageData struct {
	// Name is what the page's texts are called: the template's name without
	// ".html"; on done.html "done.approved" or "done.denied"; on message.html
	// "error." and the code of what went wrong, such as "error.expired".
	Name string

	// Purpose is, on all pages but message.html, what the login is for: empty where
	// somebody logs in, "link" where they add a WeChat to their account, and "phone"
	// where they give a number for it.
	Purpose string

	// Token has to be in a hidden field "token" of each form on profile.html,
	// phone.html and confirm.html.
	Token string

	// State is where the login of login.html stands: "waiting" or "scanned". With
	// script.js the page follows it to "approved", "denied" or "expired".
	State string

	// OnPhone says that login.html is shown on a phone, which can't scan itself.
	OnPhone bool

	// ScanURL is what the QR code of login.html holds, and QRURL its picture.
	ScanURL, QRURL string

	// StateURL is what script.js on login.html asks for the state, LoginURL where
	// to go for a new QR code and after the approval, and RenewIn the seconds
	// after which an unscanned code is renewed.
	StateURL, LoginURL string
	RenewIn            int

	// WebsiteURL is the way to WeChat's own login page, from login.html; it is
	// empty if there is none.
	WebsiteURL string

	// Number is the one that stands on two screens, on login.html and
	// confirm.html. If MatchNumber is set, confirm.html must not show it but have a
	// field "number" for it. Number is zero where there is no other screen.
	Number      int
	MatchNumber bool

	// FinishURL is where finish.html posts its form: with "answer" "deny" from
	// somebody who is not that person.
	FinishURL string

	// Nickname is what the person who scanned is called in WeChat, and TargetName
	// whose account a WeChat is added to, on finish.html and confirm.html. Either
	// may be empty.
	Nickname, TargetName string

	// Browser, System and Address are what confirm.html says of the browser that
	// wants in. Each may be empty.
	Browser, System, Address string

	// WeChatURL is where profile.html sends people who agree.
	WeChatURL string

	// CodeURL is where phone.html posts "phone" to get a code, or nothing to get
	// another one; PhoneURL is where it posts the "code".
	CodeURL, PhoneURL string

	// Phone is the number that a code was sent to, masked, on phone.html; it is
	// empty until then. ResendIn is when to offer another code, in seconds.
	Phone    string
	ResendIn int

	// Wrong is why phone.html is shown again, as the name of an error's texts such
	// as "error.code_wrong"; else it is empty.
	Wrong string

	// NextURL is the way on from message.html and done.html. On done.html it is
	// empty where the person is to go on at another screen.
	NextURL string

	pages *pages
	lang  language
}

// T returns a text of the gate's own, in the page's language: that of the key,
// or for a key that begins with a dot that of the page, such as ".heading", and
// if the page has none the one that all have. For an unknown key it returns the
// key. The keys are those of pages/en.json, and no promise of this module's.
func (p PageData) T(key string) string {
	own := key
	if strings.HasPrefix(key, ".") {
		own = p.Name + key
	}
	text, ok := "", false
	if p.Purpose != "" {
		text, ok = p.lang.texts[own+"."+p.Purpose]
	}
	if !ok {
		text, ok = p.lang.texts[own]
	}
	if !ok {
		text, ok = p.lang.texts[strings.TrimPrefix(key, ".")]
	}
	switch {
	case !ok:
		return key
	case !strings.Contains(text, "{"):
		return text
	}
	return strings.NewReplacer("{app}", p.App(), "{phone}", p.Phone).Replace(text)
}

// App is [Config.AppName].
func (p PageData) App() string { return p.pages.appName }

// Logo is [Config.Logo], or empty.
func (p PageData) Logo() template.URL { return p.pages.logo }

// Lang is the page's language as in the lang attribute: "zh-CN" or "en".
func (p PageData) Lang() string { return p.lang.attr }

// Asset is the path of one of the gate's own files: "style.css" or "script.js".
func (p PageData) Asset(file string) string { return p.pages.base + "/assets/" + p.pages.names[file] }

// fullSamples and bareSamples are what New tries templates with: all that a page
// can have, and only what it always has.
var (
	fullSamples = map[string]PageData{
		"login": {
			State: "waiting", OnPhone: true, ScanURL: "https://a/", QRURL: "/", StateURL: "/", LoginURL: "/", RenewIn: 120,
			WebsiteURL: "/", Number: 42, MatchNumber: true,
		},
		"finish":  {FinishURL: "/", Nickname: "N", TargetName: "N", Purpose: "link"},
		"profile": {Token: "T", WeChatURL: "https://a/"},
		"confirm": {
			Token: "T", Browser: "B", System: "S", Address: "192.0.2.1", Number: 42, MatchNumber: true,
			Nickname: "N", TargetName: "N", Purpose: "link",
		},
		"phone":   {Token: "T", CodeURL: "/", PhoneURL: "/", Phone: "+86138****8000", ResendIn: 60, Wrong: "error.code_wrong", Purpose: "phone"},
		"done":    {Name: "done.denied", NextURL: "/", Purpose: "link"},
		"message": {Name: "error.snapshot", NextURL: "/"},
	}
	bareSamples = map[string]PageData{
		"login":   {State: "scanned", ScanURL: "https://a/", QRURL: "/", StateURL: "/", LoginURL: "/", Number: 42},
		"finish":  {FinishURL: "/"},
		"profile": {Token: "T", WeChatURL: "https://a/"},
		"confirm": {Token: "T", Number: 42},
		"phone":   {Token: "T", CodeURL: "/", PhoneURL: "/"},
		"done":    {Name: "done.approved"},
		"message": {Name: "error.unavailable", NextURL: "/"},
	}
)
