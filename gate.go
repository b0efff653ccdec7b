package scangate

import (
	"net/http"
	"sync"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/internal/pages"
	"github.com/scangate/scangate/internal/session"
	"github.com/scangate/scangate/internal/state"
	"github.com/scangate/scangate/internal/summary"
	"github.com/scangate/scangate/wechat"
)

// Gate is both the handler to mount at [Config.BasePath] and the middleware that lets
// logged-in users pass. It is safe for concurrent use.
type Gate struct {
	config    Config // with defaults filled in
	urls      urls
	accounts  accounts
	state     state.Store
	logins    logins
	registrar registrar
	chats     *chats
	pusher    *pusher    // nil unless Config.Push is set
	after     background // calls of Push.Handle that no answer waits for
	lookups   background
	codes     codeSender
	locator   locator
	pictures  *pictures // of WeChat's codes for the mini program
	limiter   limiter
	auth      authenticator
	cookies   browserCookies
	waiting   waitingRoom
	origins   origins
	mux       *http.ServeMux
	respond   responder
	warnOuter sync.Once   // for the warning about an outer LoadAndSave
	warnHost  sync.Once   // for the warning about a proxy that replaces Host
	redis     *RedisStore // nil unless New made one
}

// New returns a Gate. It reports all faults of config at once: the error has one line of
// text, which names each field at fault, and its method Unwrap() []error returns an error
// for each fault.
func New(config Config) (*Gate, error) {
	public, faults := config.check()
	config.fillDefaults(public)
	set, err := newPages(&config)
	faults.append(err)
	if len(faults.list) > 0 {
		return nil, faults
	}
	g := &Gate{
		urls: urls{
			public: public, base: config.BasePath, shown: config.shownWay(), relay: config.WeChat.CallbackURL,
			loginPage: config.LoginPage, allowed: config.AllowReturnTo,
		},
		waiting: waitingRoom{max: config.Limits.Waiting},
	}
	if g.origins, err = newOrigins(public, config.TrustedOrigins); err != nil {
		return nil, err
	}
	if g.accounts, err = newAccounts(&config); err != nil {
		return nil, err
	}
	if g.redis, err = config.openStores(); err != nil {
		return nil, err
	}
	g.config = config
	warnOfMissingTexts(&config)
	g.wire(set)
	g.mux = g.newMux()
	return g, nil
}

// wire connects the parts of the gate. Unless the application has a session manager,
// sessions are kept in Redis, or in memory if that is not set.
func (g *Gate) wire(set *pages.Set) {
	c := &g.config
	g.state = state.WithPrefix(c.State, c.name())
	users, readers, ends := c.Users, c.Users, state.NewRing(g.state, "ends")
	if c.UserTTL > 0 {
		cache := newUserCache(c.Users, c.UserTTL, ends)
		// Changes go through the cache, which forgets the user. Reads that decide a
		// login must see the latest user.
		users, readers = uncached{cache}, cache
	}
	secure := g.urls.public.Scheme == "https"
	g.cookies = browserCookies{name: browserKeyCookie, secure: secure}
	if secure {
		// Browsers accept the prefix from this host only (RFC 6265bis): no other host of
		// the same domain can set the cookie.
		g.cookies.name = "__Host-" + browserKeyCookie
	}
	g.limiter = limiter{state: g.state, max: int64(c.Limits.Address), clientIP: c.ClientIP}
	language := g.cookies.named("-lang")
	g.respond = responder{
		urls: g.urls, pages: set, languageName: language.name, languageCookie: func(tag string) *http.Cookie { return language.cookie(tag, browserKeyTTL) },
		logger: c.Logger, failureLog: summary.New(c.Logger), onEvent: c.OnEvent, address: g.limiter.address,
	}
	g.locator = newLocator(c.Locate, g.respond.failureLog)
	g.logins = logins{Store: login.NewStore(g.state, c.Limits.LoginTTL), cookies: g.cookies, limiter: g.limiter, accounts: g.accounts, respond: &g.respond}
	g.codes = codeSender{phone: c.Phone, logger: c.Logger}
	g.registrar = registrar{
		users: users, state: g.state, accounts: g.accounts, logger: c.Logger,
		mode: c.Registration.Mode, fetchProfile: c.Registration.FetchProfile, requirePhone: c.Phone.Require,
		terms: c.Pages.agreement(), keepToken: c.OnLogin != nil, otherLogin: c.CurrentUser != nil,
	}
	g.wireChats()
	g.pictures = newPictures(c, &g.logins, g.state)
	site := g.urls.public.Host + c.BasePath
	if c.Session.Manager == nil {
		c.Session.Manager = g.sessionManager(site, secure)
	}
	g.auth = authenticator{
		sessions: sessions{
			manager: session.Copy(c.Session.Manager), site: site, key: "scangate:" + site,
			marker: session.NewMarker(g.cookies.name+"-issued", site, secure), logger: c.Logger,
		},
		users: users, readers: readers, ends: ends, appUser: c.CurrentUser, requirePhone: c.Phone.Require,
	}
	g.logStores()
}

