package scangate

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate/wechat"
)

// Config configures a [Gate]. PublicURL and one of the two accounts are
// required; the zero value of every other field is a sensible default.
type Config struct {
	// PublicURL is where browsers and phones reach the application, such as
	// "https://app.example.com": https, a host, and no path. All URLs that the
	// gate gives out begin with it, whatever a request's Host says. Plain http
	// is accepted for a loopback host only, or with InsecureHTTP.
	PublicURL string

	// BasePath is where the gate is mounted; empty means "/wechat". Routers must
	// not strip it.
	BasePath string

	// AppName is what the pages call the application; empty means PublicURL's
	// host.
	AppName string

	// Logo is a picture that the pages show beside AppName: a path on this server
	// such as "/logo.svg", or a data:image/ URL. Empty means AppName's first
	// character.
	Logo string

	// AccentColor is the color of buttons and marks, such as "#1677ff". The pages
	// darken it, and lighten it for the dark scheme, as far as text needs it to be
	// read. Empty means a green.
	AccentColor string

	// Languages are those of the pages, out of "zh" and "en". Who prefers none of
	// them gets the first. Empty means both, "zh" first.
	Languages []string

	// Templates replace pages of the gate's own: those of them that are called
	// login.html, finish.html, profile.html, confirm.html, phone.html, done.html or
	// message.html, or page-head or page-foot, which all pages share. They get a
	// [PageData]. New tries them; where one fails later, people get a page that says
	// so and the Logger the error. The pages' Content-Security-Policy allows
	// styles, scripts and pictures from this server, and nothing inline. Nil
	// means the built-in pages.
	Templates *template.Template

	// OfficialAccount is a verified service account (or a test account), for
	// scanning our QR code and for logging in inside WeChat. Zero means none.
	OfficialAccount wechat.Account

	// Website is a website application of the Open Platform, for WeChat's own
	// QR page. Zero means none. With both accounts configured a person is one
	// user by either; both must be bound to one Open Platform account, and new
	// people are asked for their user info, for only that tells who they are at
	// the other account.
	Website wechat.Account

	// Endpoint is where WeChat is; zero means WeChat's own hosts.
	Endpoint wechat.Endpoint

	// FetchProfile asks new people for their nickname and picture, on a page
	// where they can say "not now". False means that the gate learns nothing but
	// an identity, and shows nobody a consent page of WeChat's.
	FetchProfile bool

	// Registration says who may become a user; empty means RegisterOpen.
	Registration Registration

	// RegisterURL is the application's own registration page, for people who
	// are not registered, with RegisterClosed: a path on this server, or a URL that
	// begins with PublicURL. It gets the parameter "login", and [Gate.Pending]
	// says who it is. Empty shows them a page that says so.
	RegisterURL string

	// RequirePhone binds a phone number to every user: people without one prove
	// theirs, by a one-time code, before they are let in, and pass
	// [Gate.RequireWeChat] with one only. It needs SendCode.
	RequirePhone bool

	// SendCode delivers a one-time code to a number in E.164 form, by SMS or
	// otherwise, within the context's 10 seconds. An error means that it was not
	// delivered: the person is told, and may try again at once. Nil means that no
	// number can be proved.
	SendCode func(ctx context.Context, phone, code string) error

	// CodeLimit is how many codes may be sent in an hour, to all people together:
	// what an attacker can cost. Zero means 1,000. Limits for each number, person
	// and address hold besides.
	CodeLimit int

	// NormalizePhone returns what somebody typed as a number in E.164 form, or an
	// error. Nil takes mainland mobile numbers in any usual spelling, and others
	// that begin with + or 00 and the country's code.
	NormalizePhone func(string) (string, error)

	// CurrentUser returns the id of the user who is logged in by the
	// application's own means, for [Config.BasePath]/link, which adds a WeChat to
	// their account. Nil means who is logged in with the gate.
	CurrentUser func(*http.Request) (id string, ok bool)

	// Users is the application's table of users; nil means a [MemoryStore].
	Users UserStore

	// UserTTL keeps what Users says of a user in memory for that long, so that most
	// requests that pass the gate read nothing; somebody who is barred or signed
	// out by another process is out that much later. Zero reads the user on every
	// request.
	UserTTL time.Duration

	// State keeps logins that are under way; nil means a [MemoryStore], which
	// serves one process.
	State StateStore

	// Redis keeps in Redis whatever of Users, State and Sessions is nil, so that
	// many processes are one: users and logins by a [RedisStore], whose
	// documentation says how to set up the pool and the server, and sessions by
	// scs/redisstore on a pool of their own that is made like this one. The pool
	// stays the caller's to close, after the gate.
	Redis *redis.Pool

	// RedisPrefix is what the keys in Redis begin with; empty means "scangate".
	// It is made of letters, digits and "-_:".
	RedisPrefix string

	// Sessions is the application's session manager. Its cookie has to be
	// HttpOnly, and Secure where PublicURL is https. Nil means one that New
	// makes: sessions in memory for 7 days, in the cookie "__Host-session".
	Sessions *scs.SessionManager

	// LoginTTL is how long a login may take until WeChat has answered; 10
	// minutes more are allowed from then on. Zero means 5 minutes; 1 to 30 are
	// accepted.
	LoginTTL time.Duration

	// MatchNumber makes the phone type the two-digit number that the other
	// screen shows, with one try. False shows it on both, to compare.
	MatchNumber bool

	// MaxWaiting bounds the browsers that wait for their phones at one time, in
	// this process; the next one gets 503. Zero means 10,000.
	MaxWaiting int

	// AddressLimit is how many logins one address may begin in a minute; an IPv6
	// address counts by its /64. Zero means 600: whole schools share one.
	AddressLimit int

	// ClientIP returns a request's address, for limits and for the page that
	// says where a login comes from. Nil means the connection's other end: an
	// application behind a proxy has to read the header that its own proxy sets,
	// and no other.
	ClientIP func(*http.Request) netip.Addr

	// OnLogin is called before a session begins; an error refuses the login.
	// Nil allows all. It may be called twice for one login, since WeChat
	// sometimes sends a callback twice.
	OnLogin func(context.Context, Login) error

	// OnEvent is told what happens, in the request that it happens in. Nil means
	// nobody is.
	OnEvent func(context.Context, Event)

	// Logger gets what goes wrong, without secrets. Nil means slog.Default().
	Logger *slog.Logger

	// HTTPClient makes the calls to WeChat; nil means one with a limit of 5
	// seconds a call. Redirects are never followed.
	HTTPClient *http.Client

	// InsecureHTTP accepts a PublicURL of plain http on any host, for trying a
	// WeChat test account over a LAN. Everybody on the way can take over what is
	// logged in to over it.
	InsecureHTTP bool
}

