package scangate

import (
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/internal/pages"
	"github.com/scangate/scangate/internal/session"
	"github.com/scangate/scangate/internal/state"
	"github.com/scangate/scangate/wechat"
)

// Gate is both the handler to mount at [Config.BasePath] and the middleware that lets
// logged-in users pass. It is safe for concurrent use.
type Gate struct {
	config      Config // with defaults filled in
	urls        urls
	official    *wechat.Client // nil if not configured
	website     *wechat.Client // nil if not configured
	users       UserStore      // for changes, and for reads that decide a login
	readers     UserStore      // for the read on every request; cached if Config.UserTTL is set
	state       state.Store
	logins      *login.Store
	registrar   registrar
	limiter     limiter
	sessions    sessions
	cookies     browserCookies
	waiting     waitingRoom
	crossOrigin *http.CrossOriginProtection
	mux         *http.ServeMux
	pages       *pages.Set
	warnOuter   sync.Once   // for the warning about an outer LoadAndSave
	redis       *RedisStore // nil unless New made one
}

// New returns a Gate. An error names the field of config that is at fault.
func New(config Config) (*Gate, error) {
	public, err := parsePublicURL(config.PublicURL, config.InsecureHTTP)
	if err != nil {
		return nil, err
	}
	if err := config.check(public); err != nil {
		return nil, err
	}
	redisStore, sessionStore, err := config.useRedis()
	if err != nil {
		return nil, err
	}
	config.fillDefaults(public)
	g := &Gate{
		config: config, urls: urls{public, config.BasePath}, redis: redisStore,
		crossOrigin: http.NewCrossOriginProtection(),
		waiting:     waitingRoom{max: config.Limits.Waiting},
	}
	if err := g.crossOrigin.AddTrustedOrigin(public.Scheme + "://" + public.Host); err != nil {
		return nil, fmt.Errorf("scangate: Config.PublicURL: %w", err)
	}
	if err := g.setAccounts(); err != nil {
		return nil, err
	}
	if g.pages, err = newPages(&g.config); err != nil {
		return nil, err
	}
	g.setStores()
	g.setSessions(sessionStore)
	g.mux = g.newMux()
	return g, nil
}

// setAccounts makes the clients of the accounts that are configured.
func (g *Gate) setAccounts() error {
	none := wechat.Account{}
	c := &g.config
	if c.OfficialAccount == none && c.Website == none {
		return errors.New("scangate: Config.OfficialAccount and Config.Website: one of them is required")
	}
	if c.Website != none && c.OfficialAccount.AppID == c.Website.AppID {
		return fmt.Errorf("scangate: Config.Website: %q is the official account's AppID", c.Website.AppID)
	}
	var err error
	if c.OfficialAccount != none {
		if g.official, err = wechat.NewClient(c.OfficialAccount, c.Endpoint, c.HTTPClient); err != nil {
			return fmt.Errorf("scangate: Config.OfficialAccount or Endpoint: %w", err)
		}
		g.registrar.clients = append(g.registrar.clients, g.official)
	}
	if c.Website != none {
		if g.website, err = wechat.NewClient(c.Website, c.Endpoint, c.HTTPClient); err != nil {
			return fmt.Errorf("scangate: Config.Website or Endpoint: %w", err)
		}
		g.registrar.clients = append(g.registrar.clients, g.website)
	}
	return nil
}

// setStores hands the stores to the parts of the gate that use them.
func (g *Gate) setStores() {
	c := &g.config
	g.users, g.readers = c.Users, c.Users
	if c.UserTTL > 0 {
		cache := newUserCache(c.Users, c.UserTTL)
		// Changes go through the cache, which forgets the user. Reads that decide a
		// login must see the latest user.
		g.users, g.readers = uncached{cache}, cache
	}
	g.state = state.WithPrefix(c.State, c.name())
	g.logins = login.NewStore(g.state, c.LoginTTL)
	g.limiter = limiter{state: g.state, max: int64(c.Limits.Address), clientIP: c.ClientIP}
	g.registrar.users, g.registrar.mode = g.users, c.Registration
	g.registrar.fetchProfile, g.registrar.requirePhone = c.FetchProfile, c.Phone.Require
	g.registrar.keepToken = c.OnLogin != nil
}

// setSessions sets up the two cookies: the browser's key and the session. If the
// application has no session manager, the gate makes one on the given store, or in
// memory if that is nil.
func (g *Gate) setSessions(store scs.Store) {
	secure := g.urls.public.Scheme == "https"
	g.cookies = browserCookies{name: "scangate", secure: secure}
	if secure {
		// Browsers accept the prefix from this host only (RFC 6265bis): no other host of
		// the same domain can set the cookie.
		g.cookies.name = "__Host-scangate"
	}
	if g.config.Session.Manager == nil {
		g.config.Session.Manager = session.NewManager(secure, store)
		g.config.Session.Manager.ErrorFunc = g.fail
	}
	// The base path in the key keeps the users of two gates apart that share a manager.
	g.sessions = sessions{
		manager: session.Copy(g.config.Session.Manager),
		key:     "scangate" + g.config.BasePath,
		logger:  g.config.Logger,
	}
}

// Waiting returns how many requests of this process wait for a login to change.
func (g *Gate) Waiting() int { return g.waiting.count() }

// Close releases the requests that wait, so that the server can shut down at once: call
// it before http.Server.Shutdown, or register it with RegisterOnShutdown. Requests that
// would wait get 503 from then on; all others are served. Close returns when the
// goroutines that listen to [Config.Redis] have ended. Its error is always nil, and
// further calls do nothing.
func (g *Gate) Close() error {
	g.waiting.close()
	if g.redis == nil {
		return nil
	}
	return g.redis.Close()
}
