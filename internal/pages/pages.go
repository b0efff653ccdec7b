// Package pages holds what the gate's pages are made of: templates, texts in each
// language, a style and a script, and QR codes. The data of a page is the root package's.
package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"mime"
	"path"
	"slices"
	"strings"
)

//go:embed files
var files embed.FS

// Options are settings of the root package's Config that all pages depend on.
type Options struct {
	App         string // the application's name
	Logo        string // a URL that is safe to use, or ""
	BasePath    string // where the gate's routes are, without a slash at the end
	AccentColor string // as CheckColor accepts it, or "" for the style's own
	Languages   []string
	Texts       Texts  // as Check accepts them
	Terms       []Link // documents that a person has to agree to
	Links       []Link // other ways to log in, and help
	Footer      []Link // at the foot of every page
	Fallback    string // for browsers that want none of Languages; the first if it is empty
}

// Set is the pages of one gate. It is safe for concurrent use once it is set up.
type Set struct {
	app       string
	logo      template.URL
	basePath  string
	builtin   *template.Template
	templates *template.Template // the built-in ones, or the set that replaces some of them
	shapes    shapes             // of the built-in ones
	languages []Language         // the first is for browsers that name none
	// fallbackFirst are the languages with Options.Fallback in front, for browsers that
	// name other languages.
	fallbackFirst []Language
	terms         []Link
	links         []Link
	footer        []Link
	assets        map[string]Asset  // by name
	names         map[string]string // of assets, by file
	tag           Asset             // the script of the element scangate-login
	codes         QRCodes
}

// Asset is a style, a script, or the data of a script.
type Asset struct {
	Body        []byte
	ContentType string
	Sum         string // a part of the body's hash: another body has another one
}

// NewAsset returns an asset with that body.
func NewAsset(body []byte, contentType string) Asset {
	sum := sha256.Sum256(body)
	return Asset{body, contentType, hex.EncodeToString(sum[:6])}
}

// New returns the built-in pages. It requires options that have been checked.
func New(o Options) (*Set, error) {
	s := &Set{
		app: o.App, basePath: o.BasePath, terms: o.Terms, links: o.Links, footer: o.Footer, assets: map[string]Asset{}, names: map[string]string{},
		logo: template.URL(o.Logo), //nolint:gosec // Config's check allows paths and pictures only
	}
	for _, tag := range o.Languages {
		l, err := readLanguage(tag, o.Texts[tag])
		if err != nil {
			return nil, fmt.Errorf("reading the texts: %w", err)
		}
		s.languages = append(s.languages, l)
		if tag == o.Fallback {
			s.fallbackFirst = slices.Insert(s.fallbackFirst, 0, l)
		} else {
			s.fallbackFirst = append(s.fallbackFirst, l)
		}
	}
	err := s.addAssets(o.AccentColor)
	if err != nil {
		return nil, fmt.Errorf("reading the assets: %w", err)
	}
	if s.builtin, err = template.ParseFS(files, "files/*.html"); err != nil {
		return nil, fmt.Errorf("parsing the pages: %w", err)
	}
	s.templates = s.builtin
	return s, nil
}

// addAssets reads the style and the script of the pages.
func (s *Set) addAssets(accentColor string) error {
	style, err := files.ReadFile("files/style.css")
	if err != nil {
		return err
	}
	if accentColor != "" {
		style = append(style, accentRules(accentColor)...)
	}
	script, err := readScript("script.js")
	if err != nil {
		return err
	}
	s.addAsset("style.css", style)
	s.addAsset("script.js", script)
	return s.addTag(style)
}

// readScript returns a script with follow.js in front of it. A function around both keeps
// their names out of the page's other scripts.
func readScript(file string) ([]byte, error) {
	script := []byte("(() => {\n")
	for _, part := range []string{"follow.js", file} {
		body, err := files.ReadFile("files/" + part)
		if err != nil {
			return nil, err
		}
		script = append(script, body...)
	}
	return append(script, "})();\n"...), nil
}

// addAsset adds a file under a name that contains a part of its hash. Browsers may keep it:
// its name changes with its body.
func (s *Set) addAsset(file string, body []byte) {
	ext := path.Ext(file)
	a := NewAsset(body, mime.TypeByExtension(ext))
	name := strings.TrimSuffix(file, ext) + "-" + a.Sum + ext
	s.names[file] = name
	s.assets[name] = a
}

// Replace makes s use the templates of custom for the pages that they are named after. It
// does not execute them, and has to be called before s is used.
func (s *Set) Replace(custom *template.Template) error {
	set, err := custom.Clone()
	if err != nil {
		return err
	}
	replaces := false
	for _, t := range s.builtin.Templates() {
		if own := set.Lookup(t.Name()); own != nil && own.Tree != nil {
			replaces = true
		} else if _, err := set.AddParseTree(t.Name(), t.Tree.Copy()); err != nil {
			return err
		}
	}
	if !replaces {
		return errors.New("none of its templates is called like a page, such as \"login.html\"")
	}
	s.templates = set
	return nil
}

// Execute renders a page, such as "login". Its result is complete or an error, so the
// caller never sends half a page.
func (s *Set) Execute(name string, data any) ([]byte, error) {
	return execute(s.templates, name, data)
}

// ExecuteBuiltin is Execute with the built-in template, also if another replaces it.
func (s *Set) ExecuteBuiltin(name string, data any) ([]byte, error) {
	return execute(s.builtin, name, data)
}

func execute(set *template.Template, name string, data any) ([]byte, error) {
	var body bytes.Buffer
	if err := set.ExecuteTemplate(&body, name+".html", data); err != nil {
		return nil, err
	}
	return body.Bytes(), nil
}

// QRCode returns the QR code of a text.
func (s *Set) QRCode(text string) (QRCode, error) { return s.codes.Encode(text) }

// App returns Options.App.
func (s *Set) App() string { return s.app }

// Logo returns Options.Logo.
func (s *Set) Logo() template.URL { return s.logo }

// AssetPath returns the path of an asset by its file: "style.css" or "script.js".
func (s *Set) AssetPath(file string) string { return s.basePath + "/assets/" + s.names[file] }

// Asset returns the asset of that name, which is the end of its path.
func (s *Set) Asset(name string) (Asset, bool) {
	a, ok := s.assets[name]
	return a, ok
}

// IsImageData reports whether s is a data URL of an image. It refuses characters that a
// URL does not contain or that could end an attribute.
func IsImageData(s string) bool {
	rest, ok := strings.CutPrefix(s, "data:image/")
	return ok && strings.Contains(rest, ",") && !strings.ContainsFunc(rest, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>'
	})
}