// Login is what [Config.OnLogin] decides about.
type Login struct {
	User User
	// Profile is what WeChat told of the person: the identity alone, unless user
	// info was fetched in this login.
	Profile wechat.UserInfo
	// Token is WeChat's access token. For a scan login it has been kept in the
	// [StateStore] from the callback until now, which is done only where OnLogin
	// is set.
	Token wechat.Token
}

// Gate is both the handler to mount at [Config.BasePath] and the middleware that
// lets logged-in people pass. It is safe for concurrent use.
type Gate struct {
	config   Config
	public   *url.URL
	official *wechat.Client // nil if not configured
	website  *wechat.Client // nil if not configured
	users    UserStore      // reads that decide a login go here
	readers  UserStore      // reads on every request; the same unless Config.UserTTL is set
	state    StateStore
	logins   logins
	sessions sessions
	cookies  browserCookies
	waiting  waiting
	origins  *http.CrossOriginProtection
	mux      *http.ServeMux
	pages    *pages
	outer    sync.Once   // for the warning about an outer LoadAndSave
	redis    *RedisStore // if New has made one
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
	secure := public.Scheme == "https"
	g := &Gate{config: config, public: public, users: config.Users, origins: http.NewCrossOriginProtection(), redis: redisStore}
	if err := g.setAccounts(); err != nil {
		return nil, err
	}
	if err := g.origins.AddTrustedOrigin(public.Scheme + "://" + public.Host); err != nil {
		return nil, fmt.Errorf("scangate: Config.PublicURL: %w", err)
	}
	if g.pages, err = newPages(&config); err != nil {
		return nil, err
	}
	g.readers = g.users
	if config.UserTTL > 0 {
		cache := newUserCache(config.Users, config.UserTTL)
		g.users, g.readers = uncached{cache}, cache
	}
	g.state = namespace{config.State, config.name()}
	g.logins = logins{store: g.state, ttl: config.LoginTTL}
	g.waiting.max = config.MaxWaiting
	g.cookies = browserCookies{name: "scangate", secure: secure}
	if secure {
		g.cookies.name = "__Host-scangate"
	}
	if config.Sessions == nil {
		config.Sessions = newSessionManager(secure, sessionStore)
		config.Sessions.ErrorFunc = g.fail
	}
	// The key holds the base path, so that one gate's people are nobody at another.
	g.sessions = sessions{manager: config.Sessions, key: "scangate" + config.BasePath}
	g.mux = g.routes()
	return g, nil
}

