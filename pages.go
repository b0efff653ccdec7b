package scangate

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scangate/scangate/internal/login"
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
	logo      template.URL
	builtin   *template.Template
	templates *template.Template // the built-in ones, or what replaces them
	languages []language         // the first is the one for people who prefer none of them
	assets    map[string]asset
	names     map[string]string // of an asset, by its file
}

// language is what people read: texts by their keys.
type language struct {
	tag   string // as in Config.Languages
	attr  string // as in the lang attribute
	texts map[string]string
}

// asset is a file that browsers may keep: its name changes with its content.
type asset struct {
	body        []byte
	contentType string
}

// supportedLanguages are the lang attributes of what Config.Languages may hold.
var supportedLanguages = map[string]string{"zh": "zh-CN", "en": "en"}

// checkPages is check for what the pages look like.
func (c *Config) checkPages() error {
	for i, tag := range c.Languages {
		if supportedLanguages[tag] == "" || slices.Contains(c.Languages[:i], tag) {
			return fmt.Errorf("scangate: Config.Languages: %q is neither \"zh\" nor \"en\", or comes twice", tag)
		}
	}
	if c.AccentColor != "" {
		if _, err := parseColor(c.AccentColor); err != nil {
			return fmt.Errorf("scangate: Config.AccentColor: %q is no color like \"#07c160\"", c.AccentColor)
		}
	}
	if c.Logo != "" && !isImageData(c.Logo) && (c.Logo == "/" || localPath(c.Logo) != c.Logo) {
		return fmt.Errorf("scangate: Config.Logo: %.40q is neither a path on this server nor a data:image/ URL", c.Logo)
	}
	return nil
}

// isImageData reports whether s is a picture as a data URL, of the characters
// that one has.
func isImageData(s string) bool {
	rest, ok := strings.CutPrefix(s, "data:image/")
	return ok && strings.Contains(rest, ",") && !strings.ContainsFunc(rest, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>'
	})
}

// newPages reads the pages that are built in, and tries what replaces them. An error
// that is config's fault names the field.
func newPages(config *Config) (*pages, error) {
	p := &pages{
		appName: config.AppName, base: config.BasePath, assets: map[string]asset{}, names: map[string]string{},
		logo: template.URL(config.Logo), //nolint:gosec // checkPages has seen to it
	}
	if err := p.readTexts(config.Languages); err != nil {
		return nil, fmt.Errorf("scangate: reading the texts: %w", err)
	}
	for _, file := range []string{"style.css", "script.js"} {
		body, err := pageFiles.ReadFile("pages/" + file)
		if err != nil {
			return nil, fmt.Errorf("scangate: reading the assets: %w", err)
		}
		if file == "style.css" && config.AccentColor != "" {
			body = append(body, accentRules(config.AccentColor)...)
		}
		p.addAsset(file, body)
	}
	var err error
	if p.builtin, err = template.ParseFS(pageFiles, "pages/*.html"); err != nil {
		return nil, fmt.Errorf("scangate: parsing the pages: %w", err)
	}
	p.templates = p.builtin
	if config.Templates != nil {
		if err := p.replaceTemplates(config.Templates); err != nil {
			return nil, fmt.Errorf("scangate: Config.Templates: %w", err)
		}
	}
	return p, nil
}

// addAsset gives a file a name with a part of its hash, so that browsers may keep it
// for good.
func (p *pages) addAsset(file string, body []byte) {
	sum := sha256.Sum256(body)
	ext := path.Ext(file)
	name := strings.TrimSuffix(file, ext) + "-" + hex.EncodeToString(sum[:6]) + ext
	p.names[file] = name
	p.assets[name] = asset{body, mime.TypeByExtension(ext)}
}

// readTexts reads the languages. Their files hold texts by group and key; a text
// of two lines is a heading and what stands below it.
func (p *pages) readTexts(tags []string) error {
	for _, tag := range tags {
		body, err := pageFiles.ReadFile("pages/" + tag + ".json")
		if err != nil {
			return err
		}
		var groups map[string]map[string]string
		if err := json.Unmarshal(body, &groups); err != nil {
			return err
		}
		texts := make(map[string]string)
		for group, entries := range groups {
			for key, text := range entries {
				key = strings.TrimPrefix(group+"."+key, ".")
				if heading, below, ok := strings.Cut(text, "\n"); ok {
					texts[key+".heading"], texts[key+".text"] = heading, below
				} else {
					texts[key] = text
				}
			}
		}
		p.languages = append(p.languages, language{tag, supportedLanguages[tag], texts})
	}
	return nil
}

