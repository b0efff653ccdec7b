package pages

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Texts are an application's own texts, by language tag and key.
type Texts map[string]map[string]string

// TextFault is a mistake in Texts. Its key is empty if the language is at fault.
type TextFault struct{ Language, Key, Fault string }

// Error implements error.
func (f TextFault) Error() string {
	if f.Key == "" {
		return fmt.Sprintf("%.40q %s", f.Language, f.Fault)
	}
	return fmt.Sprintf("%.40q: the text %.60q %s", f.Language, f.Key, f.Fault)
}

// maxText bounds one text, in characters.
const maxText = 1000

// Check returns all faults of t, sorted by language and key.
func (t Texts) Check() ([]TextFault, error) {
	builtin, err := readLanguage(english, nil)
	if err != nil {
		return nil, err
	}
	var faults []TextFault
	seen := make(map[string]bool)
	for _, tag := range slices.Sorted(maps.Keys(t)) {
		if fault := tagFault(tag); fault != "" {
			faults = append(faults, TextFault{Language: tag, Fault: fault})
			continue
		}
		if seen[strings.ToLower(tag)] {
			faults = append(faults, TextFault{Language: tag, Fault: "is there twice, in other letter case"})
		}
		seen[strings.ToLower(tag)] = true
		for _, key := range slices.Sorted(maps.Keys(t[tag])) {
			if fault := textFault(builtin.texts, key, t[tag][key]); fault != "" {
				faults = append(faults, TextFault{tag, key, fault})
			}
		}
	}
	return faults, nil
}

// Missing returns the keys without a text in t, for a language that the gate does not ship.
// Pages in that language show the English texts instead.
func (t Texts) Missing(tag string) ([]string, error) {
	if Supported(tag) {
		return nil, nil
	}
	builtin, err := readLanguage(english, nil)
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, key := range slices.Sorted(maps.Keys(builtin.texts)) {
		if _, ok := t[tag][key]; !ok {
			missing = append(missing, key)
		}
	}
	return missing, nil
}

// tagPattern is the form of a language tag (RFC 5646, section 2.1), without private use.
var tagPattern = regexp.MustCompile(`^[a-z]{2,8}(-[A-Za-z0-9]{2,8}){0,3}$`)

// CheckTag returns an error if no page can be in the language of that tag, given the texts.
func (t Texts) CheckTag(tag string) error {
	if _, own := t[tag]; !own && !Supported(tag) {
		return fmt.Errorf("the pages have no texts in the language %.40q", tag)
	}
	return nil
}

// tagFault returns why a tag cannot name the language of texts, or "".
func tagFault(tag string) string {
	switch primary, _, _ := strings.Cut(tag, "-"); {
	case tag == "":
		return "is no language: name one by its tag, such as \"ja\""
	case !tagPattern.MatchString(tag):
		return "is not a language tag like \"ja\" or \"pt-BR\""
	case (primary == chinese || primary == "cmn" || primary == "yue") && !Supported(tag):
		// Accept-Language tells the two scripts apart, and nothing else of Chinese.
		return "is not one of the tags for Chinese, \"zh\" and \"zh-Hant\""
	}
	return ""
}

var placePattern = regexp.MustCompile(`\{[a-z]+\}`)

// appPlace is the place of the application's name, which may be in any text. Each other
// place is in one text or two, exactly once.
const appPlace = "{app}"

// textFault returns why a text cannot replace the built-in one of that key, or "".
func textFault(builtin map[string]string, key, text string) string {
	replaced, known := builtin[key]
	switch {
	case !known:
		return "does not exist: docs/pages.md lists the keys"
	case strings.TrimSpace(text) == "":
		return "is empty"
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return "contains control characters or is not UTF-8"
	case utf8.RuneCountInString(text) > maxText:
		return fmt.Sprintf("has more than %d characters", maxText)
	}
	required := placePattern.FindAllString(replaced, -1)
	for _, place := range required {
		switch n := strings.Count(text, place); {
		case place == appPlace:
		case n == 0:
			return "lacks " + place
		case n > 1:
			return "repeats " + place
		}
	}
	rest := text
	for _, place := range append(required, appPlace) {
		rest = strings.ReplaceAll(rest, place, "")
	}
	if i := strings.IndexAny(rest, "{}"); i >= 0 {
		return fmt.Sprintf("has an unknown placeholder at %.20q", rest[i:])
	}
	return ""
}
