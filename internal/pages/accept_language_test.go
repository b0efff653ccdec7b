package pages

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// newDefaultSet returns pages in the languages of a Config that names none.
func newDefaultSet(t *testing.T) *Set {
	t.Helper()
	return newTestSet(t, func(o *Options) { o.Languages, o.Fallback = []string{"zh", "zh-Hant", "en"}, "en" })
}

func TestCaseA23AcceptLanguageByDefault(t *testing.T) {
	set := newDefaultSet(t)
	for header, want := range map[string]string{
		// as RFC 9110 writes it
		"en ; q=0.5 , zh ; q=0.4":          "en",
		"en\t;\tq=0.4\t,\tzh\t;\tq=0.5":    "zh",
		"en;Q=0.4,zh;Q=0.5":                "zh",
		",, en ,":                          "en",
		"zh;q=0.001, en;q=0.01":            "en",
		"zh;q=1.000, en;q=0.999":           "zh",
		"en,zh":                            "en",
		"zh,en":                            "zh",
		"EN-gb, zh;q=0.9":                  "en",
		"fr, de;q=0.9, zh;q=0.1":           "zh",
		"en-US-u-ca-chinese, zh-CN;q=0.5":  "en",
		"en;q=0.5, zh;q=0.5, en-GB;q=0.4":  "en",
		"zh;q=0.2, en;q=0.5, zh-CN;q=0.9":  "zh",
		"x-klingon, i-default, zh-CN;q=.5": "zh",
		// any language
		"":                                "zh",
		" ":                               "zh",
		"*":                               "zh",
		"*;q=0.5":                         "zh",
		"zh;q=0, *":                       "en",
		"zh;q=0,*;q=0.1":                  "en",
		"en;q=0, *":                       "zh",
		"*, en":                           "en",
		"*, en;q=0.5":                     "zh",
		"zh-CN;q=0, *":                    "en",
		"fr, *;q=0.1":                     "en",
		"zh;q=0.9, zh-SG;q=0.1, en;q=0.5": "zh",
		"en;q=0.5, *;q=0":                 "en",
		"ja, en;q=0.5, *;q=0":             "en",
		// not wanted
		"zh;q=0":                      "en",
		"en;q=0":                      "zh",
		"en;q=0.0, zh;q=0.000":        "en",
		"en;q=0, zh;q=0, zh-Hant;q=0": "en",
		"*;q=0":                       "zh",
		"zh-TW;q=0, zh":               "zh",
		// unknown
		"ja":                "en",
		"ja-JP,ja;q=0.9":    "en",
		"fr":                "en",
		"zha":               "en",
		"e":                 "en",
		"ja, zh-TW;q=0.001": "zh-Hant",
	} {
		if got := set.LanguageFor(header).tag; got != want {
			t.Errorf("LanguageFor(%q) = %s, want %s", header, got, want)
		}
	}
}

func TestCaseA23Traditional(t *testing.T) {
	set := newDefaultSet(t)
	for header, want := range map[string]string{
		"zh-TW":                               "zh-Hant",
		"zh-HK":                               "zh-Hant",
		"zh-MO":                               "zh-Hant",
		"zh-Hant":                             "zh-Hant",
		"ZH-hant":                             "zh-Hant",
		"zh-Hant-TW":                          "zh-Hant",
		"zh-Hant-HK":                          "zh-Hant",
		"zh-Hant-CN":                          "zh-Hant",
		"zh-yue-Hant-HK":                      "zh-Hant",
		"zh-yue-HK":                           "zh-Hant",
		"yue-Hant-HK":                         "zh-Hant",
		"yue":                                 "zh-Hant",
		"zh-TW-u-ca-buddhist":                 "zh-Hant",
		"zh":                                  "zh",
		"zh-CN":                               "zh",
		"zh-SG":                               "zh",
		"zh-MY":                               "zh",
		"zh-Hans":                             "zh",
		"zh-Hans-HK":                          "zh",
		"zh-cmn-Hans-CN":                      "zh",
		"cmn-Hans":                            "zh",
		"zh-CN-x-tw":                          "zh",
		"zh-CN-u-sd-twhant":                   "zh",
		"yue-Hans-CN":                         "zh",
		"zh-TW,zh;q=0.9,en-US;q=0.8,en;q=0.7": "zh-Hant",
		"zh-HK,zh-TW;q=0.9,zh;q=0.8,en;q=0.7,zh-CN;q=0.6": "zh-Hant",
		"zh-CN,zh;q=0.9,zh-TW;q=0.8":                      "zh",
		"en-HK,zh-HK;q=0.9":                               "en",
		"zh,zh-TW":                                        "zh",
		"zh-TW,zh-CN":                                     "zh-Hant",
		"zh-TW, zh;q=0":                                   "zh-Hant",
	} {
		if got := set.LanguageFor(header).tag; got != want {
			t.Errorf("LanguageFor(%q) = %s, want %s", header, got, want)
		}
	}
}

