package wechattest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/scangate/scangate/wechat"
)

// App is an account that the simulated WeChat knows.
type App struct {
	wechat.Account
	// Website makes it a website application of the Open Platform, which logs
	// people in by QR code. Otherwise it is an official account.
	Website bool
	// Hosts are the callback hosts (host or host:port) registered for it. WeChat
	// sends people nowhere else. Empty allows any.
	Hosts []string
	// Unbound says that it isn't bound to an Open Platform account: it is never
	// told a unionid.
	Unbound bool
}

// Person is somebody with WeChat on their phone.
type Person struct {
	// ID names them in the simulation: a word such as "lin".
	ID string
	// Nickname and HeadImgURL are what they show of themselves.
	Nickname, HeadImgURL string
	// NoUnionID withholds their unionid from every account.
	NoUnionID bool
	// Snapshot gives accounts that ask for snsapi_userinfo a snapshot user in
	// place of them: made-up ids, name and picture, with is_snapshotuser set.
	// They answer [FullService] to be themselves.
	Snapshot bool
	// Note stands beside their name where a page asks whose phone it is.
	Note string
}

// People returns the people whom [New] knows unless told otherwise. "lin" and
// "wang" have nothing particular about them, "yueyue" has emoji in her name,
// "chen" has no unionid, and "zhao" only ever gets a snapshot page.
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
// Make one with [New], [NewStrict] or [NewServer]. It is safe for concurrent use
// and of bounded size: it forgets the oldest of its codes and tokens.
type WeChat struct {
	apps   map[string]App
	people []Person
	pages  *template.Template
	routes *http.ServeMux
	strict *referee // nil outside of tests

	mu               sync.Mutex
	ahead            time.Duration // of the real time
	codes            *ledger[*code]
	access, refresh  *ledger[*grant]
	faults           map[Op][]pendingFault
	calls            map[Op]int
	deliverTwice     bool
	refuseAsAuthdeny bool
}

// New returns a WeChat that knows people (nil: [People]) and apps. It answers a
// misuse of the protocol as WeChat does.
func New(people []Person, apps ...App) *WeChat {
	if people == nil {
		people = People()
	}
	w := &WeChat{
		apps:    make(map[string]App, len(apps)),
		people:  slices.Clone(people),
		pages:   parsePages(),
		routes:  http.NewServeMux(),
		codes:   newLedger[*code](codeTTL),
		access:  newLedger[*grant](accessTTL),
		refresh: newLedger[*grant](refreshTTL),
		faults:  make(map[Op][]pendingFault),
		calls:   make(map[Op]int),
	}
	for _, app := range apps {
		w.apps[app.AppID] = app
	}
	w.route()
	return w
}

// NewStrict returns a WeChat that knows [People] and apps, and fails t whenever
// the application misuses the protocol. It doesn't listen; see [Transport].
func NewStrict(t testing.TB, apps ...App) *WeChat {
	t.Helper()
	w := New(nil, apps...)
	w.strict = newReferee(t)
	return w
}

// route registers what the simulator serves. Below WeChat's own prefixes anything
// else is misuse; elsewhere, such as at /favicon.ico, it is simply not found.
func (w *WeChat) route() {
	w.routes.HandleFunc(authorizePath, w.authorize)
	w.routes.HandleFunc(qrconnectPath, w.qrconnect)
	w.routes.Handle("/sns/oauth2/access_token", w.api(OpExchange, w.exchange))
	w.routes.Handle("/sns/oauth2/refresh_token", w.api(OpRefresh, w.renew))
	w.routes.Handle("/sns/auth", w.api(OpVerify, w.verify))
	w.routes.Handle("/sns/userinfo", w.api(OpUserInfo, w.userInfo))
	for _, prefix := range []string{"/sns/", "/connect/", "/cgi-bin/"} {
		w.routes.HandleFunc(prefix, w.unknown)
	}
}

// ServeHTTP implements [http.Handler]. It serves GET alone, as WeChat does here.
func (w *WeChat) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	handler, pattern := w.routes.Handler(r)
	if pattern != "" && r.Method != http.MethodGet {
		w.misuse("%s %s: WeChat's web authorization takes GET alone", r.Method, r.URL.Path)
		http.Error(rw, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	handler.ServeHTTP(rw, r)
}

// unknown answers for the routes that WeChat doesn't have here.
func (w *WeChat) unknown(rw http.ResponseWriter, r *http.Request) {
	w.misuse("%s: WeChat has no such route, or the simulator doesn't know it", r.URL.Path)
	http.NotFound(rw, r)
}

// OpenID returns the name of a person at one app, as stable as WeChat's: the
// same in every run.
func (w *WeChat) OpenID(personID, appID string) string { return derive("openid", appID, personID) }

// UnionID returns the name of a person at all bound apps, or "" for those whom
// WeChat gives none.
func (w *WeChat) UnionID(personID string) string {
	person, ok := w.person(personID)
	if !ok || person.NoUnionID {
		return ""
	}
	return derive("unionid", personID)
}

// derive makes an id of WeChat's look, 28 characters that begin with o.
func derive(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		hash.Write([]byte(part + "\x00"))
	}
	return "o" + base64.RawURLEncoding.EncodeToString(hash.Sum(nil))[:27]
}

// random makes a value that nobody guesses, of n characters.
func random(n int) string {
	text := rand.Text()
	for len(text) < n {
		text += rand.Text()
	}
	return text[:n]
}

// person returns who goes by an id, and whether anybody does.
func (w *WeChat) person(id string) (Person, bool) {
	i := slices.IndexFunc(w.people, func(p Person) bool { return p.ID == id })
	if i < 0 {
		return Person{}, false
	}
	return w.people[i], true
}

// FastForward makes d pass for the simulator: codes live 5 minutes, access
// tokens 2 hours, refresh tokens 30 days.
func (w *WeChat) FastForward(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

// Expire ends a person's access tokens now, at every app. Their refresh tokens
// go on to work.
func (w *WeChat) Expire(personID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, entry := range w.access.entries {
		if entry.value.person.ID == personID {
			entry.expires = time.Time{}
		}
	}
}

// DeliverTwice makes each [Phone] deliver callbacks twice, at the same instant.
func (w *WeChat) DeliverTwice(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deliverTwice = on
}

// RefuseAsAuthdeny chooses how a refusal comes back: off, as documented, without
// a code; on, as it is seen in practice, with the code "authdeny" and a reason.
func (w *WeChat) RefuseAsAuthdeny(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuseAsAuthdeny = on
}

// now is the simulator's time. The caller holds w.mu.
func (w *WeChat) now() time.Time { return time.Now().Add(w.ahead) }
