package scangate

import (
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/internal/pages"
	"github.com/scangate/scangate/internal/phone"
)

// PageData is what the templates of [Pages.Templates] are executed with. A comment below
// names the pages on which a field is set; on all others it is zero. The built-in templates
// use every field. They are in the folder internal/pages/files of this module's
// source. Begin a template of your own as a copy of one of them.
type PageData struct {
	// Name is the prefix of the page's texts: the template's name without ".html". On
	// done.html it is "done.approved" or "done.denied", and on message.html "error." and
	// the code of the error, such as "error.expired". On profile.html it is "profile.known"
	// if only the unionid in the user info can show whether the person is a user, and
	// "profile.needed" if the person has declined that. The latter page offers no way
	// without the user info.
	Name string

	// Purpose is the purpose of the login, on all pages but message.html: empty for
	// logging in, "link" for adding a WeChat to an account, and "phone" for adding a
	// phone number to an account.
	Purpose string

	// Token must be in a hidden field "token" of each form on profile.html, terms.html,
	// phone.html and confirm.html.
	Token string

	// State is the state of the login on login.html: "waiting" or "scanned". With
	// script.js, the page follows it to "approved", "denied" or "expired".
	State string

	// OnPhone reports whether login.html is shown on a phone, which cannot scan itself.
	OnPhone bool

	// ScanURL is the content of the QR code on login.html, and QRURL the URL of its image.
	ScanURL, QRURL string

	// StateURL is where script.js on login.html gets the state. The script replaces StateURL,
	// RenewURL, ScanURL and the picture by those of the next code. It finds them by the
	// attributes data-state-url, data-renew-url and data-scan-url and the class "qr". LoginURL is where the
	// page goes for a new QR code, and after the approval. RenewIn is the number of
	// seconds after which the page renews a code that has not been scanned.
	StateURL, LoginURL string
	RenewIn            int

	// RenewURL is where login.html posts an empty form to get a new QR code at once, in
	// every state.
	RenewURL string

	// WebsiteURL leads from login.html to WeChat's own login page. It is empty if there
	// is none.
	WebsiteURL string

	// Number is shown on two screens, by login.html and confirm.html, to compare. If
	// MatchNumber is set, confirm.html must not show it but have a field "number" to type
	// it into. Number is zero if there is no other screen.
	Number      int
	MatchNumber bool

	// FinishURL is where finish.html posts its form. A field "answer" with the value
	// "deny" refuses the login, for a visitor who is not that person.
	FinishURL string

	// Nickname is the name of the person who scanned, on finish.html and confirm.html.
	// TargetName is the name of the account that a WeChat is added to. Either may be empty.
	Nickname, TargetName string

	// AvatarURL is the person's picture on finish.html, at one of WeChat's hosts. It is
	// empty if there is none.
	AvatarURL string

	// NewAccount reports on finish.html that this login has created the account.
	NewAccount bool

	// AutoFinish reports that the account on finish.html is that of the browser's last
	// user. The form then has the attribute data-auto, and script.js sends it at once.
	AutoFinish bool

	// Browser, System, Address and Place describe the browser that would be logged in, on
	// confirm.html. Each may be empty. Place is what [Config.Locate] returned.
	Browser, System, Address, Place string

	// WeChatURL is where profile.html leads a person who agrees.
	WeChatURL string

	// Agreement is the value of the required box "agree" on terms.html, and on confirm.html
	// if that page asks for an agreement to the documents of Terms. It is empty otherwise.
	Agreement string

	// CodeURL is where phone.html posts "phone" to get a code, or nothing to get another
	// one. PhoneURL is where it posts the "code".
	CodeURL, PhoneURL string

	// Phone is the masked number to which a code was sent, on phone.html. It is empty
	// before that. On finish.html it is the last digits of the account's number, if it has
	// one. ResendIn is the number of seconds after which to offer another code.
	Phone    string
	ResendIn int

	// Typed is what was typed as the number on phone.html, if Wrong is set because it is not
	// a number that gets a code. The field "phone" shows it again, to be corrected. It has
	// at most 32 characters, which may be any.
	Typed string

	// International reports whether phone.html takes numbers outside mainland China, which
	// begin with + and a calling code.
	International bool

	// Wrong is the prefix of an error's texts, such as "error.code_wrong", if phone.html,
	// terms.html or confirm.html is shown again because of that error. Otherwise it is empty.
	Wrong string

	// NextURL is the way on from message.html and done.html. It is empty if the login goes
	// on at another screen.
	NextURL string

	pages *pages.Set
	lang  pages.Language
}

