package wechattest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scangate/scangate/wechat"
)

// App is an account registered with the simulated WeChat.
type App struct {
	wechat.Account
	// Name is the account's name on the pages. Empty means a placeholder with the AppID.
	Name string
	// Website marks a website application of the Open Platform, whose users log
	// in with a QR code. An account without Website and MiniProgram is an official account.
	Website bool
	// Hosts are the callback hosts (host or host:port) registered for the
	// account. WeChat redirects to no other host. Empty allows any host.
	Hosts []string
	// Unbound marks an account that is not bound to an Open Platform account.
	// WeChat returns no unionid to it.
	Unbound bool
	// MiniProgram marks a mini program.
	MiniProgram bool
	// Unverified marks an account that is not verified. It receives messages and has a
	// token, but it may not create QR codes or look up followers.
	Unverified bool
	// IPList lists the addresses, without ports, from which the account's token may be
	// fetched. A mini program's list applies to the exchange of codes too. Empty allows
	// any address.
	IPList []string
	// Pages are a mini program's published pages. Empty means that all are published.
	Pages []string
	// Links are a mini program's rules for plain links in QR codes.
	Links []LinkRule
}

// Person is a WeChat user with a phone.
type Person struct {
	// ID identifies the person in the simulation. It is a word such as "lin".
	ID string
	// Nickname and HeadImgURL are the person's public profile.
	Nickname, HeadImgURL string
	// NoUnionID withholds the person's unionid from every account.
	NoUnionID bool
	// Snapshot gives accounts that ask for snsapi_userinfo a snapshot user in
	// place of the person: invented ids, name and picture, with is_snapshotuser
	// set. With the answer [FullService] accounts get the person's own data.
	Snapshot bool
	// Note is shown beside the name where a page lists persons.
	Note string
}

// People returns the default persons. "lin" and "wang" are ordinary users, "yueyue" has
// emoji in her nickname, "chen" has no unionid, and "zhao" is a snapshot user.
func People() []Person {
	picture := func(name string) string { return "https://thirdwx.qlogo.cn/mmopen/vi_32/" + name + "/132" }
	return []Person{
		{ID: "lin", Nickname: "林小北", HeadImgURL: picture("lin"), Note: "已注册 · known already"},
		{ID: "wang", Nickname: "Wang Wei", HeadImgURL: picture("wang"), Note: "新用户 · new"},
		{ID: "yueyue", Nickname: "月月🌙🐰", HeadImgURL: picture("yueyue"), Note: "名字带表情 · emoji in the name"},
		{ID: "chen", Nickname: "陈默", HeadImgURL: picture("chen"), NoUnionID: true, Note: "没有 UnionID · no unionid"},
		{ID: "zhao", Nickname: "赵一", HeadImgURL: picture("zhao"), Snapshot: true, Note: "快照页 · snapshot page only"},
	}
}

// WeChat is a simulated WeChat: an [http.Handler] for its pages and its API.
// Make one with [New], [NewStrict] or [NewServer]. It is safe for concurrent use.
// It keeps at most 10,000 codes and as many tokens of each kind, and drops the
// oldest first.
type WeChat struct {
	apps     map[string]App // by appid
	persons  []Person
	pages    *template.Template
	routes   *http.ServeMux
	posts    map[string]http.Handler // the routes that accept POST only, by path
	reporter *misuseReporter         // nil outside of tests

	mu               sync.Mutex
	clockOffset      time.Duration // added to the real time; see FastForward
	codes            *ledger[*code]
	access, refresh  *ledger[*grant]
	accounts         map[string]*accountState // by appid
	accountTokens    *ledger[string]          // the appids
	scenes           *ledger[*sceneCode]      // by the text of the code
	tickets          *ledger[*sceneCode]      // by ticket
	miniCodes        *ledger[*miniCode]
	miniPictures     *ledger[miniPicture] // by the picture
	chats            map[chatKey]*chat
	codesAt          string // see CodesAt
	quotas           map[Op]int
	faults           map[Op][]pendingFault
	calls            map[Op]int
	deliverTwice     bool
	refuseAsAuthdeny bool
}

