package scangate

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzElsewhere demands of each URL of another host that Go and a browser find the same
// host in it, that it is accepted unchanged, and that it fits in a header.
func FuzzElsewhere(f *testing.F) {
	for _, s := range []string{
		"https://a.example", "https://a.example/", "https://a.example/b?c#d", "https://a.example?b", "https://a.example#b", "https://a.example:8443/x",
		"https://u@a.example/", `https://a.example\@b.example/`, "https://a.example%2fb", "https://[::1]/", "https://1.1/", "https:///a", "https://a..b/", "https://a.example/../b",
		"https://a.example:0/", "https://xn--fsqu00a.example/文", "https://文.example/", "https://a.example/\t", "https://a.example/%5c",
	} {
		f.Add(s)
	}
	public := urls{public: &url.URL{Scheme: "https", Host: "app.example.com"}}
	f.Fuzz(func(t *testing.T, s string) {
		to, ok := public.parseElsewhere(s)
		if !ok {
			return
		}
		text := to.String()
		if again, ok := public.parseElsewhere(text); !ok || again.String() != text {
			t.Fatalf("parseElsewhere(%q) = %q, and of that %v, %t, want it unchanged", s, text, again, ok)
		}
		// The URL Standard reads a backslash as a slash, and drops tabs and line breaks.
		seen, err := url.Parse(strings.NewReplacer("\\", "/", "\t", "", "\n", "", "\r", "").Replace(text))
		if err != nil || seen.Scheme != "https" || seen.Host != to.Host || seen.User != nil || len(text) > maxReturnTo {
			t.Fatalf("parseElsewhere(%q) = %q, in which a browser sees %v, %v", s, text, seen, err)
		}
		for _, c := range []byte(text) {
			if c <= ' ' || c >= 0x7f || c == '\\' {
				t.Fatalf("parseElsewhere(%q) = %q, want only characters that a header may contain", s, text)
			}
		}
		if !strings.HasPrefix(strings.ToLower(s), "https://"+to.Host) {
			t.Fatalf("parseElsewhere(%q) = %q, want the host that follows the scheme", s, text)
		}
	})
}