func TestCaseA23FewerLanguages(t *testing.T) {
	for _, c := range []struct {
		languages, fallback, header, want string
	}{
		{"zh en", "", "zh-TW", "zh"},
		{"zh en", "", "zh-TW, en;q=0.9", "zh"},
		{"zh en", "", "zh-TW;q=0.8, en;q=0.9", "en"},
		{"zh en", "", "zh-TW;q=0, en;q=0.1", "en"},
		{"zh en", "", "ja", "zh"},
		{"en zh", "", "ja", "en"},
		{"en zh", "", "zh-HK", "zh"},
		{"zh-Hant en", "", "zh-CN", "zh-Hant"},
		{"zh-Hant en", "", "zh", "zh-Hant"},
		{"zh-Hant en", "", "ja", "zh-Hant"},
		{"zh-Hant zh", "", "zh", "zh"},
		{"zh-Hant zh", "", "", "zh-Hant"},
		{"zh", "", "en", "zh"},
		{"en", "", "zh-TW", "en"},
		{"zh en", "en", "ja", "en"},
	} {
		set := newTestSet(t, func(o *Options) { o.Languages, o.Fallback = strings.Fields(c.languages), c.fallback })
		if got := set.LanguageFor(c.header).tag; got != c.want {
			t.Errorf("of %s, LanguageFor(%q) = %s, want %s", c.languages, c.header, got, c.want)
		}
	}
}

func TestCaseA23HostileHeaders(t *testing.T) {
	set := newDefaultSet(t)
	for header, want := range map[string]string{
		"en;q=NaN, zh;q=0.1":                           "zh",
		"en;q=Inf, zh;q=0.1":                           "zh",
		"en;q=1e3, zh;q=0.1":                           "zh",
		"en;q=-1, zh;q=0.1":                            "zh",
		"en;q=2, zh;q=0.1":                             "zh",
		"en;q=0x1, zh;q=0.1":                           "zh",
		"en;q=, zh;q=0.1":                              "zh",
		"en;q=0.1;q=0.9, zh;q=0.5":                     "zh",
		"en;level=1, zh;q=0.5":                         "zh",
		"\x00en, zh;q=0.1":                             "zh",
		";q=1, zh;q=0.1":                               "zh",
		strings.Repeat("a,", 100_000) + "en":           "en",
		strings.Repeat(" ", 252) + "zh;q=0.9, en":      "zh",
		strings.Repeat(" ", 240) + "en, zh-TW;q=0.001": "en",
		strings.Repeat("-", 100_000):                   "zh",
	} {
		if got := set.LanguageFor(header).tag; got != want {
			t.Errorf("LanguageFor(%.60q) = %s, want %s", header, got, want)
		}
	}
}

func TestCaseA23TraditionalTexts(t *testing.T) {
	set := newDefaultSet(t)
	zh, hant := set.languages[0].texts, set.languages[1].texts
	place := regexp.MustCompile(`\{\w+\}`)
	for key, text := range zh {
		in, inHant := place.FindAllString(text, -1), place.FindAllString(hant[key], -1)
		slices.Sort(in)
		slices.Sort(inHant)
		if hant[key] == "" || !slices.Equal(in, inHant) || strings.ContainsAny(hant[key], "%<>") {
			t.Errorf("text %s: %q in Traditional, %q in Simplified Chinese, want both, with the same places and without markup", key, hant[key], text)
		}
	}
	if len(hant) != len(zh) {
		t.Errorf("%d texts in Traditional, want %d as in Simplified Chinese", len(hant), len(zh))
	}
	// Characters of the Simplified texts that Traditional Chinese never uses.
	const simplified = "绑这机请码电脑录确认览击开链复试扫达应选择该个没务态账号继续数单页来还时关闭载处删问题实际为从户别归带权"
	for key, text := range hant {
		if i := strings.IndexAny(text, simplified); i >= 0 {
			t.Errorf("text %s: %q has the Simplified character at byte %d", key, text, i)
		}
	}
	if got := set.languages[1].Attr(); got != "zh-Hant" || !Supported("zh-Hant") {
		t.Errorf("zh-Hant: lang attribute %q, supported %t, want zh-Hant", got, Supported("zh-Hant"))
	}
}
