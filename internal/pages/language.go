package pages

import (
	"encoding/json"
	"strconv"
	"strings"
)

// supported maps the tags of the languages that pages exist in to lang attributes.
var supported = map[string]string{"zh": "zh-CN", "en": "en"}

// Supported reports whether pages exist in the language with that tag.
func Supported(tag string) bool { return supported[tag] != "" }

// Language is the texts in one language.
type Language struct {
	tag   string // as in Options.Languages
	attr  string
	texts map[string]string
}

// Attr returns the value of a page's lang attribute, such as "zh-CN".
func (l Language) Attr() string { return l.attr }

// readLanguage reads the texts of a language. Its file has them by group and key. A text
// of two lines is a heading and the text below it.
func readLanguage(tag string) (Language, error) {
	body, err := files.ReadFile("files/" + tag + ".json")
	if err != nil {
		return Language{}, err
	}
	var groups map[string]map[string]string
	if err := json.Unmarshal(body, &groups); err != nil {
		return Language{}, err
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
	return Language{tag, supported[tag], texts}, nil
}

// Text returns the text of a key, and reports whether there is one. A key that begins with
// a dot, such as ".heading", is completed by the page's name. Text prefers the text for the
// purpose of the login, then the page's text for any purpose, then the one that all pages
// share.
func (l Language) Text(page, purpose, key string) (string, bool) {
	own := key
	if strings.HasPrefix(key, ".") {
		own = page + key
	}
	if purpose != "" {
		if text, ok := l.texts[own+"."+purpose]; ok {
			return text, true
		}
	}
	text, ok := l.texts[own]
	if !ok {
		text, ok = l.texts[strings.TrimPrefix(key, ".")]
	}
	return text, ok
}

// LanguageFor returns the language that an Accept-Language header (RFC 9110, section
// 12.5.4) prefers, or the default. It compares primary tags only: "zh-TW" means "zh". It
// ignores the header beyond 256 bytes.
func (s *Set) LanguageFor(header string) Language {
	best, bestQ := s.languages[0], 0.0
	for part := range strings.SplitSeq(header[:min(len(header), 256)], ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if value, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			q, _ = strconv.ParseFloat(value, 64) // 0, which means not wanted, if it is not a number
		}
		primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
		for _, l := range s.languages {
			if l.tag == primary && q > bestQ {
				best, bestQ = l, q
			}
		}
	}
	return best
}

// Languages returns all languages of the pages.
func (s *Set) Languages() []Language { return s.languages }