// New returns a simulator with the given persons and apps. Nil selects the default
// persons. The simulator answers misuse of the protocol with WeChat's errors.
func New(persons []Person, apps ...App) *WeChat {
	if persons == nil {
		persons = People()
	}
	w := &WeChat{
		apps:    make(map[string]App, len(apps)),
		persons: slices.Clone(persons),
		pages:   parsePages(),
		routes:  http.NewServeMux(),
		codes:   newLedger[*code](codeTTL),
		access:  newLedger[*grant](accessTTL),
		refresh: newLedger[*grant](refreshTTL),
		faults:  make(map[Op][]pendingFault),
		calls:   make(map[Op]int),

		accounts:      make(map[string]*accountState, len(apps)),
		accountTokens: newLedger[string](accessTTL),
		scenes:        newLedger[*sceneCode](sceneTTL),
		tickets:       newLedger[*sceneCode](sceneTTL),
		miniCodes:     newLedger[*miniCode](codeTTL),
		miniPictures:  newLedger[miniPicture](refreshTTL), // WeChat's codes live for ever
		chats:         make(map[chatKey]*chat),
		quotas:        make(map[Op]int),
	}
	for _, app := range apps {
		w.apps[app.AppID] = app
		w.accounts[app.AppID] = &accountState{}
	}
	w.registerRoutes()
	return w
}

// NewStrict returns a simulator with apps and the default persons. It fails t when
// the application misuses the protocol. It does not listen; use [Transport] to send
// requests to it.
func NewStrict(t testing.TB, apps ...App) *WeChat {
	t.Helper()
	w := New(nil, apps...)
	w.reporter = newMisuseReporter(t)
	return w
}

// registerRoutes registers the pages and the API.
func (w *WeChat) registerRoutes() {
	w.routes.HandleFunc(authorizePath, w.authorize)
	w.routes.HandleFunc(qrconnectPath, w.qrconnect)
	w.routes.Handle(exchangePath, w.api(OpExchange, w.exchange))
	w.routes.Handle("/sns/oauth2/refresh_token", w.api(OpRefresh, w.renew))
	w.routes.Handle("/sns/auth", w.api(OpVerify, w.verify))
	w.routes.Handle("/sns/userinfo", w.api(OpUserInfo, w.userInfo))
	w.routes.Handle("/sns/jscode2session", w.apiOf(OpSession, w.session))
	w.routes.Handle("/cgi-bin/token", w.apiOf(OpToken, w.token))
	w.routes.Handle("/cgi-bin/user/info", w.api(OpFollower, w.follower))
	w.routes.Handle("/cgi-bin/showqrcode", w.apiOf(OpShowQRCode, w.showQRCode))
	w.chatRoutes()
	w.posts = w.postRoutes()
	for path, handler := range w.posts {
		w.routes.Handle(path, handler)
	}
	// Other paths below WeChat's prefixes are misuse. Paths elsewhere, such as
	// /favicon.ico, are requested by browsers and are simply not found.
	for _, prefix := range []string{"/sns/", "/connect/", "/cgi-bin/", "/wxa/"} {
		w.routes.HandleFunc(prefix, w.unknownRoute)
	}
}

// postRoutes returns the value of w.posts.
func (w *WeChat) postRoutes() map[string]http.Handler {
	return map[string]http.Handler{
		"/cgi-bin/stable_token":            w.apiOf(OpStableToken, w.stableToken),
		"/cgi-bin/qrcode/create":           w.apiOf(OpCreateQRCode, w.createQRCode),
		"/wxa/business/getuserphonenumber": w.apiOf(OpPhoneNumber, w.phoneNumber),
		"/wxa/getwxacodeunlimit":           w.apiOf(OpMiniProgramCode, w.miniProgramCode),
	}
}