// Close releases the browsers that wait, so that the server can shut down at
// once: call it before http.Server.Shutdown, or by RegisterOnShutdown. Requests
// that would wait get 503 from then on; all else still works.
func (g *Gate) Close() error {
	g.waiting.close()
	if g.redis == nil {
		return nil
	}
	return g.redis.Close()
}

// useRedis fills in the stores that Config.Redis is for, and returns what has to
// be closed, and a store for sessions.
func (c *Config) useRedis() (*RedisStore, scs.Store, error) {
	if c.Redis == nil {
		return nil, nil, nil
	}
	setDefault(&c.RedisPrefix, "scangate")
	store, err := NewRedisStore(c.Redis, c.RedisPrefix)
	if err != nil {
		return nil, nil, fmt.Errorf("scangate: Config.Redis: %w", err)
	}
	if c.Users == nil {
		c.Users = store
	}
	if c.State == nil {
		c.State = store
	}
	return store, newRedisSessions(c.Redis, c.RedisPrefix), nil
}

// check returns an error that names the first field at fault.
func (c *Config) check(public *url.URL) error {
	if c.BasePath != "" && (!strings.HasPrefix(c.BasePath, "/") || path.Clean(c.BasePath) != c.BasePath ||
		c.BasePath == "/" || url.PathEscape(c.BasePath) != strings.ReplaceAll(c.BasePath, "/", "%2F")) {
		return fmt.Errorf("scangate: Config.BasePath: %q is no path like \"/wechat\"", c.BasePath)
	}
	if c.LoginTTL != 0 && (c.LoginTTL < time.Minute || c.LoginTTL > 30*time.Minute) {
		return fmt.Errorf("scangate: Config.LoginTTL: %v is not between 1 and 30 minutes", c.LoginTTL)
	}
	if c.MaxWaiting < 0 {
		return fmt.Errorf("scangate: Config.MaxWaiting: %d is negative", c.MaxWaiting)
	}
	if c.UserTTL < 0 {
		return fmt.Errorf("scangate: Config.UserTTL: %v is negative", c.UserTTL)
	}
	if c.AddressLimit < 0 {
		return fmt.Errorf("scangate: Config.AddressLimit: %d is negative", c.AddressLimit)
	}
	if err := c.checkRegistration(public); err != nil {
		return err
	}
	if err := c.checkPages(); err != nil {
		return err
	}
	if c.Sessions != nil && !c.Sessions.Cookie.HttpOnly {
		return errors.New("scangate: Config.Sessions: Cookie.HttpOnly is false: any script on a page could read the session")
	}
	if c.Sessions != nil && public.Scheme == "https" && !c.Sessions.Cookie.Secure {
		return errors.New("scangate: Config.Sessions: Cookie.Secure is false, though PublicURL is https")
	}
	return nil
}

