package pages

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The tags of the languages that pages exist in: zh is Simplified Chinese.
const (
	chinese     = "zh"
	traditional = "zh-Hant"
	english     = "en"
)

// supported maps the tags to lang attributes.
var supported = map[string]string{chinese: "zh-CN", traditional: "zh-Hant", english: "en"}

// Supported reports whether the gate ships texts in the language with that tag.
func Supported(tag string) bool { return supported[tag] != "" }

// Language is the texts in one language.
type Language struct {
	tag   string // as in Options.Languages
	attr  string
	texts map[string]string
}

// Tag returns the tag of the language, as in Options.Languages.
func (l Language) Tag() string { return l.tag }

// Attr returns the value of a page's lang attribute, such as "zh-CN".
func (l Language) Attr() string { return l.attr }

// readLanguage returns the texts of a language, with own in the place of those that have
// the same keys. A language that the gate does not ship has the English texts below own.
func readLanguage(tag string, own map[string]string) (Language, error) {
	if !Supported(tag) {
		if own == nil {
			return Language{}, fmt.Errorf("there are no texts in the language %q", tag)
		}
		texts, err := readTexts(english)
		maps.Copy(texts, own)
		return Language{tag, tag, texts}, err
	}
	texts, err := readTexts(tag)
	maps.Copy(texts, own)
	return Language{tag, supported[tag], texts}, err
}

// readTexts reads the texts of a language that the gate ships. Its file has them by group
// and key. A text of two lines is a heading and the text below it.
func readTexts(tag string) (map[string]string, error) {
	texts := make(map[string]string)
	body, err := files.ReadFile("files/" + tag + ".json")
	if err != nil {
		return texts, err
	}
	var groups map[string]map[string]string
	if err := json.Unmarshal(body, &groups); err != nil {
		return texts, err
	}
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
	return texts, nil
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

// Texts returns the texts whose keys begin with one of the prefixes.
func (l Language) Texts(prefixes ...string) map[string]string {
	texts := make(map[string]string)
	for key, text := range l.texts {
		if slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(key, prefix) }) {
			texts[key] = text
		}
	}
	return texts
}

// LanguageFor returns the language that an Accept-Language header (RFC 9110, section
// 12.5.4) prefers. A header that names no language gets the first one, and one that names
// none of the pages' languages gets the fallback. LanguageFor ignores malformed ranges,
// and the header beyond 256 bytes.
func (s *Set) LanguageFor(header string) Language {
	ranges := parseRanges(header)
	order := s.languages
	if slices.ContainsFunc(ranges, func(r languageRange) bool { return r.primary != "*" }) {
		order = s.fallbackFirst
	}
	best, preferred := order[0], preference{}
	var refused []string
	for _, l := range order {
		p, named := preferenceFor(l.tag, ranges)
		if p.over(preferred) {
			best, preferred = l, p
		}
		if named && p.q == 0 {
			refused = append(refused, l.tag)
		}
	}
	if preferred.q > 0 {
		return best
	}
	// No language is wanted. Any language is better than one that the browser refuses.
	for _, l := range order {
		if !slices.Contains(refused, l.tag) {
			return l
		}
	}
	return best
}

// LanguageNamed returns the language that a tag chooses, as the range of an Accept-Language
// header does: "en-GB" chooses "en", and "zh-TW" chooses "zh-Hant". It reports false if the
// pages have no such language, or tag is not a language tag.
func (s *Set) LanguageNamed(tag string) (Language, bool) {
	if !tagPattern.MatchString(strings.ToLower(tag)) {
		return Language{}, false
	}
	ranges := []languageRange{newRange(strings.ToLower(tag))}
	var named Language
	var preferred preference
	for _, l := range s.languages {
		if p, _ := preferenceFor(l.tag, ranges); p.over(preferred) {
			named, preferred = l, p
		}
	}
	return named, preferred.match != matchNone
}

// preference is how much a browser wants one of the pages' languages.
type preference struct {
	q     float64
	place int // of the range in the header
	match match
	size  int // of the language's tag, if the range begins with it
}

// over reports whether a language with preference p is chosen over one with preference o.
func (p preference) over(o preference) bool {
	switch {
	case p.q != o.q:
		return p.q > o.q
	case p.place != o.place:
		return p.place < o.place
	case p.match != o.match:
		return p.match > o.match
	}
	return p.size > o.size
}

