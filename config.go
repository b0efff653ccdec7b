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
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate/internal/redisstore"
	"github.com/scangate/scangate/internal/session"
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
	// application's own means, as Users knows it, or false if nobody is. It decides
	// about the routes link and unlink, which add a WeChat to an account and remove
	// one. Where the gate is mounted outside of the session manager's LoadAndSave, it
	// has to load the session itself; and it has to return false for a session that the
	// application has ended. Nil means who is logged in with the gate.
	CurrentUser func(*http.Request) (id string, ok bool)

	// Users is the application's table of users; nil means Redis if that is set,
	// else a [MemoryStore].
	Users UserStore

	// UserTTL keeps what Users says of a user in memory for that long, so that most
	// requests that pass the gate read nothing; somebody who is disabled or signed
	// out by another process is out that much later. Zero reads the user on every
	// request.
	UserTTL time.Duration

	// State keeps logins that are under way; nil means Redis if that is set, else a
	// [MemoryStore], which serves one process.
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
	// makes: sessions for 7 days, in the cookie "__Host-session", kept in Redis if
	// that is set, else in memory, where 262,144 have room and the next login gets
	// 503. Two gates on one host have to be given managers of different cookies.
	// The gate adds one value to a session, renews its token at a login, and empties
	// it where another user of the gate's was logged in; what a login by other means
	// has left in it stays.
	Sessions *scs.SessionManager

	// LoginTTL is how long a login may take until WeChat has answered; 10
	// minutes more are allowed from then on. Zero means 5 minutes; 1 to 30 are
	// accepted.
	LoginTTL time.Duration

	// MatchNumber makes the phone type the two-digit number that the other
	// screen shows, with one try. False shows it on both, to compare.
	MatchNumber bool

	// MaxWaiting bounds the requests of browsers that wait for their phones at one
	// time, in this process; the next one gets 503. One address may hold a tenth of
	// it, and one login 5; the next one gets 429. Zero means 10,000. Behind a proxy
	// all browsers have one address unless ClientIP is set.
	MaxWaiting int

	// AddressLimit is how many logins one address may begin in a minute. As many
	// callbacks of WeChat's, and requests for unknown logins, are answered, each
	// counted apart. An IPv6 address counts by its /64, and its /48 has five times
	// the limit. Zero means 600: whole schools share one.
	AddressLimit int

	// ClientIP returns a request's address, for limits and for the page that
	// says where a login comes from. Nil means the connection's other end: an
	// application behind a proxy has to read the header that its own proxy sets,
	// and no other.
	ClientIP func(*http.Request) netip.Addr

	// OnLogin is called before a session begins; an error refuses the login, which
	// is used up by that: the person sees a page that says no more than that, and
	// the error is logged. Nil allows all. It may be called twice for one login,
	// since WeChat sometimes sends a callback twice, and is not called for links
	// and phone numbers of people who are logged in.
	OnLogin func(context.Context, Login) error

	// OnEvent is told what happens, in the request that it happens in, which waits
	// for it; its context does not end with the request. Nil means nobody is told.
	OnEvent func(context.Context, Event)

	// Logger gets what goes wrong, without secrets. Nil means slog.Default().
	Logger *slog.Logger

	// HTTPClient makes the calls to WeChat. Its Timeout is for a call with its
	// retries, and 5 seconds if it is zero. Nil means a client of the gate's own.
	// Redirects are never followed.
	HTTPClient *http.Client

	// InsecureHTTP accepts a PublicURL of plain http on any host, for trying a
	// WeChat test account over a LAN. Everybody on the way can take over what is
	// logged in to over it.
	InsecureHTTP bool
}

// Login is what [Config.OnLogin] decides about.
type Login struct {
	// User is who would be logged in, as Config.Users has them: not disabled, and new
	// users registered already.
	User User
	// Profile is what WeChat told of the person: the identity alone, unless user
	// info was fetched in this login.
	Profile wechat.UserInfo
	// Token is WeChat's access token. For a scan login it has been kept in the
	// [StateStore] from the callback until now, which is done only where OnLogin
	// is set.
	Token wechat.Token
}

// check returns an error that names the first field at fault.
func (c *Config) check(public *url.URL) error {
	if c.BasePath != "" && (!strings.HasPrefix(c.BasePath, "/") || path.Clean(c.BasePath) != c.BasePath ||
		c.BasePath == "/" || url.PathEscape(c.BasePath) != strings.ReplaceAll(c.BasePath, "/", "%2F")) {
		return fmt.Errorf("scangate: Config.BasePath: %q is no path like \"/wechat\"", c.BasePath)
	}
	if !redisstore.ValidPrefix(c.RedisPrefix) {
		return fmt.Errorf("scangate: Config.RedisPrefix: %q has more than letters, digits and \"-_:\"", c.RedisPrefix)
	}
	if err := c.checkLimits(); err != nil {
		return err
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

// checkLimits is check for times and numbers.
func (c *Config) checkLimits() error {
	switch {
	case c.LoginTTL != 0 && (c.LoginTTL < time.Minute || c.LoginTTL > 30*time.Minute):
		return fmt.Errorf("scangate: Config.LoginTTL: %v is not between 1 and 30 minutes", c.LoginTTL)
	case c.UserTTL < 0:
		return fmt.Errorf("scangate: Config.UserTTL: %v is negative", c.UserTTL)
	case c.MaxWaiting < 0:
		return fmt.Errorf("scangate: Config.MaxWaiting: %d is negative", c.MaxWaiting)
	case c.AddressLimit < 0:
		return fmt.Errorf("scangate: Config.AddressLimit: %d is negative", c.AddressLimit)
	case c.CodeLimit < 0:
		return fmt.Errorf("scangate: Config.CodeLimit: %d is negative", c.CodeLimit)
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
	local := strings.TrimPrefix(c.RegisterURL, public.String())
	switch {
	case c.RegisterURL != "" && c.Registration != RegisterClosed:
		return errors.New("scangate: Config.RegisterURL: only RegisterClosed has use for it")
	case c.RegisterURL != "" && (localPath(local) != local || strings.Contains(local, "#")):
		return fmt.Errorf("scangate: Config.RegisterURL: %q is neither a path on this server nor begins with PublicURL", c.RegisterURL)
	case c.SendCode == nil && c.RequirePhone:
		return errors.New("scangate: Config.SendCode: RequirePhone needs it")
	case c.SendCode == nil && c.Registration == RegisterByPhone:
		return errors.New("scangate: Config.SendCode: RegisterByPhone needs it")
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

// isLoopback reports whether a host is this machine, by what it is called: names
// below localhost are (RFC 6761).
func isLoopback(host string) bool {
	host = strings.ToLower(host)
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
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

// setDefault sets a field that is not set.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// useRedis fills in the stores that Config.Redis is for. It returns the store that
// [Gate.Close] closes, and a store for sessions.
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
	return store, session.NewRedis(c.Redis, c.RedisPrefix), nil
}

// name tells this gate from others: processes of one application share it, and
// two gates that share a store do not.
func (c *Config) name() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", c.PublicURL, c.BasePath, c.OfficialAccount.AppID, c.Website.AppID))
	return base64.RawURLEncoding.EncodeToString(sum[:9]) + ":"
}
