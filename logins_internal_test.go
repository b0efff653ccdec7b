package scangate

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/internal/session"
)

func TestBrowserKeyCookie(t *testing.T) {
	const key = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	made := func(ago time.Duration) string { return encodeKeys(browserKey{key, time.Now().Add(-ago)}) }
	for _, c := range []struct{ name, value, want string }{
		{"as made", made(0), key},
		{"old", made(keyAccepted - time.Minute), key},
		{"too old", made(keyAccepted), ""},
		{"of a clock that is ahead", made(-clockSkew / 2), key},
		{"of the future", made(-2 * clockSkew), ""},
		{"of a far future", key + ".zzzzzzzzzzzz", ""},
		{"of no time", key, ""},
		{"of an empty time", key + ".", ""},
		{"with a key that it replaced", made(0) + "." + made(keyRenewed), key},
		{"with half a key more", made(0) + ".ABC", ""},
		{"with a third key", made(0) + "." + made(0) + "." + made(0), ""},
		{"empty", "", ""},
		{"short", "ABC" + made(0)[26:], ""},
		{"long", strings.Repeat("A", 10_000) + made(0)[26:], ""},
		{"other characters", "ABCDEFGHIJKLMNOPQRSTUVWXY!" + made(0)[26:], ""},
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
	value := func(key login.Key) string { return encodeKeys(browserKey{key, time.Now()}) }
	sessions := &sessions{manager: session.Copy(session.NewManager(true, nil)), logger: slog.New(slog.DiscardHandler)}
	stored, err := sessions.manager.Load(t.Context(), "")
	if err != nil {
		t.Fatalf("loading a new session: %v, want no error", err)
	}
	sessions.manager.Put(stored, "key", "value")
	if _, err := sessions.manager.CommitAs(stored, attackers); err != nil {
		t.Fatalf("storing the attacker's session: %v, want no error", err)
	}
	for _, blank := range []string{"\u2000", "\u00a0", "\u0085", "\u3000", "\v", "\f", "\x00"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", blank+"__Host-scangate="+value(attackers)+"; __Host-scangate="+value(own)+"; "+blank+"__Host-session="+attackers)
		if got := (browserCookies{name: "__Host-scangate"}).key(r); got != own {
			t.Errorf("key with a cookie after %q: %q, want %q", blank, got, own)
		}
		ctx, err := sessions.load(r)
		if err != nil {
			t.Fatalf("loading the session with a cookie after %q: %v, want no error", blank, err)
		}
		if token := sessions.manager.Token(ctx); token != "" {
			t.Errorf("the session with a cookie after %q: token = %q, want none", blank, token)
		}
	}
}