// preferenceFor returns the preference for the language with that tag, by the ranges that
// match it best, and reports whether a range names the language.
func preferenceFor(tag string, ranges []languageRange) (preference, bool) {
	var best preference
	for i, r := range ranges {
		p := preference{q: r.q, place: i, match: r.matches(tag)}
		switch p.match {
		case matchAny:
			p.place = len(ranges) // languages that the browser names go first
		case matchExact:
			p.size = len(tag)
		}
		if p.match == matchNone || p.match == matchSimilar && p.q == 0 {
			continue // a browser may refuse one script and not the other
		}
		if p.match > best.match || p.match == best.match && p.over(best) {
			best = p
		}
	}
	return best, best.match > matchSimilar
}

// match is how well a range of a header matches a language.
type match int

const (
	matchNone    match = iota
	matchAny           // the range is "*"
	matchSimilar       // Chinese in the other script, or the same language elsewhere
	matchWider         // Chinese in any script, for Traditional Chinese; "pt" for "pt-BR"
	matchExact         // the range is the tag, or begins with it
)

// languageRange is one range of an Accept-Language header.
type languageRange struct {
	tag     string // in lower case
	primary string // "zh" for all of Chinese
	script  string // "hans" or "hant" if the range implies one
	q       float64
}

// matches returns how well r matches the language with that tag.
func (r languageRange) matches(tag string) match {
	if r.primary == "*" {
		return matchAny
	}
	if tag == chinese || tag == traditional {
		return r.matchesChinese(tag)
	}
	tag = strings.ToLower(tag)
	switch primary, _, _ := strings.Cut(tag, "-"); {
	case r.primary != primary:
		return matchNone
	case r.tag == tag || strings.HasPrefix(r.tag, tag+"-"):
		return matchExact
	case strings.HasPrefix(tag, r.tag+"-"):
		return matchWider
	}
	return matchSimilar
}

// matchesChinese is matches for "zh" and "zh-Hant".
func (r languageRange) matchesChinese(tag string) match {
	switch {
	case r.primary != chinese:
		return matchNone
	case (tag == traditional) == (r.script == "hant"):
		return matchExact
	case r.script == "":
		return matchWider
	}
	return matchSimilar
}

// parseRanges returns the well-formed ranges of an Accept-Language header.
func parseRanges(header string) []languageRange {
	const limit = 256
	if len(header) > limit {
		// Half a range could mean another language, and half a weight refuses one.
		header = header[:strings.LastIndexByte(header[:limit], ',')+1]
	}
	ranges := make([]languageRange, 0, 8)
	for part := range strings.SplitSeq(header, ",") {
		tag, weight, weighted := strings.Cut(strings.Trim(part, " \t"), ";")
		r := newRange(strings.ToLower(strings.TrimRight(tag, " \t")))
		if weighted {
			r.q = parseWeight(strings.Trim(weight, " \t"))
		}
		if r.primary != "" && r.q >= 0 {
			ranges = append(ranges, r)
		}
	}
	return ranges
}

// newRange returns a range with the weight 1.
func newRange(tag string) languageRange {
	primary, _, _ := strings.Cut(tag, "-")
	r := languageRange{tag: tag, primary: primary, q: 1}
	switch r.primary {
	case chinese, "cmn", "yue":
		r.primary = chinese
	default:
		return r
	}
	for subtag := range strings.SplitSeq(tag, "-") {
		switch subtag {
		case "hans", "hant":
			r.script = subtag
			return r
		case "tw", "hk", "mo", "yue":
			r.script = "hant" // unless the tag names the script
		case "cn", "sg", "my":
			r.script = "hans"
		}
		if len(subtag) == 1 {
			return r // an extension, or private use
		}
	}
	return r
}

// parseWeight returns the value of a weight such as "q=0.5", or -1 if it is malformed.
func parseWeight(s string) float64 {
	value, ok := strings.CutPrefix(strings.ToLower(s), "q=")
	if !ok || strings.Trim(value, "0123456789.") != "" {
		return -1
	}
	q, err := strconv.ParseFloat(value, 64)
	if err != nil || q > 1 {
		return -1
	}
	return q
}

// Languages returns all languages of the pages.
func (s *Set) Languages() []Language { return s.languages }
