package scangate

import (
	"html/template"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/internal/pages"
	"github.com/scangate/scangate/internal/phone"
)

// PageData is what the templates of [Pages.Templates] are executed with. A comment below
// names the pages on which a field is set; on all others it is zero.
//
// [New] refuses a page that lacks what its comments demand, that contains an inline script or
// style, or that loads something of another origin. docs/pages.md lists what each page needs,
// and the elements and attributes that script.js uses. The built-in templates, in the folder
// internal/pages/files of this module's source, use every field. testdata/pages.html replaces
// every page and is as small as it can be; begin with a copy of one of them.
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
	// phone.html and confirm.html, and in the field "ticket" of the form on chat.html.
	Token string

	// State is the state of the login on login.html: "waiting" or "scanned". With
	// script.js, the page follows it to "approved", "denied", "rejected" or "expired". It
	// must be in the attribute data-state.
	State string

	// OnPhone reports whether login.html is shown on a phone, which cannot scan itself.
	OnPhone bool

	// ScanURL is the content of the QR code on login.html. A phone must get it as a link or
	// in a field. QRURL is the URL of the code's image, which all other devices must get.
	ScanURL, QRURL string

	// Way is, on login.html, how the person proves who they are: empty for a scan of the
	// gate's code, "mini" for a scan that opens the mini program, "follow" for a scan of the
	// account's code, and "message" for Digits, beside which QRURL may be empty.
	Way string

	// Simulated reports on login.html with a Way that WeChat is simulated. A click on the
	// code may then open ScanURL, in place of a scan.
	Simulated bool

	// Digits are the eight digits on login.html that the person sends to the account, or the
	// four digits on chat.html that they send to the chat. They are empty if there are none.
	Digits string

	// StateURL is where script.js on login.html gets the state. The script replaces StateURL,
	// RenewURL, ScanURL and the picture by those of the next code. It finds them by the
	// attributes data-state-url, data-renew-url and data-scan-url and the class "qr".
	// LoginURL is where the page goes for a new QR code, and after the approval. RenewIn is the number of
	// seconds after which the page renews a code that has not been scanned. They must be in
	// the attributes data-state-url, data-login-url and data-renew-in of the element that has
	// data-state.
	StateURL, LoginURL string
	RenewIn            int

	// RenewURL is where login.html must post an empty form to get a new QR code at once, in
	// every state.
	RenewURL string

	// Number must be shown on two screens, by login.html and confirm.html, to compare. If
	// MatchNumber is set, confirm.html must not show it but have a field "number" to type
	// it into. On login.html the attribute data-number must mark the element whose only
	// content is Number: script.js replaces it with that of the next code. Number is zero if
	// there is no other screen.
	Number      int
	MatchNumber bool

	// FinishURL is where finish.html must post its form. A second button "answer" with the
	// value "deny" refuses the login, for a visitor who is not that person.
	FinishURL string

	// Nickname is the person's name on confirm.html. On finish.html it is the account's name
	// or, with the purpose "link", the person's. TargetName is the name of the account that a
	// link or a fresh login is for. Either may be empty.
	Nickname, TargetName string

	// AvatarURL is the person's picture on finish.html, at one of WeChat's hosts. It is
	// empty if there is none.
	AvatarURL string

	// NewAccount reports on finish.html that this login has created the account.
	NewAccount bool

	// AutoFinish reports that the account on finish.html is that of the browser's last
	// user, and the login is not a fresh one. The form then has the attribute data-auto, and script.js sends it at once.
	AutoFinish bool

	// Browser, System, Address and Place describe the browser that would be logged in, on
	// confirm.html. Each may be empty. Place is what [Config.Locate] returned.
	Browser, System, Address, Place string

	// WeChatURL is where a link on profile.html must lead a person who agrees.
	WeChatURL string

	// Agreement is the value of the required box "agree" on terms.html, and on confirm.html
	// if that page asks for an agreement to the documents of Terms. It is empty otherwise.
	Agreement string

	// CodeURL is where phone.html must post "phone" to get a code, or nothing to get another
	// one. PhoneURL is where it must post the "code", once Phone is set.
	CodeURL, PhoneURL string

	// Phone is the masked number to which a code was sent, such as "138****8000", on
	// phone.html. It is empty before that. On finish.html it is the last digits of the
	// account's number, if it has one. ResendIn is the number of seconds after which to offer
	// another code.
	Phone    string
	ResendIn int

	// Typed is the text that was rejected as a number, on phone.html with Wrong. The field
	// "phone" shows it again, to be corrected. It has at most 32 characters, which may be any.
	Typed string

	// International reports whether phone.html takes numbers outside mainland China, which
	// begin with + and a calling code.
	International bool

	// Wrong is the prefix of an error's texts, such as "error.code_wrong", if phone.html,
	// terms.html or confirm.html is shown again because of that error. Otherwise it is empty.
	Wrong string

	// NextURL is the way on from message.html and done.html, which must link to it. It is
	// empty if the login goes on at another screen.
	NextURL string

	initial    string   // the first character of Nickname
	ways       []wayURL // to log in instead, on login.html
	formTarget string   // an origin to which the form's answer may redirect, besides this one

	pages   *pages.Set
	lang    pages.Language
	unknown *[]string // collects the unknown keys that T gets; nil unless New tries the page
}