// ServeHTTP implements [http.Handler].
func (w *WeChat) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	_, pattern := w.routes.Handler(r)
	want, errcode := http.MethodGet, 43001
	if _, post := w.posts[pattern]; post {
		want, errcode = http.MethodPost, 43002
	}
	// WeChat documents GET for the exchange. Shipped clients also exchange codes by
	// POST. An empty pattern is a path outside of WeChat's prefixes.
	byPost := r.Method == http.MethodPost && pattern == exchangePath
	// The patterns of the pages with chats have the method.
	if pattern == "" || r.Method == want || byPost || strings.Contains(pattern, " ") {
		w.routes.ServeHTTP(rw, r)
		return
	}
	w.misuse("%s %s: WeChat accepts %s only", r.Method, r.URL.Path, want)
	// WeChat never uses status 405.
	if strings.HasPrefix(pattern, "/connect/") {
		w.show(rw, "error", page{LinkError: &linkError{0, "the page accepts GET only"}})
		return
	}
	writeAnswer(rw, newAPIError(errcode))
}

// unknownRoute answers requests for paths that WeChat, or this simulator, does
// not have.
func (w *WeChat) unknownRoute(rw http.ResponseWriter, r *http.Request) {
	w.misuse("%s: no such route in this simulator of WeChat", r.URL.Path)
	http.NotFound(rw, r)
}

// OpenID returns a person's openid at one app. It is the same in every run.
func (w *WeChat) OpenID(personID, appID string) string { return deriveID("openid", appID, personID) }

// UnionID returns a person's unionid, which is the same at all bound apps. It
// returns "" if the person is unknown or has no unionid.
func (w *WeChat) UnionID(personID string) string {
	person, ok := w.person(personID)
	if !ok || person.NoUnionID {
		return ""
	}
	return deriveID("unionid", personID)
}

// deriveID returns an id in WeChat's format: 28 characters, of which the first is
// o. Equal parts give equal ids.
func deriveID(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		// The separator keeps ("a", "bc") apart from ("ab", "c").
		hash.Write([]byte(part + "\x00"))
	}
	return "o" + base64.RawURLEncoding.EncodeToString(hash.Sum(nil))[:27]
}

// randomString returns n random characters that cannot be guessed.
func randomString(n int) string {
	// rand.Text returns 26 characters.
	text := rand.Text()
	for len(text) < n {
		text += rand.Text()
	}
	return text[:n]
}

// person returns the person with the given ID, and whether there is one.
func (w *WeChat) person(id string) (Person, bool) {
	i := slices.IndexFunc(w.persons, func(p Person) bool { return p.ID == id })
	if i < 0 {
		return Person{}, false
	}
	return w.persons[i], true
}

// FastForward moves the simulator's clock forward by d. Codes live 5 minutes,
// access tokens 2 hours, refresh tokens 30 days.
func (w *WeChat) FastForward(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clockOffset += d
}

// Expire makes a person's access tokens expire now, at every app. Their refresh
// tokens stay valid.
func (w *WeChat) Expire(personID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, entry := range w.access.entries {
		if entry.value.person.ID == personID {
			entry.expires = time.Time{}
		}
	}
}

// DeliverTwice chooses whether each [Phone] sends every callback twice, at the
// same instant. The default is false.
func (w *WeChat) DeliverTwice(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deliverTwice = on
}

// RefuseAsAuthdeny chooses the form of the callback after a refusal. By default it
// has no code, as documented. If on is true, it has the code "authdeny" and a
// reason, as seen in practice.
func (w *WeChat) RefuseAsAuthdeny(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuseAsAuthdeny = on
}

// now returns the simulator's time. The caller holds w.mu.
func (w *WeChat) now() time.Time { return time.Now().Add(w.clockOffset) }
