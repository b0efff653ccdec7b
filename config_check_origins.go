package scangate

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// checkLoginPage checks the application's own login page. An empty public or base is at
// fault itself.
func (c *Config) checkLoginPage(faults *configErrors, public *url.URL, base string) {
	local := strings.TrimPrefix(c.LoginPage, public.String())
	switch {
	case c.LoginPage == "" || public.Host == "" && !strings.HasPrefix(c.LoginPage, "/"):
	case strings.Contains(c.LoginPage, "#"):
		faults.add("LoginPage", "%q has a fragment, in which a server cannot read the parameter \"return_to\": use a path like \"/login\"", c.LoginPage)
	case localPath(local) != local:
		faults.add("LoginPage", "%q is neither a path on this server nor begins with PublicURL", c.LoginPage)
	case base != "" && isBelow(local, base):
		faults.add("LoginPage", "%q is below BasePath, where the gate has no such page", c.LoginPage)
	}
}

// The range of Session.Lifetime.
const (
	minLifetime = time.Minute
	maxLifetime = 400 * 24 * time.Hour // RFC 6265bis, section 5.5: browsers end each cookie then
)

// checkLifetime checks how long sessions last.
func (c *Config) checkLifetime(faults *configErrors) {
	lifetime := c.Session.Lifetime
	switch {
	case lifetime == 0:
	case c.Session.Manager != nil:
		faults.add("Session.Lifetime", "Session.Manager has a Lifetime of its own: set only that one")
	case lifetime < minLifetime || lifetime > maxLifetime:
		faults.add("Session.Lifetime", "%v is not between 1 minute and 400 days", lifetime)
	}
}

// checkOrigins checks the origins of the application's front ends. An empty public is at
// fault itself.
func (c *Config) checkOrigins(faults *configErrors, public *url.URL) {
	for i, origin := range c.TrustedOrigins {
		u, fault := parseOrigin(origin)
		switch {
		case fault != "":
			faults.add("TrustedOrigins", "%q %s", origin, fault)
		case slices.Contains(c.TrustedOrigins[:i], origin):
			faults.add("TrustedOrigins", "%q is repeated", origin)
		case public.Host != "" && !sameSite(u, public):
			faults.add("TrustedOrigins", "%q belongs to another site than PublicURL: browsers would send no cookies with its requests", origin)
		}
	}
}

// parseOrigin returns an origin as a URL, or why browsers do not write it like that.
func parseOrigin(origin string) (u *url.URL, fault string) {
	u, err := url.Parse(origin)
	switch {
	case strings.Contains(origin, "*"):
		return nil, "has a wildcard: list each origin"
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, "is not an origin like \"https://www.example.com\""
	case origin != u.Scheme+"://"+u.Host:
		return nil, "has more than a scheme, a host and a port: leave out path, query and user"
	case origin != strings.ToLower(origin):
		return nil, "has capital letters, which browsers write small"
	}
	for _, fault := range []string{hostFault(u.Hostname()), portFault(u)} {
		if fault != "" {
			return nil, fault
		}
	}
	return u, ""
}

// sameSite reports whether browsers may count two origins as one site, and so send cookies
// with SameSite=Lax from one to the other. Ports do not count.
//
// Without the Public Suffix List it cannot be sure: two hosts below "github.io" are two
// sites. The header Sec-Fetch-Site reveals that when a request comes.
func sameSite(a, b *url.URL) bool {
	if a.Scheme != b.Scheme {
		return false // "schemeful same-site"
	}
	one, other := a.Hostname(), b.Hostname()
	if one == other {
		return true
	}
	for _, host := range []string{one, other} {
		if _, err := netip.ParseAddr(host); err == nil {
			return false
		}
	}
	return !isSuffix(sharedDomain(one, other))
}

// sharedDomain returns the longest domain that both hosts are or are below.
func sharedDomain(one, other string) string {
	a, b := strings.Split(one, "."), strings.Split(other, ".")
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return strings.Join(a[len(a)-n:], ".")
}

// isSuffix reports whether domains below this one belong to different owners, as far as
// its form shows: no domain, a top-level domain, or a country's "com.cn" or "co.uk".
func isSuffix(domain string) bool {
	first, country, two := strings.Cut(domain, ".")
	if !two {
		return domain != "localhost" // two names below it are one machine
	}
	return len(country) == 2 && slices.Contains(strings.Fields("ac co com edu gov go idv mil ne net or org"), first)
}
