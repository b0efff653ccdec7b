package scangate

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate/internal/phone"
	"github.com/scangate/scangate/wechat"
)

// Config configures a [Gate]. PublicURL and one of the three accounts are required. The
// zero value of every other field is a sensible default.
type Config struct {
	// PublicURL is where browsers and phones reach the application, such as
	// "https://app.example.com": https, a host as browsers write it, and no path. A host
	// outside of ASCII is written in Punycode ("xn--..."), without a dot at its end, and
	// the scheme's default port is left out. All URLs that the gate returns begin with it;
	// the Host of a request is ignored. Plain http is accepted for a loopback host only, or
	// with InsecureHTTP.
	PublicURL string

	// BasePath is the path at which the gate is mounted; empty means "/wechat". Routers
	// must not strip it from requests.
	BasePath string

	// AppName is the application's name on the pages; empty means PublicURL's host.
	AppName string

	// Pages configures the gate's pages.
	Pages Pages

	// OfficialAccount is a verified service account (or a test account). It is for
	// scanning the gate's QR code, for logging in inside WeChat, and for ScanFollow and
	// ScanMessage. Zero means none. An account without web authorization has an empty
	// Secret, which requires Push, and is not enough for ScanWeb and ScanFollow.
	OfficialAccount wechat.Account

	// Scan is what the QR code on the login page leads to. Links below the code lead to the
	// other ways that are configured: ScanWeb with a Secret, ScanFollow with a Secret and
	// Push, ScanMessage with Push.AccountQR, and Website. Empty means ScanMessage if the
	// official account has no Secret, ScanMiniProgram if there is a mini program and no
	// official account, and otherwise ScanWeb. It is required if there are a mini program and an
	// official account with Push and without a Secret.
	Scan ScanMode

	// Push configures the messages of the official account, which ScanFollow and
	// ScanMessage need. Zero means that the account's messages do not come to the gate.
	Push Push

	// Website is a website application of the Open Platform, for WeChat's own QR page.
	// Zero means none.
	//
	// With both accounts a person is one user, whichever they log in by. Both accounts
	// must be bound to the same Open Platform account. A new person then has to share
	// their user info, because only the unionid in it identifies them at the other account.
	Website wechat.Account

	// MiniProgram is a mini program (小程序), which ScanMiniProgram and ScanMiniProgramCode
	// need. The gate's routes for it are below mini/; by mini/login the mini program logs itself
	// in. It must be bound to the same Open Platform account as the other accounts, so that a
	// person is one user, whichever they log in by. As with Website, a new person who comes by the official
	// account then has to share their user info. An account without a Secret cannot look
	// unionids up, and logs in known users only. Zero means none.
	MiniProgram wechat.Account

	// WeChat configures how the gate and WeChat reach each other.
	WeChat WeChat

	// LoginPage is the application's own login page, for an application that has other ways
	// to log in too: a path on this server, or a URL that begins with PublicURL, but not
	// below BasePath. A page load or a form that may not pass is redirected there instead of
	// to the gate's login page, with the parameter return_to. Its button for WeChat leads to
	// [Gate.LoginURL], and its own login continues at [Gate.ReturnTo] of that parameter.
	// Empty means the gate's login page.
	LoginPage string

	// TrustedOrigins are the origins of the application's front ends on other hosts or
	// ports, such as "https://www.example.com": exactly as browsers send them in the header
	// Origin. Their scripts may log a person in and out with cookies (CORS). They must belong
	// to the same site as PublicURL: the same scheme, and a registrable domain in common.
	// Nil means none.
	TrustedOrigins []string

	// AllowReturnTo reports whether a login may end at a page of another host. It is asked
	// about URLs of https without a user, when the login begins and again when it ends. If
	// PublicURL is plain http, it is asked about plain http too. Compare Host as a whole: a
	// host that merely ends with yours may be an attacker's. Nil allows no other host.
	AllowReturnTo func(*url.URL) bool

	// Registration configures how a person without a user becomes one.
	Registration Registration

	// Phone configures phone numbers.
	Phone Phone

	// CurrentUser returns the ID of the user who is logged in by the application's own
	// means, as Users knows it, or false if there is none. For a user of the gate it returns
	// what [Gate.Check] returns. It alone decides for the routes link and unlink, which add a
	// WeChat identity to an account and remove one, the last one too. The gate then demands no
	// fresh login for them: CurrentUser may return false for a login that is too old. It does
	// not decide about a change of the phone number. If the gate is mounted outside of the session manager's LoadAndSave, CurrentUser must load
	// the session itself. It must return false for a session that the application has
	// ended. Nil means the user who is logged in with the gate.
	CurrentUser func(*http.Request) (id string, ok bool)

	// Users is the application's table of users. Nil means Redis if that is set,
	// otherwise a [MemoryStore]. If it has a method CheckUsers() error, New calls it and
	// reports the error: a store uses it to refuse to keep users.
	Users UserStore

	// UserTTL is how long a user whom Users returned is kept in memory, so that most
	// requests of logged-in users read nothing from it. [Gate.EndSessions] and logging out
	// everywhere take effect at once all the same, and within 2 seconds at the other
	// processes that share State. Any other change that does not go through this gate, such
	// as disabling a user, takes effect up to UserTTL later. A process reads State once a
	// second for this, and if State fails it reads the user on every request. Zero reads the
	// user on every request.
	UserTTL time.Duration

	// State keeps the logins that are under way. Nil means Redis if that is set,
	// otherwise a [MemoryStore], which serves one process.
	State StateStore

	// Redis keeps in Redis each of Users, State and Session.Manager that is nil, so that
	// many processes can share it. Users and logins are kept in a [RedisStore]; its
	// documentation describes how to set up the pool and the server. Sessions are kept in
	// scs/redisstore, on a second pool that is made like this one. The caller closes the
	// pool after the gate.
	Redis *redis.Pool

	// RedisPrefix begins every key in Redis; empty means "scangate". It consists of
	// letters, digits and "-_:".
	RedisPrefix string

	// Session configures sessions.
	Session Session

	// MatchNumber makes the person type the two digits that the other screen shows, with
	// one try. If it is false, both screens show the number, to compare. It excludes
	// Website: WeChat's own QR page shows no number, so an attacker could send a victim
	// there instead.
	MatchNumber bool

	// Limits bounds the duration of a login, and the requests of one process and one address.
	Limits Limits

	// ClientIP returns a request's address, for limits and for the page that shows where
	// a login comes from. Nil means the connection's other end. An application behind a
	// proxy must read the header that its own proxy sets, and no other.
	ClientIP func(*http.Request) netip.Addr

	// Locate returns the place of an address, such as "Beijing", as plain text of at most 64
	// characters. The page that asks a person for approval shows it, for the address of the
	// browser that would be logged in. It is called whenever that page is shown, and by many
	// requests at a time. If it returns "", panics or takes longer than half a second, the
	// page shows no place. Nil means that pages show addresses only.
	Locate func(netip.Addr) string

	// OnLogin is called before a session begins. An error refuses the login, which
	// cannot be tried again: the person sees a page without the reason, and the error is
	// logged. It may be called twice for one login, because WeChat sometimes sends a
	// callback twice. It is not called for links and phone numbers of logged-in users.
	// Its context holds the session that is about to begin, so values that it puts there
	// with the methods of Session.Manager are kept. If it returns an error, the browser's
	// earlier session stays as it was. Nil allows every login.
	OnLogin func(context.Context, Login) error

	// OnEvent is called for every event, in the request that causes it, which waits for
	// it. Its context does not end with the request. Nil means that events are dropped.
	OnEvent func(context.Context, Event)

	// Logger receives failures, without secrets: the first of a cause at once, and the
	// number of those that follow every 10 seconds. With Redis it also receives when Redis
	// goes away and when it is back. Nil means slog.Default().
	Logger *slog.Logger

	// InsecureHTTP accepts a PublicURL of plain http on any host, for trying a WeChat
	// test account in a LAN. Anyone on the network path can hijack sessions.
	InsecureHTTP bool
}

