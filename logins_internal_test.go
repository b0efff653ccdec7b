package scangate

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scangate/scangate/internal/session"
)

func TestBrowserKeyCookie(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"as made", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
		{"empty", "", ""},
		{"short", "ABC", ""},
		{"long", strings.Repeat("A", 10_000), ""},
		{"other characters", "ABCDEFGHIJKLMNOPQRSTUVWXY!", ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: "scangate", Value: c.value})
		if got := (browserCookies{name: "scangate"}).key(r); string(got) != c.want {
			t.Errorf("key of a request whose cookie is %s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestCookiesOfAnotherName sends cookies whose names differ from the gate's by a leading
// blank. To a browser such a name has no prefix __Host-, so any host below the same
// domain can set it. The gate must not read it.
func TestCookiesOfAnotherName(t *testing.T) {
	const attackers, own = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "ZYXWVUTSRQPONMLKJIHGFEDCBA"
	sessions := &sessions{manager: session.Copy(session.NewManager(true, nil))}
	for _, blank := range []string{"\u2000", "\u00a0", "\u0085", "\u3000", "\v", "\f", "\x00"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", blank+"__Host-scangate="+attackers+"; __Host-scangate="+own+"; "+blank+"__Host-session="+attackers)
		if got := (browserCookies{name: "__Host-scangate"}).key(r); got != own {
			t.Errorf("key with a cookie after %q: %q, want %q", blank, got, own)
		}
		if sessions.carriedBy(r) {
			t.Errorf("carriedBy with a session cookie after %q: true, want false", blank)
		}
	}
}
