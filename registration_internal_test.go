package scangate

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCleanNickname(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "林小北", "林小北"},
		{"emoji", "月月🌙🐰", "月月🌙🐰"},
		{"joined emoji", "👩‍👩‍👧", "👩‍👩‍👧"},
		{"spaces around", "  Wang Wei\t", "Wang Wei"},
		{"control characters", "a\x00b\nc\x1b[31m", "abc[31m"},
		{"a right-to-left override", "a\u202egpj.exe", "agpj.exe"},
		{"isolates and marks", "\u2066a\u2069\u200fb", "ab"},
		{"line separators", "a\u2028b\u2029c", "abc"},
		{"broken UTF-8", "a\xff\xfeb", "a\ufffdb"},
		{"long", strings.Repeat("啊", 10_000), strings.Repeat("啊", 64)},
		{"markup stays text", "<script>", "<script>"},
		{"empty", "", ""},
	} {
		if got := cleanNickname(c.in); got != c.want || !utf8.ValidString(got) {
			t.Errorf("cleanNickname, %s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestCleanAvatarURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://thirdwx.qlogo.cn/mmopen/vi_32/x/132": "https://thirdwx.qlogo.cn/mmopen/vi_32/x/132",
		"http://thirdwx.qlogo.cn/x/132":               "https://thirdwx.qlogo.cn/x/132",
		"":                                            "",
		"javascript:alert(1)":                         "",
		"data:text/html,x":                            "",
		"//thirdwx.qlogo.cn/x":                        "",
		"https://a b":                                 "",
		"https://" + strings.Repeat("a", 2000):        "",
	} {
		if got := cleanAvatarURL(in); got != want {
			t.Errorf("cleanAvatarURL(%q) = %q, want %q", in, got, want)
		}
	}
}
