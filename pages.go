package scangate

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"rsc.io/qr"
)

//go:embed pages
var pageFiles embed.FS

// contentSecurityPolicy allows the gate's pages what they have, and no more.
const contentSecurityPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// pages are the templates, the texts in each language, and the assets.
type pages struct {
	appName   string
	base      string
	templates *template.Template
	languages []language // the first is the one for people who prefer none of them
	assets    map[string]asset
	names     map[string]string // of an asset, by its file
}

// language is what people read: texts by their keys.
type language struct {
	tag   string // as in the lang attribute
	texts map[string]string
}

// asset is a file that browsers may keep: its name changes with its content.
type asset struct {
	body        []byte
	contentType string
}

// page is what a template gets.
type page struct {
	Name      string // of the page's texts
	Attempt   attemptView
	Token     string // for the form's hidden field
	WeChatURL string // a link to WeChat
	Again     string // where to try again

	pages *pages
	lang  language
}

// attemptView is what pages show of a login.
type attemptView struct {
	Kind                     kind
	Word                     string // the state, as its asker is told it
	ReturnTo                 string
	Browser, System, Address string
	Number                   int
	MatchNumber              bool
	Nickname                 string
	ScanURL, QRURL           string
	StateURL, FinishURL      string
	WebsiteURL               string
	LoginURL                 string
	ExpiresIn, RenewIn       int // seconds
	Purpose                  purpose
	ForName                  string // whom a WeChat is added to
	PhoneURL, CodeURL        string
	Phone                    string // masked; empty until a code was sent
	ResendIn                 int    // seconds
}

