package scangate

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/scangate/scangate/internal/pages"
)

// checkPages checks the appearance of the pages. [New] checks the templates.
func (c *Config) checkPages(faults *configErrors) {
	p := &c.Pages
	p.checkTexts(faults)
	if p.AccentColor != "" && pages.CheckColor(p.AccentColor) != nil {
		faults.add("Pages.AccentColor", "%q is not a color like \"#07c160\"", p.AccentColor)
		p.AccentColor = ""
	}
	if p.Logo != "" && !pages.IsImageData(p.Logo) && (p.Logo == "/" || localPath(p.Logo) != p.Logo) {
		faults.add("Pages.Logo", "%.40q is neither a path on this server nor a data:image/ URL", p.Logo)
		p.Logo = ""
	}
	p.checkLinks(faults)
}

// checkTexts checks the application's own texts, and the languages of the pages.
func (p *Pages) checkTexts(faults *configErrors) {
	before := len(faults.list)
	found, err := pages.Texts(p.Texts).Check()
	faults.addError("Pages.Texts", err)
	wrong := make(map[string]bool) // tags
	for _, fault := range found {
		faults.addError("Pages.Texts", fault)
		wrong[fault.Language] = wrong[fault.Language] || fault.Key == ""
	}
	for _, tag := range slices.Sorted(maps.Keys(p.Texts)) {
		if len(p.Languages) > 0 && !wrong[tag] && !slices.Contains(p.Languages, tag) {
			faults.add("Pages.Texts", "%q is not among Pages.Languages, so no page would show its texts", tag)
		}
	}
	for i, tag := range p.Languages {
		if _, own := p.Texts[tag]; !own && !pages.Supported(tag) || slices.Contains(p.Languages[:i], tag) {
			faults.add("Pages.Languages", "%q is not \"zh\", \"zh-Hant\" or \"en\" and has no Texts, or is repeated", tag)
			break
		}
	}
	if len(faults.list) > before {
		p.Texts, p.Languages = nil, nil
	}
}

// The bounds of links.
const (
	maxTerms    = 5
	maxLinks    = 10
	maxLinkText = 100 // characters
)

// checkLinks checks the links of the pages.
func (p *Pages) checkLinks(faults *configErrors) {
	before := len(faults.list)
	for _, field := range []struct {
		name             string
		links            []Link
		most             int
		url, withVersion bool // required
	}{
		{"Pages.Terms", p.Terms, maxTerms, true, true},
		{"Pages.Links", p.Links, maxLinks, true, false},
		{"Pages.Footer", p.Footer, maxLinks, false, false},
	} {
		if len(field.links) > field.most {
			faults.add(field.name, "%d links are more than %d", len(field.links), field.most)
		}
		for i, link := range field.links {
			name := fmt.Sprintf("%s[%d]", field.name, i)
			for _, fault := range link.textFaults(p.Texts) {
				faults.add(name, "%s", fault)
			}
			if fault := link.urlFault(field.url); fault != "" {
				faults.add(name, "%s", fault)
			}
			if fault := link.versionFault(field.withVersion); fault != "" {
				faults.add(name, "%s", fault)
			}
		}
	}
	if len(faults.list) > before {
		p.Terms, p.Links, p.Footer = nil, nil, nil
	}
}

// textFaults returns the faults of the link's texts.
func (l *Link) textFaults(texts pages.Texts) []string {
	var faults []string
	check := func(name, text string) {
		switch {
		case strings.TrimSpace(text) == "":
			faults = append(faults, name+" is empty")
		case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
			faults = append(faults, fmt.Sprintf("%s %.40q contains control characters or is not UTF-8", name, text))
		case utf8.RuneCountInString(text) > maxLinkText:
			faults = append(faults, fmt.Sprintf("%s %.40q... has more than %d characters", name, text, maxLinkText))
		}
	}
	check("Text", l.Text)
	for _, tag := range slices.Sorted(maps.Keys(l.Texts)) {
		if err := texts.CheckTag(tag); err != nil {
			faults = append(faults, "Texts: "+err.Error())
		}
		check(fmt.Sprintf("Texts[%.40q]", tag), l.Texts[tag])
	}
	return faults
}

// urlFault returns why the link's URL cannot be used, or "".
func (l *Link) urlFault(required bool) string {
	switch {
	case l.URL == "" && required:
		return "URL is empty"
	case l.URL == "" || localPath(l.URL) == l.URL:
		return ""
	}
	u, err := url.Parse(l.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(l.URL) > maxReturnTo || strings.ContainsFunc(l.URL, notInURL) {
		return fmt.Sprintf("URL %.60q is neither https nor a path on this server, escaped as browsers send it", l.URL)
	}
	if fault := hostFault(u.Hostname()); fault != "" {
		return fmt.Sprintf("URL %.60q %s", l.URL, fault)
	}
	return ""
}

// notInURL reports whether a URL contains c only in an escaped form. Browsers read a
// backslash as a slash.
func notInURL(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune("\\\"<>^`{|}", c) }

// versionFault returns why the link's version cannot be used, or "".
func (l *Link) versionFault(required bool) string {
	switch {
	case !required && l.Version != "":
		return "only Pages.Terms have a Version"
	case required && (l.Version == "" || len(l.Version) > 32 || strings.ContainsFunc(l.Version, notInVersion)):
		return fmt.Sprintf("Version %.40q is not 1 to 32 letters, digits, dots, underscores and hyphens, such as \"2025-06-01\"", l.Version)
	}
	return ""
}

// notInVersion reports whether a version must not contain c. A blank would join versions,
// as in [Event.Terms].
func notInVersion(c rune) bool {
	return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && !strings.ContainsRune("._-", c)
}
