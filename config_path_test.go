package scangate_test

import (
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

func TestCaseD07BasePathNamesTheMistake(t *testing.T) {
	t.Parallel()
	for basePath, want := range map[string]string{
		"/wechat/":   `"/wechat/" ends with a slash: use "/wechat"`,
		"/a/wechat/": `use "/a/wechat"`,
		"/wechat//":  `use "/wechat"`,
		"/":          `"/" is not a path like "/wechat"`,
		"wechat":     `"wechat" does not begin with a slash: use "/wechat"`,
		"wechat/":    `"wechat/" does not begin with a slash`,
		"/a//b":      "is not a path like",
		"/a/../b":    "is not a path like",
		"/微信":        "is not a path like",
		"/a?b":       "is not a path like",
	} {
		_, err := scangate.New(scangate.Config{PublicURL: appURL, OfficialAccount: official, BasePath: basePath})
		if err == nil || !strings.HasPrefix(err.Error(), "scangate: Config.BasePath: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("New with BasePath %q: %v, want an error with %s", basePath, err, want)
		}
	}
}

func TestCaseD07RegisterURLNamesTheMistake(t *testing.T) {
	for registerURL, want := range map[string]string{
		"/#/join":             `"/#/join" has the fragment "#/join"`,
		appURL + "/#/join":    `has the fragment "#/join"`,
		"/join#":              `has the fragment "#"`,
		"join":                "is neither a path on this server nor begins with PublicURL",
		"https://e.example/#": "is neither a path on this server nor begins with PublicURL",
		"//e":                 "is neither",
		"/../join":            "is neither",
	} {
		_, err := scangate.New(scangate.Config{
			PublicURL: appURL, OfficialAccount: official, Registration: scangate.Registration{Mode: scangate.RegisterClosed, URL: registerURL},
		})
		if err == nil || !strings.HasPrefix(err.Error(), "scangate: Config.Registration.URL: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("New with RegisterURL %q: %v, want an error with %s", registerURL, err, want)
		}
	}
}