func newPages(config *Config) (*pages, error) {
	p := &pages{appName: config.AppName, base: config.BasePath, assets: map[string]asset{}, names: map[string]string{}}
	var err error
	if p.templates, err = template.ParseFS(pageFiles, "pages/*.html"); err != nil {
		return nil, fmt.Errorf("scangate: parsing the pages: %w", err)
	}
	for _, tag := range []string{"zh", "en"} {
		l := language{tag: tag}
		text, err := pageFiles.ReadFile("pages/" + tag + ".json")
		if err == nil {
			err = json.Unmarshal(text, &l.texts)
		}
		if err != nil {
			return nil, fmt.Errorf("scangate: reading the texts: %w", err)
		}
		p.languages = append(p.languages, l)
	}
	for _, file := range []string{"style.css", "script.js"} {
		body, err := pageFiles.ReadFile("pages/" + file)
		if err != nil {
			return nil, fmt.Errorf("scangate: reading the assets: %w", err)
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(file)
		name := strings.TrimSuffix(file, ext) + "-" + hex.EncodeToString(sum[:6]) + ext
		p.names[file] = name
		p.assets[name] = asset{body, mime.TypeByExtension(ext)}
	}
	return p, nil
}

// T is the text of that key in the page's language.
func (p page) T(key string, args ...any) string {
	text, ok := p.lang.texts[key]
	if !ok {
		return key
	}
	if len(args) > 0 {
		return fmt.Sprintf(text, args...)
	}
	return text
}

// App is what the pages call the application.
func (p page) App() string { return p.pages.appName }

// Lang is the page's language.
func (p page) Lang() string { return p.lang.tag }

// Asset is the path of one of the gate's own files.
func (p page) Asset(file string) string { return p.pages.base + "/assets/" + p.pages.names[file] }

// render answers with a page.
func (g *Gate) render(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	p.pages, p.lang = g.pages, g.pages.languageFor(r.Header.Get("Accept-Language"))
	var body bytes.Buffer
	if err := g.pages.templates.ExecuteTemplate(&body, name+".html", p); err != nil {
		g.config.Logger.ErrorContext(r.Context(), "scangate: rendering a page", "page", name, "error", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	if p.Token != "" || p.Attempt.FinishURL != "" {
		// Under no-referrer a form is sent with "Origin: null", by which browsers
		// without Sec-Fetch-Site could not show that it comes from here.
		h.Set("Referrer-Policy", "same-origin")
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", p.lang.tag)
	h.Add("Vary", "Accept-Language")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a client that has gone needs no answer
}

// languageFor returns the language that an Accept-Language header asks for.
func (p *pages) languageFor(header string) language {
	best, bestQ := p.languages[0], 0.0
	for part := range strings.SplitSeq(header[:min(len(header), 256)], ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if value, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			q, _ = strconv.ParseFloat(value, 64) // what is no number is 0
		}
		primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
		for _, l := range p.languages {
			if l.tag == primary && q > bestQ {
				best, bestQ = l, q
			}
		}
	}
	return best
}

// view is what pages show of the login.
func (g *Gate) view(a *attempt) attemptView {
	s := g.scanLogin(a)
	v := attemptView{
		Kind: a.Kind, Word: a.word(), ReturnTo: a.ReturnTo,
		Browser: a.From.Browser, System: a.From.System, Address: a.From.Address,
		Number: a.Number, MatchNumber: g.config.MatchNumber,
		ScanURL: s.ScanURL, QRURL: s.QRURL, StateURL: s.StateURL, FinishURL: s.FinishURL, WebsiteURL: s.WebsiteURL,
		LoginURL: g.startURL(a),
		Purpose:  a.Purpose, ForName: a.ForName,
		PhoneURL: g.path("phone", a.ID), CodeURL: g.path("phone", a.ID, "code"),
		ExpiresIn: secondsUntil(a.Expires), RenewIn: secondsUntil(a.renewAt()),
	}
	if a.Person != nil {
		v.Nickname = a.Person.Nickname
	}
	return v
}

// secondsUntil rounds up, so that at zero the time has come.
func secondsUntil(t time.Time) int {
	return max(int((time.Until(t)+time.Second-1)/time.Second), 0)
}

// renderLogin shows the QR code.
func (g *Gate) renderLogin(w http.ResponseWriter, r *http.Request, a *attempt) {
	g.render(w, r, http.StatusOK, "login", page{Attempt: g.view(a)})
}

// renderFinish names the account that the browser is about to be logged in to:
// whoever authorized somebody else's QR code is seen by that.
func (g *Gate) renderFinish(w http.ResponseWriter, r *http.Request, a *attempt) {
	g.render(w, r, http.StatusOK, "finish", page{Attempt: g.view(a)})
}

// serveAsset serves a style or a script, which never changes under its name.
func (g *Gate) serveAsset(w http.ResponseWriter, r *http.Request) error {
	a, ok := g.pages.assets[r.PathValue("name")]
	if !ok {
		return errUnknown
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Type", a.contentType)
	_, _ = w.Write(a.body)
	return nil
}

// qrCode encodes what the phone scans.
func (g *Gate) qrCode(r *http.Request) (*qr.Code, error) {
	a, err := g.askedBy(r)
	if err != nil {
		return nil, err
	}
	if err := a.open(); err != nil {
		return nil, g.again(r, &a, err)
	}
	code, err := qr.Encode(g.absolute(g.path("scan", a.ID)), qr.M)
	return code, wrap("drawing a QR code", err)
}

func (g *Gate) serveQRSVG(w http.ResponseWriter, r *http.Request) error {
	code, err := g.qrCode(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	_, _ = w.Write(qrSVG(code)) //nolint:gosec // drawn from modules, not from text
	return nil
}

func (g *Gate) serveQRPNG(w http.ResponseWriter, r *http.Request) error {
	code, err := g.qrCode(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(code.PNG()) //nolint:gosec // drawn from modules, not from text
	return nil
}

// quietZone is the margin that ISO/IEC 18004 asks for, in modules.
const quietZone = 4

// qrSVG draws a QR code as one path: a rectangle for each run of black modules.
func qrSVG(code *qr.Code) []byte {
	size := strconv.Itoa(code.Size + 2*quietZone)
	b := make([]byte, 0, 8<<10)
	b = append(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 `+size+` `+size+`" shape-rendering="crispEdges">`...)
	b = append(b, `<path fill="#fff" d="M0 0h`+size+`v`+size+`H0z"/><path d="`...)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			start := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if x > start {
				b = append(b, 'M')
				b = strconv.AppendInt(b, int64(start+quietZone), 10)
				b = append(b, ' ')
				b = strconv.AppendInt(b, int64(y+quietZone), 10)
				b = append(b, 'h')
				b = strconv.AppendInt(b, int64(x-start), 10)
				b = append(b, 'v', '1', 'H')
				b = strconv.AppendInt(b, int64(start+quietZone), 10)
				b = append(b, 'z')
			}
		}
	}
	return append(b, `"/></svg>`...)
}