// T returns a text in the page's language: the gate's own, or the one that [Pages.Texts] has
// in its place. docs/pages.md lists the keys, which later versions keep. A key that begins
// with a dot, such as ".heading", means the page's own text, or the one that all pages share
// if the page has none. For an unknown key, T returns the key.
func (p PageData) T(key string) string {
	text, ok := p.lang.Text(p.Name, p.Purpose, key)
	switch {
	case !ok:
		return key
	case !strings.Contains(text, "{"):
		return text
	}
	return strings.NewReplacer("{app}", p.App(), "{phone}", p.Phone).Replace(text)
}

// App returns [Config.AppName].
func (p PageData) App() string { return p.pages.App() }

// Split returns the two parts of a text before and after its placeholder {terms}, in whose
// place a page puts the links of Terms.
func (p PageData) Split(key string) [2]string {
	before, after, _ := strings.Cut(p.T(key), "{terms}")
	return [2]string{before, after}
}

// Terms returns [Pages.Terms]. Text is in the page's language.
func (p PageData) Terms() []Link { return links[Link](p.pages.Terms(p.lang)) }

// Links returns [Pages.Links], for login.html. Text is in the page's language.
func (p PageData) Links() []Link { return links[Link](p.pages.Links(p.lang)) }

// Footer returns [Pages.Footer]. Text is in the page's language.
func (p PageData) Footer() []Link { return links[Link](p.pages.Footer(p.lang)) }

// links converts links between the types of this package and of package pages.
func links[To Link | pages.Link, From Link | pages.Link](from []From) []To {
	to := make([]To, len(from))
	for i := range from {
		to[i] = To(from[i])
	}
	return to
}

// Logo returns [Pages.Logo].
func (p PageData) Logo() template.URL { return p.pages.Logo() }

// Lang returns the page's language for the lang attribute: "zh-CN", "zh-Hant", "en", or a
// tag of [Pages.Texts].
func (p PageData) Lang() string { return p.lang.Attr() }

// Asset returns the path of one of the gate's own files: "style.css" or "script.js".
func (p PageData) Asset(file string) string { return p.pages.AssetPath(file) }

// forTemplate returns the data as the template with that name gets it.
func (p PageData) forTemplate(set *pages.Set, lang pages.Language, name string) PageData {
	p.pages, p.lang = set, lang
	if p.Name == "" {
		p.Name = name
	}
	return p
}

// showAccount shows whose account finish.html is about. Two people without names differ by
// their pictures, their numbers, and whether the account is new.
func (p *PageData) showAccount(user User, who login.Person) {
	// A store need not keep what WeChat returned for a new user.
	if name := cleanNickname(user.Nickname); name != "" {
		p.Nickname = name
	}
	if p.AvatarURL = pictureURL(user.AvatarURL); p.AvatarURL == "" {
		p.AvatarURL = pictureURL(who.AvatarURL)
	}
	p.Phone, p.NewAccount = phone.Tail(user.Phone), who.New
}

// formPage returns the data that all pages with a form of the authorizer share.
func formPage(l *login.Login, key login.Key) PageData {
	return PageData{Purpose: string(l.Purpose()), Token: key.FormToken(l.ID())}
}

