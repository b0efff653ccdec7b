package scangate

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestCleanNickname(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "林小北", "林小北"},
		{"emoji", "月月🌙🐰", "月月🌙🐰"},
		{"joined emoji", "👩‍👩‍👧", "👩‍👩‍👧"},
		{"emoji with a variation selector", "❤️‍🔥", "❤️‍🔥"},
		{"spaces around", "  Wang Wei\t", "Wang Wei"},
		{"spaces of every kind", "\u3000张\u00a0\u2003三\u3000", "张 三"},
		{"control characters", "a\x00b\nc\x1b[31m", "abc[31m"},
		{"a right-to-left override", "a\u202egpj.exe", "agpj.exe"},
		{"isolates and marks", "\u2066a\u2069\u200fb", "ab"},
		{"line separators", "a\u2028b\u2029c", "abc"},
		{"broken UTF-8", "a\xff\xfeb", "a\ufffdb"},
		{"long", strings.Repeat("啊", 10_000), strings.Repeat("啊", 64)},
		{"a space at the bound", strings.Repeat("a", 63) + " b", strings.Repeat("a", 63)},
		{"markup stays text", "<script>", "<script>"},
		{"empty", "", ""},

		{"Vietnamese in single characters", "Tru\u031bo\u031b\u0300ng", "Tru\u031bo\u031b\u0300ng"},
		{"Devanagari", "क्\u200dष", "क्\u200dष"},
		{"Thai", "น้ำ", "น้ำ"},
		{"invisible characters between", "L\u200bi\u2060n\ufeff\u3164\u00ad", "Lin"},
		{"tags", "a\U000e0041\U000e007f", "a"},
		{"joiners at the end and twice", "a\u200d\u200db\u200c\u200d", "a\u200db"},
		{"62 marks on a letter", "a" + strings.Repeat("\u0301", 62) + "b", "a" + strings.Repeat("\u0301", 4) + "b"},
		{"62 enclosing marks", "a" + strings.Repeat("\u20dd", 62), "a" + strings.Repeat("\u20dd", 4)},
		{"marks between invisible characters", "a" + strings.Repeat("\u0301\u200b\u034f", 30), "a" + strings.Repeat("\u0301", 4)},
		{"marks without a letter", "\u0301\u0301a \u0301b", "a b"},
	} {
		if got := cleanNickname(c.in); got != c.want || !utf8.ValidString(got) {
			t.Errorf("cleanNickname, %s: %q, want %q", c.name, got, c.want)
		}
	}
}

// invisible are names without a visible character.
var invisible = []string{
	"\u3164", "\u200b", "\u2060", "\ufeff", "\u115f", "\u1160", "\uffa0", "\u2800", "\u00ad", "\u034f", "\u061c", "\u180e",
	"\u17b4\u17b5", "\u2064", "\ufff9\ufffb", "\ufffc", "\ufffd", "\xff", "\u200d\u200c", "\U000e0041\U000e007f", "\U000e0001", "\U0001d159",
	"\U0001d173", "\U00013441", "\ufe0f", "\u180b", "\U000e0100", "\u0301\u0302", "\u0489", "\u20e3", "\u0903", "\ue000", "\U000f0000",
	"\ufdd0", "\ufff0", " ", "\u00a0", "\u1680", "\u2000\u200a", "\u202f", "\u205f", "\u3000", "\u2028\u2029", "\t\n\v\f\r\u0085",
}

func TestCleanNicknameRefusesInvisibleNames(t *testing.T) {
	for _, name := range append(invisible, strings.Join(invisible, "")) {
		if got := cleanNickname(name); got != "" {
			t.Errorf("cleanNickname(%+q) = %+q, want no name", name, got)
		}
	}
}

// FuzzCleanNickname checks that a cleaned nickname is bounded, can be seen, and stays as
// it is when it is cleaned again.
func FuzzCleanNickname(f *testing.F) {
	for _, seed := range append(slices.Clone(invisible), "林小北", "Wang Wei", "👩‍👩‍👧", "a"+strings.Repeat("\u0301", 62), "a \u200d\u0301b", "🏴\U000e0067\U000e007f") {
		f.Add(seed)
		f.Add("a" + seed + "b")
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := cleanNickname(name)
		if again := cleanNickname(got); again != got {
			t.Errorf("cleanNickname(%+q) = %+q, and cleaned again %+q, want the same", name, got, again)
		}
		if n := utf8.RuneCountInString(got); n > 64 || !utf8.ValidString(got) || got != strings.TrimSpace(got) {
			t.Errorf("cleanNickname(%+q) = %+q, want valid UTF-8 of at most 64 characters without spaces around", name, got)
		}
		if got != "" && !strings.ContainsFunc(got, func(c rune) bool { return unicode.In(c, unicode.L, unicode.N, unicode.P, unicode.S) }) {
			t.Errorf("cleanNickname(%+q) = %+q, want a visible character", name, got)
		}
		marks := 4 // none may come first
		for _, c := range got {
			switch {
			case unicode.In(c, unicode.Mn, unicode.Me):
				if marks++; marks > 4 {
					t.Fatalf("cleanNickname(%+q) = %+q, want at most 4 marks on a letter", name, got)
				}
			case c == ' ':
				marks = 4
			case !unicode.Is(unicode.Mc, c):
				marks = 0
			}
			if c != '\u200c' && c != '\u200d' && unicode.In(c, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
				t.Fatalf("cleanNickname(%+q) = %+q, want no hidden character like %U", name, got, c)
			}
		}
	})
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

func TestPictureURL(t *testing.T) {
	for in, shown := range map[string]bool{
		"https://thirdwx.qlogo.cn/mmopen/vi_32/x/132": true,
		"https://wx.qlogo.cn/mmopen/x/0":              true,
		"http://thirdwx.qlogo.cn/x/132":               true,
		"https://thirdwx.qlogo.cn":                    false,
		"https://thirdwx.qlogo.cn.evil.example/x":     false,
		"https://thirdwx.qlogo.cn:8443/x":             false,
		"https://thirdwx.qlogo.cn@evil.example/x":     false,
		"https://evil.example/thirdwx.qlogo.cn/x":     false,
		"https://qlogo.cn/x":                          false,
		"https://sub.wx.qlogo.cn/x":                   false,
		"//wx.qlogo.cn/x":                             false,
		"":                                            false,
	} {
		got := pictureURL(in)
		if (got != "") != shown || shown && !strings.HasPrefix(got, "https://") {
			t.Errorf("pictureURL(%q) = %q, want it shown: %v", in, got, shown)
		}
	}
}