// Pages configures the gate's pages; see [Config.Pages].
type Pages struct {
	// Logo is a picture that the pages show beside AppName: a path on this server such
	// as "/logo.svg", or a data:image/ URL. Empty means AppName's first character.
	Logo string

	// AccentColor is the color of buttons and marks, such as "#1677ff". The pages darken
	// it, and lighten it for the dark scheme, as far as text needs it to be readable.
	// Empty means a green.
	AccentColor string

	// Languages are the languages of the pages, out of "zh", "zh-Hant", "en" and those of
	// Texts. A browser that prefers none of them gets the first. Empty means these three,
	// "zh" first, those of Texts, and English for browsers that prefer other languages.
	Languages []string

	// Texts replaces texts of the pages, by language and key. A language is a tag such as
	// "en", "ja" or "pt-BR"; docs/pages.md lists the keys, which later versions keep. A text
	// is plain text, never HTML. It must have the same placeholders as the gate's own, such
	// as {time}, and may have {app}, which is AppName. Texts that a language outside of
	// "zh", "zh-Hant" and "en" lacks are English; New logs their keys as a warning. Nil
	// means the gate's own texts.
	Texts map[string]map[string]string

	// Terms are the documents that a person has to agree to, such as a user agreement and a
	// privacy policy, at most five. Each has a URL and a Version. Before a person approves a
	// cross-device login, and before a new user is registered, a page shows a box that is not
	// ticked; see [EventAgreed]. A user who logs in on the same device is not asked again.
	// Nil means that no page asks.
	Terms []Link

	// Links are at most ten links below the QR code, such as the application's login by
	// password, or help. Each has a URL. While a WeChat is added to an account, the page
	// shows none.
	Links []Link

	// Footer is at the foot of every page: at most ten links, and texts without a URL, such
	// as the number of an ICP filing (备案号).
	Footer []Link

	// Templates replaces built-in pages. It may define login.html, finish.html,
	// profile.html, terms.html, confirm.html, phone.html, chat.html, done.html and
	// message.html, and page-head and page-foot, which all pages share. They are executed with a
	// [PageData]. New tries all of them with samples, and refuses a page that cannot work or
	// that the browser would block. If a template fails later, the browser gets a page that
	// reports a failure, and the error is logged. The pages' Content-Security-Policy allows
	// styles, scripts and pictures from this server, and nothing inline. Nil means the
	// built-in pages.
	Templates *template.Template
}