// newPages returns the pages of a config whose fields have been checked. It executes
// Config.Pages.Templates for all pages, which finds most mistakes that a template can have.
func newPages(config *Config) (*pages.Set, error) {
	texts := pages.Texts(config.Pages.Texts)
	languages, fallback := config.Pages.Languages, ""
	if len(languages) == 0 {
		languages, fallback = []string{"zh", "zh-Hant", "en"}, "en"
		for _, tag := range slices.Sorted(maps.Keys(texts)) {
			if !pages.Supported(tag) {
				languages = append(languages, tag)
			}
		}
	}
	set, err := pages.New(pages.Options{
		App:         config.AppName,
		Logo:        config.Pages.Logo,
		BasePath:    config.BasePath,
		AccentColor: config.Pages.AccentColor,
		Languages:   languages,
		Texts:       texts,
		Terms:       links[pages.Link](config.Pages.Terms),
		Links:       links[pages.Link](config.Pages.Links),
		Footer:      links[pages.Link](config.Pages.Footer),
		Fallback:    fallback,
	})
	if err != nil || config.Pages.Templates == nil {
		return set, wrap("reading the built-in pages", err)
	}
	if err = set.Replace(config.Pages.Templates); err == nil {
		err = tryPages(set)
	}
	if err != nil {
		return nil, fmt.Errorf("scangate: Config.Pages.Templates: %w", err)
	}
	return set, nil
}

// warnOfMissingTexts logs which languages of Config.Pages.Texts lack texts. A new version
// of this module may bring texts that an application does not have yet.
func warnOfMissingTexts(config *Config) {
	for _, tag := range slices.Sorted(maps.Keys(config.Pages.Texts)) {
		missing, err := pages.Texts(config.Pages.Texts).Missing(tag)
		if err == nil && len(missing) > 0 {
			config.Logger.Warn("scangate: texts are missing in Config.Pages.Texts, so pages show the English ones",
				"language", tag, "missing", len(missing), "keys", strings.Join(missing, " "))
		}
	}
}

// tryPages executes each template with each of its samples, in each language.
func tryPages(set *pages.Set) error {
	for _, samples := range []map[string]PageData{fullSamples, accountSamples, bareSamples} {
		for name, data := range samples {
			for _, lang := range set.Languages() {
				if _, err := set.Execute(name, data.forTemplate(set, lang, name)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Samples of data that New executes templates with. fullSamples have every field that a
// page can have together, and bareSamples only those that it always has. accountSamples have
// the fields that a page has in place of others.
var (
	fullSamples = map[string]PageData{
		"login": {
			State: "waiting", OnPhone: true, ScanURL: "https://a/", QRURL: "/", StateURL: "/", LoginURL: "/", RenewURL: "/", RenewIn: 120,
			WebsiteURL: "/", Number: 42, MatchNumber: true,
		},
		"finish":  {FinishURL: "/", Nickname: "N", TargetName: "N", Purpose: "link"},
		"profile": {Token: "T", WeChatURL: "https://a/"},
		"terms":   {Token: "T", Agreement: "1 2", Wrong: "error.terms_required"},
		"confirm": {
			Token: "T", Agreement: "1 2", Wrong: "error.terms_required", Browser: "B", System: "S", Address: "192.0.2.1", Place: "P", Number: 42, MatchNumber: true,
			Nickname: "N", TargetName: "N", Purpose: "link",
		},
		"phone":   {Token: "T", CodeURL: "/", PhoneURL: "/", Phone: "+86138****8000", ResendIn: 60, Typed: "12345", International: true, Wrong: "error.phone_invalid", Purpose: "phone"},
		"done":    {Name: "done.denied", NextURL: "/", Purpose: "link"},
		"message": {Name: "error.snapshot", NextURL: "/"},
	}
	accountSamples = map[string]PageData{
		"finish":  {FinishURL: "/", Nickname: "N", AvatarURL: "https://wx.qlogo.cn/", Phone: "8000", NewAccount: true, AutoFinish: true},
		"profile": {Name: "profile.needed", Token: "T", WeChatURL: "https://a/"},
	}
	bareSamples = map[string]PageData{
		"login":   {State: "scanned", ScanURL: "https://a/", QRURL: "/", StateURL: "/", LoginURL: "/", RenewURL: "/", Number: 42},
		"finish":  {FinishURL: "/"},
		"profile": {Token: "T", WeChatURL: "https://a/"},
		"terms":   {Token: "T", Agreement: "1"},
		"confirm": {Token: "T", Number: 42},
		"phone":   {Token: "T", CodeURL: "/", PhoneURL: "/"},
		"done":    {Name: "done.approved"},
		"message": {Name: "error.unavailable"},
	}
)
