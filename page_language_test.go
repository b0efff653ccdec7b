package scangate_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

func TestCaseA23PagesByLanguage(t *testing.T) {
	w := newWorld(t)
	for header, want := range map[string]string{
		"en ; q=0.5 , zh ; q=0.4":             `lang="en"`,
		"zh;q=0, *":                           `lang="en"`,
		"ja":                                  `lang="en"`,
		"zh-TW":                               `lang="zh-Hant"`,
		"zh-HK,zh;q=0.9,en;q=0.8":             `lang="zh-Hant"`,
		"zh-Hant":                             `lang="zh-Hant"`,
		"zh-CN,zh;q=0.9,en;q=0.8,zh-TW;q=0.7": `lang="zh-CN"`,
	} {
		a := w.desktop().get("/wechat/login", "Accept-Language", header)
		if !strings.Contains(a.body, want) || want != `lang="`+a.Header.Get("Content-Language")+`"` {
			t.Errorf("Accept-Language %q: Content-Language %q, want a page with %s", header, a.Header.Get("Content-Language"), want)
		}
	}
	if a := w.desktop().get("/wechat/login", "Accept-Language", "zh-TW"); !strings.Contains(a.body, "登入") || strings.Contains(a.body, "登录") {
		t.Errorf("the page for zh-TW is not in Traditional Chinese:\n%s", a.body)
	}
}

func TestCaseA23TwoHeaderLines(t *testing.T) {
	w := newWorld(t)
	r := httptest.NewRequest(http.MethodGet, appURL+"/wechat/login", nil)
	r.Header["Accept-Language"] = []string{"ja", "zh-TW;q=0.5"}
	recorder := httptest.NewRecorder()
	w.gate.ServeHTTP(recorder, r)
	if got := recorder.Header().Get("Content-Language"); got != "zh-Hant" {
		t.Errorf("Accept-Language in two lines: Content-Language = %q, want zh-Hant", got)
	}
}

func TestCaseA23ConfiguredLanguages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		languages    []string
		header, want string
	}{
		{[]string{"zh-Hant"}, "en", "zh-Hant"},
		{[]string{"zh-Hant", "en"}, "zh-CN", "zh-Hant"},
		{[]string{"zh-Hant", "en"}, "ja", "zh-Hant"},
		{[]string{"zh", "en"}, "ja", "zh-CN"},
		{[]string{"zh", "en"}, "zh-TW", "zh-CN"},
		{[]string{"en", "zh-Hant", "zh"}, "", "en"},
	} {
		w := newWorld(t, func(c2 *scangate.Config) { c2.Pages.Languages = c.languages })
		if got := w.desktop().get("/wechat/login", "Accept-Language", c.header).Header.Get("Content-Language"); got != c.want {
			t.Errorf("of %v, Accept-Language %q: Content-Language = %q, want %q", c.languages, c.header, got, c.want)
		}
	}
}

func TestCaseA23UnknownLanguagesAreRefused(t *testing.T) {
	for _, tag := range []string{"zh-TW", "zh-hant", "Zh-Hant", "zh-Hans", "ja", ""} {
		_, err := scangate.New(scangate.Config{
			PublicURL: appURL, OfficialAccount: official, Pages: scangate.Pages{Languages: []string{"zh", tag}},
		})
		if err == nil || !strings.Contains(err.Error(), "Pages.Languages") || !strings.Contains(err.Error(), `"zh-Hant"`) {
			t.Errorf("New with the language %q: %v, want an error that lists the languages", tag, err)
		}
	}
}
