package scangate

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate/internal/phone"
	"github.com/scangate/scangate/internal/redisstore"
	"github.com/scangate/scangate/internal/shard"
	"github.com/scangate/scangate/wechat"
)

// check returns the parsed PublicURL, which is empty if it is at fault, and all faults of
// c except those of templates. It empties BasePath and fields of Pages that are at fault,
// so that later checks report no consequences of them.
func (c *Config) check() (*url.URL, *configErrors) {
	var faults configErrors
	public, err := parsePublicURL(c.PublicURL, c.InsecureHTTP)
	if err != nil {
		faults.append(err)
		public = &url.URL{}
	}
	base := c.checkBasePath(&faults)
	c.checkAccounts(&faults)
	c.checkScan(&faults)
	c.checkCallbackURL(&faults)
	c.checkPages(&faults)
	c.checkPhone(&faults)
	c.checkRegistration(&faults, public, base)
	c.checkLoginPage(&faults, public, base)
	c.checkOrigins(&faults, public)
	c.checkInterfaces(&faults)
	c.checkRedis(&faults)
	c.checkSession(&faults, public)
	c.checkLimits(&faults)
	return public, &faults
}

// parsePublicURL returns the scheme and host that all URLs begin with. It accepts only
// the form in which browsers send them, because the gate compares them with the headers
// Origin and Referer.
func parsePublicURL(s string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(s)
	invalid := err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != ""
	switch {
	case invalid && strings.Contains(s, "@"):
		// The error does not quote a URL that may contain a password.
		return nil, configError("PublicURL", "it is not a URL like \"https://app.example.com\", without a user and a password")
	case invalid:
		return nil, configError("PublicURL", "%q is not a URL like \"https://app.example.com\"", s)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, configError("PublicURL", "%q is not https", s)
	case u.Scheme == "http" && !insecure && !isLoopback(u.Hostname()):
		return nil, configError("PublicURL", "%q is plain http on a host other than this machine: use https, or see InsecureHTTP", s)
	}
	u = &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}
	for _, fault := range []string{hostFault(u.Hostname()), portFault(u)} {
		if fault != "" {
			return nil, configError("PublicURL", "%q %s", s, fault)
		}
	}
	return u, nil
}

// checkBasePath returns the path at which the gate is mounted, or "" if it is at fault.
func (c *Config) checkBasePath(faults *configErrors) string {
	base := c.BasePath
	if base == "" {
		return defaultBasePath
	}
	clean := path.Clean("/" + base)
	switch {
	case base == "/", url.PathEscape(clean) != strings.ReplaceAll(clean, "/", "%2F"):
		faults.add("BasePath", "%q is not a path like \"/wechat\"", base)
	case !strings.HasPrefix(base, "/"):
		faults.add("BasePath", "%q does not begin with a slash: use %q", base, clean)
	case strings.HasSuffix(base, "/"):
		faults.add("BasePath", "%q ends with a slash: use %q", base, clean)
	case base != clean:
		faults.add("BasePath", "%q is not a path like \"/wechat\"", base)
	default:
		return base
	}
	c.BasePath = ""
	return ""
}

// checkAccounts checks the WeChat accounts and WeChat's address.
func (c *Config) checkAccounts(faults *configErrors) {
	none := wechat.Account{}
	if c.OfficialAccount == none && c.Website == none && c.MiniProgram == none {
		faults.add("OfficialAccount, Config.Website and Config.MiniProgram", "one of them is required")
	}
	c.checkMiniProgram(faults)
	if c.OfficialAccount != none {
		c.checkOfficialAccount(faults)
	}
	if c.Website != none {
		err := c.Website.Validate()
		faults.addError("Website", err)
		if err == nil && c.OfficialAccount.AppID == c.Website.AppID {
			faults.add("Website", "%q is the official account's AppID", c.Website.AppID)
		}
		if c.MatchNumber {
			// With WeChat's page, approving takes neither a page of the gate's nor a number.
			faults.add("MatchNumber and Config.Website", "WeChat's own QR page shows no number, so an attacker could choose it instead: set one of the two")
		}
	}
	faults.addError("WeChat.Endpoint", c.WeChat.Endpoint.Validate())
}

