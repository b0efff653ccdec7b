package scangate

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate/internal/pages"
	"github.com/scangate/scangate/internal/session"
	"github.com/scangate/scangate/internal/state"
	"github.com/scangate/scangate/wechat"
)

// Gate is both the handler to mount at [Config.BasePath] and the middleware that
// lets logged-in people pass. It is safe for concurrent use.
type Gate struct {
	config      Config // with its defaults
	public      *url.URL
	official    *wechat.Client // nil if not configured
	website     *wechat.Client // nil if not configured
	users       UserStore      // changes, and reads that decide a login, go here
	readers     UserStore      // reads on every request; the same unless Config.UserTTL is set
	state       StateStore
	logins      logins
	sessions    sessions
	cookies     browserCookies
	waiting     waiting
	crossOrigin *http.CrossOriginProtection
	mux         *http.ServeMux
	pages       *pages.Set
	warnOuter   sync.Once   // about an outer LoadAndSave
	redis       *RedisStore // nil unless New has made one
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
	g := &Gate{config: config, public: public, crossOrigin: http.NewCrossOriginProtection(), redis: redisStore}
	if err := g.setAccounts(); err != nil {
		return nil, err
	}
	if err := g.crossOrigin.AddTrustedOrigin(public.Scheme + "://" + public.Host); err != nil {
		return nil, fmt.Errorf("scangate: Config.PublicURL: %w", err)
	}
	if g.pages, err = newPages(&g.config); err != nil {
		return nil, err
	}
	g.setStores()
	g.setSessions(sessionStore)
	g.waiting.max = g.config.MaxWaiting
	g.mux = g.routes()
	return g, nil
}

// setStores puts the stores of a config whose defaults are filled in where the gate
// uses them.
func (g *Gate) setStores() {
	g.users, g.readers = g.config.Users, g.config.Users
	if g.config.UserTTL > 0 {
		cache := newUserCache(g.config.Users, g.config.UserTTL)
		g.users, g.readers = uncached{cache}, cache
	}
	g.state = state.WithPrefix(g.config.State, g.config.name())
	g.logins = logins{store: g.state, ttl: g.config.LoginTTL}
}

// setSessions sets the two cookies up: the browser's key and the session. Where the
// application gives no session manager, one is made on the store, or in memory if
// that is nil.
func (g *Gate) setSessions(store scs.Store) {
	secure := g.public.Scheme == "https"
	g.cookies = browserCookies{name: "scangate", secure: secure}
	if secure {
		g.cookies.name = "__Host-scangate" // RFC 6265bis: no other host can set it, not even one below ours
	}
	if g.config.Sessions == nil {
		g.config.Sessions = session.NewManager(secure, store)
		g.config.Sessions.ErrorFunc = g.fail
	}
	// The key holds the base path, so that one gate's people are nobody at another.
	g.sessions = sessions{
		manager: session.Copy(g.config.Sessions),
		key:     "scangate" + g.config.BasePath,
		logger:  g.config.Logger,
	}
}

// Waiting returns how many requests of browsers wait for their phones, in this
// process.
func (g *Gate) Waiting() int { return g.waiting.count() }

// Close releases the browsers that wait, so that the server can shut down at
// once: call it before http.Server.Shutdown, or by RegisterOnShutdown. Requests
// that would wait get 503 from then on; all else still works. It returns when what
// listens to [Config.Redis] has ended. Its error is always nil, and closing again
// does nothing.
func (g *Gate) Close() error {
	g.waiting.close()
	if g.redis == nil {
		return nil
	}
	return g.redis.Close()
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
	}
	if c.Website != none {
		if g.website, err = wechat.NewClient(c.Website, c.Endpoint, c.HTTPClient); err != nil {
			return fmt.Errorf("scangate: Config.Website or Endpoint: %w", err)
		}
	}
	return nil
}