// Link is a link on the gate's pages; see [Pages].
type Link struct {
	// Text is what the pages show: plain text of at most 100 characters.
	Text string

	// Texts is Text in other languages, by tag as in [Pages.Languages]. A language that is
	// not in it has Text.
	Texts map[string]string

	// URL is where the link leads: https, or a path on this server such as "/privacy". It is
	// empty for a text in [Pages.Footer].
	URL string

	// Version is the version of a document in [Pages.Terms]: 1 to 32 letters, digits, dots,
	// underscores and hyphens, such as "2025-06-01". It is empty elsewhere.
	Version string
}

// Phone configures phone numbers; see [Config.Phone].
type Phone struct {
	// Require binds a phone number to every user. Users without one prove theirs by a
	// one-time code before they are logged in, and pass [Gate.RequireWeChat] only with
	// one. It requires SendCode.
	Require bool

	// SendCode delivers a one-time code to a number in E.164 form, by SMS or otherwise,
	// within the 8 seconds of its context. An error means that the code was not
	// delivered: the person is shown so, and may try again at once. Nil means that no
	// number can be proved.
	SendCode func(ctx context.Context, phone, code string) error

	// CodeLimit caps the codes sent per hour in total. It bounds what an attacker can
	// make you spend on SMS. A number that WeChat gives to the mini program costs money too,
	// and counts as a code. Zero means 1,000. Limits for each number, person and address
	// apply as well.
	CodeLimit int

	// Countries are the calling codes of the countries whose numbers are accepted, such as
	// "852"; "86" is always among them. "1" is the United States and Canada only: the code
	// of another country in the North American plan includes the area code, as in "1876".
	// Within a country all numbers are accepted, except mainland landlines and numbers of
	// services under +1. Empty means mainland mobile numbers only, or, with Normalize, all
	// that it returns.
	Countries []string

	// Normalize returns a typed number in E.164 form, or an error. Each number must have
	// one result, because quotas and users are found by it. Nil accepts mainland mobile
	// numbers in any usual spelling, and other numbers that begin with + or 00 and their
	// calling code. It drops a zero after the code, as in +44 (0)7911 123456, where the
	// country's numbers have none.
	Normalize func(string) (string, error)
}

// Session configures sessions; see [Config.Session].
type Session struct {
	// Manager is the application's session manager. Its cookie must be HttpOnly, Secure if
	// PublicURL is https, and neither SameSite=None nor Strict. Its Path must be "/", and
	// its Domain, if any, must cover PublicURL's host. The gate works on a copy: fields
	// that the application changes after New have no effect on the gate.
	//
	// The gate adds one value to a session, renews its token at a login, and empties it
	// if another user of the gate was logged in; data from a login by other means stays,
	// so remove or overwrite its key in OnLogin: it may be another person's.
	// Two gates on one host need managers with different cookies. Any host of the same
	// domain can set a cookie whose name does not begin with "__Host-".
	//
	// Nil means a manager that New makes: sessions for Lifetime, in the cookie
	// "__Host-session". They are kept in Redis if that is set, otherwise in memory, which
	// has room for 262,144; beyond that a login gets 503.
	Manager *scs.SessionManager

	// Redis keeps the sessions of New's manager on these servers, each session on one of
	// them. A hash of the session's token decides which one; see [RedisShards] about adding
	// a server. A browser whose session moves has none, and its user logs in again. While a
	// server is down, requests with a session on it get 503, and all others are served. The
	// pools are set up like the one of Config.Redis, and Config.RedisPrefix begins the keys.
	// The caller closes the pools after the gate. It excludes Manager. Empty means the
	// server of Config.Redis if that is set.
	Redis []*redis.Pool

	// Lifetime is how long a session lasts from its login, without a Manager: from 1 minute
	// to 400 days, which is the longest that browsers keep a cookie. A Manager has a
	// Lifetime of its own. Zero means 7 days.
	Lifetime time.Duration
}