// replaceTemplates puts custom in place of the built-in templates that it has
// the names of, and tries all pages.
func (p *pages) replaceTemplates(custom *template.Template) error {
	set, err := custom.Clone()
	if err != nil {
		return err
	}
	replaces := false
	for _, t := range p.builtin.Templates() {
		if own := set.Lookup(t.Name()); own != nil && own.Tree != nil {
			replaces = true
		} else if _, err := set.AddParseTree(t.Name(), t.Tree.Copy()); err != nil {
			return err
		}
	}
	if !replaces {
		return errors.New("none of its templates is called like a page, such as \"login.html\"")
	}
	p.templates = set
	return p.try()
}

// try renders all pages, which finds most that can be wrong with a template.
func (p *pages) try() error {
	for _, samples := range []map[string]PageData{fullSamples, bareSamples} {
		for name, data := range samples {
			for _, l := range p.languages {
				data.lang = l
				if _, err := p.execute(p.templates, name, data); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// execute renders a page into memory, so that half a page is never sent.
func (p *pages) execute(set *template.Template, name string, data PageData) ([]byte, error) {
	data.pages = p
	if data.Name == "" {
		data.Name = name
	}
	var body bytes.Buffer
	err := set.ExecuteTemplate(&body, name+".html", data)
	return body.Bytes(), err
}

// render answers with a page.
func (g *Gate) render(w http.ResponseWriter, r *http.Request, status int, name string, p PageData) {
	p.lang = g.pages.languageFor(r.Header.Get("Accept-Language"))
	body, err := g.pages.execute(g.pages.templates, name, p)
	if err != nil {
		g.config.Logger.ErrorContext(r.Context(), "scangate: rendering a page", "page", name, "error", err)
		status = http.StatusInternalServerError
		sorry := PageData{Name: "error.unavailable", NextURL: g.urls.path("login"), lang: p.lang}
		body, _ = g.pages.execute(g.pages.builtin, "message", sorry) // which the tests see succeed
	}
	h := w.Header()
	if p.Token != "" || p.FinishURL != "" {
		// Under no-referrer a form is sent with "Origin: null", by which browsers
		// without Sec-Fetch-Site could not show that it comes from here.
		h.Set("Referrer-Policy", "same-origin")
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", p.lang.attr)
	h.Add("Vary", "Accept-Language")
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // html/template has escaped it; and a client that has gone needs no answer
}

// languageFor returns the language that an Accept-Language header (RFC 9110, section
// 12.5.4) asks for, by the primary tag alone: for "zh-TW" that is "zh". No more than
// 256 bytes of the header count.
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

// formPage is what all pages with a form for the authorizer are told of a login.
func (g *Gate) formPage(r *http.Request, l *login.Login) PageData {
	return PageData{Purpose: string(l.Purpose()), Token: g.cookies.key(r).FormToken(l.ID())}
}

// confirmPage is what the person is asked about.
func (g *Gate) confirmPage(r *http.Request, l *login.Login) PageData {
	p := g.formPage(r, l)
	_, p.TargetName = l.Target()
	p.Nickname = l.Person().Nickname
	if l.Kind() == login.CrossDevice { // otherwise there is no other screen
		from := l.Origin()
		p.Browser, p.System, p.Address = from.Browser, from.System, from.Address
		p.Number, p.MatchNumber = l.Number(), g.config.MatchNumber
	}
	return p
}

// renderDone tells the person what their answer has done.
func (g *Gate) renderDone(w http.ResponseWriter, r *http.Request, l *login.Login, name string) {
	p := PageData{Name: name, Purpose: string(l.Purpose())}
	if l.Kind() == login.SameDevice {
		p.NextURL = l.ReturnTo()
	}
	g.render(w, r, http.StatusOK, "done", p)
}

// secondsUntil rounds up, so that at zero the time has come.
func secondsUntil(t time.Time) int {
	return max(int((time.Until(t)+time.Second-1)/time.Second), 0)
}

// serveAsset serves a style or a script, which never changes under its name.
func (g *Gate) serveAsset(w http.ResponseWriter, r *http.Request) error {
	a, ok := g.pages.assets[r.PathValue("name")]
	if !ok {
		return login.ErrUnknown
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Type", a.contentType)
	_, _ = w.Write(a.body)
	return nil
}
