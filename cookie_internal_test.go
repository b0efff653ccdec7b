package scangate

import (
	"net/http"
	"strings"
	"testing"
)

func TestOnlyCookie(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		value string
		ok    bool
	}{
		{"alone", []string{"session=abc-_.~09AZ"}, "abc-_.~09AZ", true},
		{"among others", []string{"a=1; session=abc; b=2"}, "abc", true},
		{"empty", []string{"session="}, "", true},
		{"with spaces around", []string{" \t session=abc \t;"}, "abc", true},
		{"beside one with a longer value", []string{"mysession=1; session=abc"}, "abc", true},
		{"none", []string{"a=1"}, "", false},
		{"no header", nil, "", false},
		{"twice", []string{"session=abc; session=abc"}, "", false},
		{"in two headers", []string{"session=abc", "a=1"}, "", false},
		{"beside a name that begins like it", []string{"session=abc; session2=1"}, "", false},
		{"without a value", []string{"session"}, "", false},
		{"with a space after the name", []string{"session =abc"}, "", false},
		{"quoted", []string{`session="abc"`}, "", false},
		{"with a byte that needs parsing", []string{"session=a b"}, "", false},
		{"behind 100 others", []string{strings.Repeat("a=1;", maxPlainCookies) + "session=abc"}, "", false},
	} {
		r := &http.Request{Header: http.Header{"Cookie": c.lines}}
		if value, ok := onlyCookie(r, "session"); value != c.value || ok != c.ok {
			t.Errorf("%s: onlyCookie = %q, %v, want %q, %v", c.name, value, ok, c.value, c.ok)
		}
	}
}

// FuzzOnlyCookie compares onlyCookie with net/http.
func FuzzOnlyCookie(f *testing.F) {
	f.Add("a=1; session=abc; session2=d", "")
	f.Add("session=abc", "session=d")
	f.Add(`session="abc";session =d; session`, "x")
	f.Add(strings.Repeat(";", 3100)+"session=abc", "")
	f.Fuzz(func(t *testing.T, first, second string) {
		r := &http.Request{Header: http.Header{"Cookie": {first}}}
		if second != "" {
			r.Header.Add("Cookie", second)
		}
		value, ok := onlyCookie(r, "session")
		if cookies := r.CookiesNamed("session"); ok && (len(cookies) != 1 || cookies[0].Value != value) {
			t.Errorf("cookies %q, %q: onlyCookie = %q, but net/http reads %v", first, second, value, cookies)
		}
	})
}
