package scangate

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestAddressAndNetworks(t *testing.T) {
	for _, c := range []struct{ addr, address, networks string }{
		{"192.0.2.7", "192.0.2.7", "192.0.2.7"},
		{"::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64 2001:db8:1::/48"},
		{"fe80::1%eth0", "fe80::1", "fe80::/64 fe80::/48"},
	} {
		l := limiter{clientIP: func(*http.Request) netip.Addr { return netip.MustParseAddr(c.addr) }}
		if a, n := l.address(nil), strings.Join(l.networks(nil), " "); a != c.address || n != c.networks {
			t.Errorf("client at %s: address %q, networks %q, want %q and %q", c.addr, a, n, c.address, c.networks)
		}
	}
	l := limiter{clientIP: remoteAddr}
	if got := l.address(&http.Request{RemoteAddr: "@"}); got != "" {
		t.Errorf("client on a Unix socket: address %q, want none", got)
	}
}