// T returns a text in the page's language: the gate's own, or the one that [Pages.Texts] has
// in its place. docs/pages.md lists the keys, which later versions keep. A key that begins
// with a dot, such as ".heading", means the page's own text, or the one that all pages share
// if the page has none. For an unknown key, T returns the key, and [New] refuses the page.
func (p PageData) T(key string) string {
	text, ok := p.lang.Text(p.Name, p.Purpose, key)
	switch {
	case !ok:
		if p.unknown != nil {
			*p.unknown = append(*p.unknown, key)
		}
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

// Ways returns links from login.html to the same login in each other way that is
// configured, such as [WayFollow]. Text is in the page's language.
func (p PageData) Ways() []Link {
	var links []Link
	for _, other := range p.ways {
		links = append(links, Link{Text: p.T("login." + string(other.Way)), URL: other.URL})
	}
	return links
}

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

// Initial returns the first character of Nickname, or "?" without one.
func (p PageData) Initial() string {
	if p.initial == "" {
		return "?"
	}
	return p.initial
}

// forTemplate returns the data as the template with that name gets it.
func (p PageData) forTemplate(set *pages.Set, lang pages.Language, name string) PageData {
	p.pages, p.lang = set, lang
	if p.Name == "" {
		p.Name = name
	}
	_, size := utf8.DecodeRuneInString(p.Nickname)
	p.initial = p.Nickname[:size]
	return p
}

// fields passes each field that a template can see to f: those that decide about parts of a
// page as traits and flags, and all others as values. A page's code, its state, and so on have
// one of a few values, so that a request cannot make many shapes.
func (p *PageData) fields(f *pages.Fields) {
	for _, trait := range []string{p.Name, p.Purpose, p.State, p.Way, p.Wrong} {
		f.Trait(trait)
	}
	for _, flag := range []bool{p.OnPhone, p.Simulated, p.MatchNumber, p.NewAccount, p.AutoFinish, p.International} {
		f.Flag(flag)
	}
	for _, text := range []*string{
		&p.Token, &p.Digits, &p.Nickname, &p.initial, &p.TargetName, &p.Browser, &p.System, &p.Address, &p.Place, &p.Agreement, &p.Phone, &p.Typed,
	} {
		f.Text(text)
	}
	for _, address := range []*string{
		&p.ScanURL, &p.QRURL, &p.StateURL, &p.LoginURL, &p.RenewURL, &p.FinishURL, &p.AvatarURL, &p.WeChatURL, &p.CodeURL, &p.PhoneURL, &p.NextURL,
	} {
		f.URL(address)
	}
	for _, number := range []*int{&p.RenewIn, &p.Number, &p.ResendIn} {
		f.Number(number)
	}
	for i := range p.ways {
		f.Trait(string(p.ways[i].Way))
		f.URL(&p.ways[i].URL)
	}
}

// execute renders the page of that name. The result is that of the template, which may be
// custom; built-in pages are filled in without executing it, once their shape is known.
func (p PageData) execute(set *pages.Set, lang pages.Language, name string) ([]byte, error) {
	p = p.forTemplate(set, lang, name)
	f := pages.NewFields(name, lang)
	p.fields(&f)
	if body, ok := set.Fill(&f); ok {
		return body, nil
	}
	return p.executeAndLearn(set, name, f)
}

// executeAndLearn executes the template, and makes a shape of a built-in page.
func (p PageData) executeAndLearn(set *pages.Set, name string, f pages.Fields) ([]byte, error) {
	body, err := set.Execute(name, p)
	if err == nil {
		set.Learn(&f, func(f *pages.Fields) any { return p.marked(f) })
	}
	return body, err
}

// marked returns a copy of the data whose values f has replaced.
func (p PageData) marked(f *pages.Fields) PageData {
	p.ways = slices.Clone(p.ways)
	p.fields(f)
	return p
}

// showAccount shows whose account finish.html is about. Two persons without names differ by
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