// checkPhone checks that codes can be sent where they are needed.
func (c *Config) checkPhone(faults *configErrors) {
	switch {
	case c.Phone.SendCode == nil && c.Phone.Require:
		faults.add("Phone.SendCode", "Phone.Require needs it")
	case c.Phone.SendCode == nil && c.Registration.Mode == RegisterByPhone:
		faults.add("Phone.SendCode", "RegisterByPhone needs it")
	}
	if users, ok := c.Users.(phoneKeeper); ok && !holdsNil(c.Users) && !users.KeepsPhones() {
		// A person would prove a number by a paid code, which the store then refuses.
		switch {
		case c.Phone.Require:
			faults.add("Phone.Require", "Config.Users keeps no phone numbers")
		case c.Phone.SendCode != nil:
			faults.add("Phone.SendCode", "Config.Users keeps no phone numbers")
		}
	}
	for _, code := range c.Phone.Countries {
		if !phone.IsCallingCode(strings.TrimPrefix(code, "+")) {
			faults.add("Phone.Countries", "%q is not a country's calling code like \"852\"", code)
		}
	}
}

// checkRegistration checks the rule by which a person becomes a user. An empty public or
// base is at fault itself.
func (c *Config) checkRegistration(faults *configErrors, public *url.URL, base string) {
	switch c.Registration.Mode {
	case "", RegisterOpen, RegisterByPhone, RegisterClosed:
	default:
		faults.add("Registration.Mode", "%q is not RegisterOpen, RegisterByPhone or RegisterClosed", c.Registration.Mode)
		return
	}
	local := strings.TrimPrefix(c.Registration.URL, public.String())
	_, fragment, hasFragment := strings.Cut(c.Registration.URL, "#")
	switch {
	case c.Registration.URL == "" || public.Host == "" && !strings.HasPrefix(c.Registration.URL, "/"):
	case c.Registration.Mode != RegisterClosed:
		faults.add("Registration.URL", "only RegisterClosed uses it")
	case hasFragment && strings.HasPrefix(local, "/"):
		faults.add("Registration.URL", "%q has the fragment %q, in which a server cannot read the parameter \"login\": use a path like \"/join\"",
			c.Registration.URL, "#"+fragment)
	case localPath(local) != local || hasFragment:
		faults.add("Registration.URL", "%q is neither a path on this server nor begins with PublicURL", c.Registration.URL)
	case base != "" && isBelow(local, base):
		faults.add("Registration.URL", "%q is below BasePath, where the gate has no such page", c.Registration.URL)
	}
}

// checkInterfaces reports interfaces that hold a nil pointer. They are not nil, and the
// first call of a method would panic.
func (c *Config) checkInterfaces(faults *configErrors) {
	type field struct {
		name  string
		value any
	}
	fields := []field{{"Users", c.Users}, {"State", c.State}}
	if hc := c.WeChat.HTTPClient; hc != nil {
		fields = append(fields, field{"WeChat.HTTPClient.Transport", hc.Transport}, field{"WeChat.HTTPClient.Jar", hc.Jar})
	}
	if c.Logger != nil {
		if c.Logger.Handler() == nil {
			faults.add("Logger", "it has no handler: call slog.New")
		}
		fields = append(fields, field{"Logger", c.Logger.Handler()})
	}
	for _, f := range fields {
		if holdsNil(f.value) {
			faults.add(f.name, "it holds a nil %T", f.value)
			continue
		}
		// A store on a Redis Cluster has the methods of a UserStore, and none of them works.
		if users, ok := f.value.(interface{ CheckUsers() error }); ok && f.name == "Users" {
			faults.addError(f.name, users.CheckUsers())
		}
	}
}

// checkRedis checks the pool and the prefix.
func (c *Config) checkRedis(faults *configErrors) {
	if c.Redis != nil && c.Redis.Dial == nil && c.Redis.DialContext == nil {
		faults.add("Redis", "the pool has neither DialContext nor Dial")
	}
	if !redisstore.ValidPrefix(c.RedisPrefix) {
		faults.add("RedisPrefix", "%q has more than letters, digits and \"-_:\"", c.RedisPrefix)
	}
}

// checkSessionRedis checks the pools for sessions.
func (c *Config) checkSessionRedis(faults *configErrors) {
	pools := c.Session.Redis
	switch {
	case len(pools) == 0:
		return
	case c.Session.Manager != nil:
		faults.add("Session.Redis", "Session.Manager has a store of its own")
	case len(pools) > shard.Max:
		faults.add("Session.Redis", "there are %d pools, want at most %d", len(pools), shard.Max)
	}
	for i, pool := range pools {
		switch {
		case pool == nil:
			faults.add("Session.Redis", "pool %d is nil", i+1)
		case pool.Dial == nil && pool.DialContext == nil:
			faults.add("Session.Redis", "pool %d has neither DialContext nor Dial", i+1)
		case slices.Contains(pools[:i], pool):
			faults.add("Session.Redis", "pool %d is in the list twice", i+1)
		}
	}
}

