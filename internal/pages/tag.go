package pages

import (
	"encoding/json"
	"regexp"
	"strings"
)

// addTag makes the element scangate-login of its script, and of its style, which begins with
// that of the pages.
func (s *Set) addTag(style []byte) error {
	own, err := files.ReadFile("files/login.css")
	if err != nil {
		return err
	}
	s.addAsset("login.css", []byte(shadowStyle(string(style))+string(own)))
	script, err := readScript("login.js")
	if err != nil {
		return err
	}
	constants, err := json.Marshal(map[string]string{"base": s.basePath, "style": s.AssetPath("login.css")})
	if err != nil {
		return err
	}
	body := strings.Replace(compact(string(script)), "SCANGATE", string(constants), 1)
	s.tag = NewAsset([]byte(body), "text/javascript; charset=utf-8")
	return nil
}

// compact returns a script without indentation, empty lines, and lines that are comments. No
// text of the script may span lines.
func compact(script string) string {
	var kept strings.Builder
	for line := range strings.Lines(script) {
		line = strings.TrimLeft(line, " \t")
		if line != "\n" && !strings.HasPrefix(line, "//") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// Tag returns the script of the element scangate-login. It belongs to the gate whose pages
// these are.
func (s *Set) Tag() Asset { return s.tag }

// darkRules matches the values of a style for the dark scheme.
var darkRules = regexp.MustCompile(`@media ?\(prefers-color-scheme: ?dark\) ?{\s*:root ?({[^}]*})\s*}`)

// shadowStyle returns a style of pages as one of a shadow root. The element stands in the
// place of the page, and its attribute "scheme" forces the light or the dark scheme.
func shadowStyle(style string) string {
	dark := `@media (prefers-color-scheme: dark) { :host(:not([scheme=light])) $1 }` + "\n" + `:host([scheme=dark]) $1`
	return strings.ReplaceAll(darkRules.ReplaceAllString(style, dark), ":root", ":host")
}