// Limits bounds the duration of a login, and the requests of one process and one address;
// see [Config.Limits].
type Limits struct {
	// LoginTTL is how long a login may take until WeChat has answered. From then on it
	// has 10 more minutes. Zero means 5 minutes; the range is 1 to 30 minutes.
	LoginTTL time.Duration

	// Waiting bounds the requests of this process that wait for a login to change. One
	// address may hold a tenth of them (one /48 of IPv6 five times as many), and one
	// login 5. Beyond the total a request gets 503, beyond the others 429. Zero means
	// 10,000. Behind a proxy all browsers have one address unless ClientIP is set.
	Waiting int

	// Address is how many logins one address may begin in a minute. Callbacks, and
	// requests for unknown logins, have the same limit, each counted separately. The first
	// callback of a login is not counted, because its start was. An IPv6 address counts by
	// its /64, and its /48 has five times the limit. Zero means 600, because a whole school
	// may share one address.
	Address int
}

// Login is the login that [Config.OnLogin] decides about.
type Login struct {
	// User is the user who would be logged in, as Config.Users returned them. They are
	// registered, and not disabled.
	User User
	// Profile is the person as WeChat described them: only the identity, unless user
	// info was fetched in this login.
	Profile wechat.UserInfo
	// Token is WeChat's access token. It is zero if a mini program or a chat has proved the
	// identity. In a cross-device login the [StateStore] keeps it from the callback until
	// now, which it does only if OnLogin is set.
	Token wechat.Token
	// Way is how the person has proved who they are.
	Way Way
}

// fillDefaults replaces zero values, except those of stores.
func (c *Config) fillDefaults(public *url.URL) {
	setDefault(&c.BasePath, defaultBasePath)
	setDefault(&c.AppName, public.Hostname())
	setDefault(&c.Limits.LoginTTL, 5*time.Minute)
	setDefault(&c.Limits.Waiting, 10_000)
	setDefault(&c.Limits.Address, 600)
	setDefault(&c.Registration.Mode, RegisterOpen)
	c.Phone.fillDefaults()
	if c.ClientIP == nil {
		c.ClientIP = remoteAddr
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}

// browserKeyCookie is the name of the cookie with a browser's key. With https, the prefix
// __Host- precedes it.
const browserKeyCookie = "scangate"

// defaultBasePath is the path of a gate whose Config has none.
const defaultBasePath = "/wechat"

// fillDefaults replaces zero values. Countries stays empty if Normalize decides alone.
func (p *Phone) fillDefaults() {
	setDefault(&p.CodeLimit, 1000)
	if p.Normalize == nil || len(p.Countries) > 0 {
		codes := []string{"86"}
		for _, code := range p.Countries {
			codes = append(codes, strings.TrimPrefix(code, "+"))
		}
		p.Countries = codes
	}
	if p.Normalize == nil {
		p.Normalize = phone.Normalize
	}
}

// international reports whether numbers outside mainland China can be accepted.
func (p *Phone) international() bool {
	return len(p.Countries) == 0 || slices.ContainsFunc(p.Countries, func(code string) bool { return code != "86" })
}

// agreement returns the versions of the terms, which the box on the page stands for. It is
// empty if there are none.
func (p *Pages) agreement() string {
	versions := make([]string, len(p.Terms))
	for i, document := range p.Terms {
		versions[i] = document.Version
	}
	return strings.Join(versions, " ")
}

// setDefault sets a field that has its zero value.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// openStores fills in the stores that are not set: in Redis if that is set, otherwise in
// memory. It returns the store that the gate has to close, or nil.
func (c *Config) openStores() (*RedisStore, error) {
	setDefault(&c.RedisPrefix, "scangate")
	if c.Redis == nil {
		memory := NewMemoryStore()
		c.setStores(memory, memory)
		return nil, nil
	}
	store, err := NewRedisStore(c.Redis, c.RedisPrefix)
	if err != nil {
		return nil, publicError(fmt.Errorf("Config.Redis: %w", err))
	}
	c.setStores(store, store)
	return store, nil
}

// setStores sets the stores that the application has not set.
func (c *Config) setStores(users UserStore, state StateStore) {
	if c.Users == nil {
		c.Users = users
	}
	if c.State == nil {
		c.State = state
	}
}

// name distinguishes this gate from others. The processes of one application share it,
// and two gates that share a store do not.
func (c *Config) name() string {
	named := fmt.Appendf(nil, "%q %q %q %q", c.PublicURL, c.BasePath, c.OfficialAccount.AppID, c.Website.AppID)
	if c.MiniProgram.AppID != "" {
		named = fmt.Appendf(named, " %q", c.MiniProgram.AppID)
	}
	sum := sha256.Sum256(named)
	return base64.RawURLEncoding.EncodeToString(sum[:9]) + ":"
}
