package scangate

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
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
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestCookiesOfAnotherName sees that nobody gets past the prefix __Host- by a name
// that is the gate's but for a blank: to a browser that is another name, which any
// host below the same domain can set.
func TestCookiesOfAnotherName(t *testing.T) {
	const evil, good = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "ZYXWVUTSRQPONMLKJIHGFEDCBA"
	sessions := &sessions{manager: session.Copy(session.NewManager(true, nil))}
	for _, blank := range []string{"\u2000", "\u00a0", "\u0085", "\u3000", "\v", "\f", "\x00"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", blank+"__Host-scangate="+evil+"; __Host-scangate="+good+"; "+blank+"__Host-session="+evil)
		if got := (browserCookies{name: "__Host-scangate"}).key(r); got != good {
			t.Errorf("%q: the key is %q", blank, got)
		}
		if sessions.carriedBy(r) {
			t.Errorf("%q: a session of another name counts", blank)
		}
	}
}

func TestOrigin(t *testing.T) {
	for _, c := range []struct{ agent, browser, system string }{
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36", "Chrome", "Windows"},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0", "Edge", "Windows"},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15", "Safari", "macOS"},
		{"Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox", "Linux"},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.50", "WeChat", "iPhone"},
		{"Mozilla/5.0 (Linux; Android 14; V2241A) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0 Mobile Safari/537.36 MicroMessenger/8.0.53", "WeChat", "Android"},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Mobile/15E148 wxwork/3.1.16 MicroMessenger/7.0.1", "WeCom", "iPhone"},
		{"<script>", "", ""},
		{"", "", ""},
	} {
		if b, s := productName(c.agent, browsers), productName(c.agent, systems); b != c.browser || s != c.system {
			t.Errorf("%q: %q on %q, want %q on %q", c.agent, b, s, c.browser, c.system)
		}
	}
}

func TestNetworks(t *testing.T) {
	for _, c := range []struct{ addr, address, networks string }{
		{"192.0.2.7", "192.0.2.7", "192.0.2.7"},
		{"::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64 2001:db8:1::/48"},
		{"fe80::1%eth0", "fe80::1", "fe80::/64 fe80::/48"},
	} {
		l := limiter{clientIP: func(*http.Request) netip.Addr { return netip.MustParseAddr(c.addr) }}
		if a, n := l.address(nil), strings.Join(l.networks(nil), " "); a != c.address || n != c.networks {
			t.Errorf("%s: %q, %q, want %q, %q", c.addr, a, n, c.address, c.networks)
		}
	}
	l := limiter{clientIP: remoteAddr}
	if got := l.address(&http.Request{RemoteAddr: "@"}); got != "" {
		t.Errorf("a Unix socket's peer is %q", got)
	}
}