// logStores makes the stores in Redis log to the gate's logger.
func (g *Gate) logStores() {
	for _, store := range []any{g.config.State, g.config.Users, g.redis} {
		switch store := store.(type) {
		case *RedisStore:
			if store != nil {
				store.logTo(g.config.Logger)
			}
		case *shardedState:
			store.logTo(g.config.Logger)
		}
	}
}

// wireChats connects the parts that take the official account's messages.
func (g *Gate) wireChats() {
	c := &g.config
	g.chats = newChats(c, &g.logins, &g.registrar, &g.locator, &g.lookups)
	if c.Push.isZero() {
		return
	}
	cipher, err := wechat.NewCipher(c.cipher())
	if err != nil {
		panic("scangate: " + err.Error()) // New has checked the fields
	}
	g.pusher = &pusher{
		cipher: cipher, handle: c.Push.Handle, chats: g.chats, users: g.registrar.users, state: g.state,
		respond: &g.respond, logger: c.Logger, after: &g.after,
	}
}

// sessionManager returns the manager of a gate whose application brought none.
func (g *Gate) sessionManager(site string, secure bool) *scs.SessionManager {
	var store scs.Store // nil means memory
	switch {
	case len(g.config.Session.Redis) > 0:
		store = session.NewShards(g.config.Session.Redis, g.config.RedisPrefix, site, g.config.Logger)
	case g.config.Redis != nil:
		sessions := session.NewRedis(g.config.Redis, g.config.RedisPrefix, site)
		if g.redis != nil {
			sessions.Outage = g.redis.store.Outage() // one outage of Redis is one line in the log
		}
		store = sessions
	}
	manager := session.NewManager(secure, store)
	setDefault(&g.config.Session.Lifetime, manager.Lifetime)
	manager.Lifetime = g.config.Session.Lifetime
	manager.ErrorFunc = g.respond.fail
	return manager
}

// Waiting returns how many requests of this process wait for a login to change.
func (g *Gate) Waiting() int { return g.waiting.count() }

// Close releases the requests that wait, so that the server can shut down at once: call
// it before http.Server.Shutdown, or register it with RegisterOnShutdown. From then on
// the gate answers a request that would wait with 503, and does not call Push.Handle. It
// serves all other requests.
// Close ends the contexts of the calls that run in the background, which are those of
// Push.Handle and look-ups at WeChat. It returns when these calls and the goroutines that
// listen to [Config.Redis] have ended. Its error is always nil, and further calls do nothing.
func (g *Gate) Close() error {
	g.waiting.close()
	g.after.close()
	g.lookups.close()
	g.respond.failureLog.Close()
	if g.redis == nil {
		return nil
	}
	return g.redis.Close()
}