// checkRegistration is check for who may become a user, and by what.
func (c *Config) checkRegistration(public *url.URL) error {
	switch c.Registration {
	case "", RegisterOpen, RegisterByPhone, RegisterClosed:
	default:
		return fmt.Errorf("scangate: Config.Registration: %q is none of RegisterOpen, RegisterByPhone and RegisterClosed", c.Registration)
	}
	path := strings.TrimPrefix(c.RegisterURL, public.String())
	switch {
	case c.RegisterURL != "" && c.Registration != RegisterClosed:
		return errors.New("scangate: Config.RegisterURL: only RegisterClosed has use for it")
	case c.RegisterURL != "" && (localPath(path) != path || strings.Contains(path, "#")):
		return fmt.Errorf("scangate: Config.RegisterURL: %q is neither a path on this server nor begins with PublicURL", c.RegisterURL)
	case c.SendCode == nil && c.RequirePhone:
		return errors.New("scangate: Config.SendCode: RequirePhone needs it")
	case c.SendCode == nil && c.Registration == RegisterByPhone:
		return errors.New("scangate: Config.SendCode: RegisterByPhone needs it")
	case c.CodeLimit < 0:
		return fmt.Errorf("scangate: Config.CodeLimit: %d is negative", c.CodeLimit)
	}
	return nil
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
			return fmt.Errorf("scangate: Config.OfficialAccount: %w", err)
		}
	}
	if c.Website != none {
		if g.website, err = wechat.NewClient(c.Website, c.Endpoint, c.HTTPClient); err != nil {
			return fmt.Errorf("scangate: Config.Website: %w", err)
		}
	}
	return nil
}

// parsePublicURL returns the scheme and host that all URLs begin with.
func parsePublicURL(s string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("scangate: Config.PublicURL: %q is no URL like \"https://app.example.com\"", s)
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme != "http":
		return nil, fmt.Errorf("scangate: Config.PublicURL: %q is not https", s)
	case !insecure && !isLoopback(u.Hostname()):
		return nil, fmt.Errorf("scangate: Config.PublicURL: %q is plain http on a host other than this machine: use https, or see InsecureHTTP", s)
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// fillDefaults replaces zero values.
func (c *Config) fillDefaults(public *url.URL) {
	setDefault(&c.BasePath, "/wechat")
	setDefault(&c.AppName, public.Hostname())
	setDefault(&c.LoginTTL, 5*time.Minute)
	setDefault(&c.MaxWaiting, 10_000)
	setDefault(&c.AddressLimit, 600)
	setDefault(&c.CodeLimit, 1000)
	setDefault(&c.Registration, RegisterOpen)
	if c.Users == nil || c.State == nil {
		memory := NewMemoryStore()
		if c.Users == nil {
			c.Users = memory
		}
		if c.State == nil {
			c.State = memory
		}
	}
	if len(c.Languages) == 0 {
		c.Languages = []string{"zh", "en"}
	}
	if c.NormalizePhone == nil {
		c.NormalizePhone = normalizePhone
	}
	if c.ClientIP == nil {
		c.ClientIP = remoteAddr
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// name tells this gate from others: processes of one application share it, and
// two gates that share a store do not.
func (c *Config) name() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", c.PublicURL, c.BasePath, c.OfficialAccount.AppID, c.Website.AppID))
	return base64.RawURLEncoding.EncodeToString(sum[:9]) + ":"
}

// namespace is a StateStore in which one gate's keys are its own: an attempt
// approved at one is nothing to another, whose users are other people.
type namespace struct {
	store  StateStore
	prefix string
}

func (n namespace) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return n.store.Create(ctx, n.prefix+key, value, ttl)
}

func (n namespace) Load(ctx context.Context, key string) ([]byte, int64, error) {
	return n.store.Load(ctx, n.prefix+key)
}

func (n namespace) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	return n.store.Update(ctx, n.prefix+key, version, value, ttl)
}

func (n namespace) Wait(ctx context.Context, key string, version int64) ([]byte, int64, error) {
	return n.store.Wait(ctx, n.prefix+key, version)
}

func (n namespace) Add(ctx context.Context, key string, window time.Duration) (int64, error) {
	return n.store.Add(ctx, n.prefix+key, window)
}