// checkSession checks the application's session manager.
func (c *Config) checkSession(faults *configErrors, public *url.URL) {
	m := c.Session.Manager
	c.checkLifetime(faults)
	c.checkSessionRedis(faults)
	if m == nil {
		return
	}
	if m.Store == nil || holdsNil(m.Store) {
		faults.add("Session.Manager", "Store is nil")
	}
	if m.Codec == nil || holdsNil(m.Codec) {
		faults.add("Session.Manager", "Codec is nil")
	}
	if m.Lifetime <= 0 {
		faults.add("Session.Manager", "Lifetime is %v: a session would end when it begins", m.Lifetime)
	}
	checkCookie(faults, &m.Cookie, public)
}

// checkCookie checks that browsers keep the session's cookie, and send it to every page
// of the application and to no script. An empty public is at fault itself.
func checkCookie(faults *configErrors, cookie *scs.SessionCookie, public *url.URL) {
	https, plain := public.Scheme == "https", public.Scheme == "http"
	for _, c := range []struct {
		failed bool
		text   string
	}{
		{!cookie.HttpOnly, "HttpOnly is false: any script on a page could read the session"},
		{https && !cookie.Secure, "Secure is false, although PublicURL is https"},
		// Most browsers make an exception for this machine.
		{plain && cookie.Secure && !isLoopback(public.Hostname()), "Secure is true, although PublicURL is plain http: browsers would not keep the cookie"},
		{plain && cookie.Partitioned && !cookie.Secure, "Partitioned requires Secure"},
		{cookie.Path != "/", fmt.Sprintf("Path is %q and not \"/\": other pages would not get the session", cookie.Path)},
		{cookie.SameSite == http.SameSiteNoneMode, "SameSite is None: other sites could send requests with the session"},
		// The redirect from WeChat begins at another site.
		{cookie.SameSite == http.SameSiteStrictMode, "SameSite is Strict: browsers would not send the session after WeChat's redirect"},
		{public.Host != "" && !covers(cookie.Domain, public.Hostname()), fmt.Sprintf("Domain %q does not cover PublicURL's host", cookie.Domain)},
	} {
		if c.failed {
			faults.add("Session.Manager", "Cookie.%s", c.text)
		}
	}
	if fault := cookieNameFault(cookie, plain); fault != "" {
		faults.add("Session.Manager", "Cookie.Name %q %s", cookie.Name, fault)
	}
}

// covers reports whether browsers keep a cookie with that Domain from the host, and send
// it back there (RFC 6265, section 5.3). They ignore a dot at the beginning.
func covers(domain, host string) bool {
	domain = strings.ToLower(strings.TrimPrefix(domain, "."))
	if domain == "" || domain == host {
		return true
	}
	_, err := netip.ParseAddr(host)
	// Browsers refuse a cookie for a whole top-level domain.
	return err != nil && strings.HasSuffix(host, "."+domain) && strings.Contains(domain, ".")
}

// cookieNameFault returns why the cookie's name cannot be used, or "".
func cookieNameFault(cookie *scs.SessionCookie, plain bool) string {
	// Browsers ignore the case of the prefixes (RFC 6265bis, section 4.1.3).
	name := strings.ToLower(cookie.Name)
	host := strings.HasPrefix(name, "__host-")
	switch {
	case isOwnCookie(strings.TrimPrefix(name, "__host-")):
		return "is one of the gate's own cookies"
	case (&http.Cookie{Name: cookie.Name, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}).Valid() != nil:
		return "is not a cookie name"
	case host && cookie.Domain != "":
		return "excludes a Domain"
	case plain && !cookie.Secure && (host || strings.HasPrefix(name, "__secure-")):
		return "requires Secure"
	}
	return ""
}

// checkLimits checks times and numbers.
func (c *Config) checkLimits(faults *configErrors) {
	if c.Limits.LoginTTL != 0 && (c.Limits.LoginTTL < time.Minute || c.Limits.LoginTTL > 30*time.Minute) {
		faults.add("Limits.LoginTTL", "%v is not between 1 and 30 minutes", c.Limits.LoginTTL)
	}
	if c.UserTTL < 0 {
		faults.add("UserTTL", "%v is negative", c.UserTTL)
	}
	for _, limit := range []struct {
		field string
		value int
	}{{"Limits.Waiting", c.Limits.Waiting}, {"Limits.Address", c.Limits.Address}, {"Phone.CodeLimit", c.Phone.CodeLimit}} {
		if limit.value < 0 {
			faults.add(limit.field, "%d is negative", limit.value)
		}
	}
}

// isOwnCookie reports whether the gate has cookies of that name, or may have.
func isOwnCookie(name string) bool {
	return name == browserKeyCookie || strings.HasPrefix(name, browserKeyCookie+"-")
}
