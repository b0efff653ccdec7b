package pages

// Link is a link on the pages. Without a URL it is plain text.
type Link struct {
	Text    string
	Texts   map[string]string // by language tag
	URL     string            // https, or a local path
	Version string            // of a document to agree to
}

// localized returns the links with their texts in the language.
func localized(links []Link, l Language) []Link {
	shown := make([]Link, len(links))
	for i, link := range links {
		shown[i] = link
		if text := link.Texts[l.tag]; text != "" {
			shown[i].Text = text
		}
	}
	return shown
}

// Terms returns Options.Terms in the language.
func (s *Set) Terms(l Language) []Link { return localized(s.terms, l) }

// Links returns Options.Links in the language.
func (s *Set) Links(l Language) []Link { return localized(s.links, l) }

// Footer returns Options.Footer in the language.
func (s *Set) Footer(l Language) []Link { return localized(s.footer, l) }
