package scangate

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"net/http"
	"strings"
	"time"
)

// browserKeyLife is how long a browser keeps its key: longer than a login lasts,
// and on disk, for WeChat's own browser forgets the cookies of a session when
// the phone puts it aside.
const browserKeyLife = time.Hour

// browserKey is a secret that only one browser has, in a cookie of its own. All
// that ties a request to a login follows from it.
type browserKey string

// digest is what a store holds of a browser key.
type digest [sha256.Size]byte

// digest is the key's SHA-256. Nobody finds 130 random bits by trying, so it needs no
// salt and no slow hash.
func (k browserKey) digest() digest { return sha256.Sum256([]byte(k)) }

// mac binds text to the browser, for one purpose. It is 32 characters of
// a-zA-Z0-9.
func (k browserKey) mac(purpose, text string) string {
	m := hmac.New(sha256.New, []byte(k))
	m.Write([]byte(purpose + " " + text))
	return base32.StdEncoding.EncodeToString(m.Sum(nil)[:20])
}

// oauthState is the state parameter of a trip to WeChat: 59 characters of a-zA-Z0-9,
// of which WeChat's document 网页授权 allows 128 bytes. It is no use in any other
// browser, for any other login or in another round.
func (k browserKey) oauthState(id string, r round) string {
	return id + string(r) + k.mac("state", id+string(r))
}

// parseOAuthState returns the login and the round that a state names. Whether
// it is this browser's remains to be checked.
func parseOAuthState(s string) (id string, r round, ok bool) {
	if len(s) != idLength+1+32 {
		return "", 0, false
	}
	id, r = s[:idLength], round(s[idLength])
	return id, r, validID(id) && (r == roundBase || r == roundProfile)
}

// formToken stands in the hidden field of an attempt's forms.
func (k browserKey) formToken(id string) string { return k.mac("form", id) }

// equalMAC compares in constant time.
func equalMAC(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

// idLength is the length of what rand.Text returns, which holds 130 random bits.
const idLength = 26

// validID reports whether s has the form of an attempt's id or a browser key:
// nothing else ever becomes part of a store's key.
func validID(s string) bool {
	if len(s) != idLength {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// browserCookies reads and writes the cookie of browser keys.
type browserCookies struct {
	name   string
	secure bool
}

// key returns the key that the request carries, or "".
func (c browserCookies) key(r *http.Request) browserKey {
	cookie, err := r.Cookie(c.name)
	if err != nil || !validID(cookie.Value) {
		return ""
	}
	return browserKey(cookie.Value)
}

// ensure returns the browser's key, a new one if it has none, and makes it last.
func (c browserCookies) ensure(w http.ResponseWriter, r *http.Request) browserKey {
	key := c.key(r)
	if key == "" {
		key = browserKey(rand.Text())
	}
	http.SetCookie(w, c.cookie(string(key), browserKeyLife))
	return key
}

// forget takes the key from the browser, and with it every login that is open.
func (c browserCookies) forget(w http.ResponseWriter) {
	http.SetCookie(w, c.cookie("", -time.Second))
}

// cookie is sent with the top-level navigation that comes back from WeChat, which
// SameSite=Strict would keep it from.
func (c browserCookies) cookie(value string, life time.Duration) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure is false on a loopback host, or if Config.InsecureHTTP asks for it
		Name:     c.name,
		Value:    value,
		Path:     "/",
		MaxAge:   int(life / time.Second),
		HttpOnly: true,
		Secure:   c.secure,
		SameSite: http.SameSiteLaxMode,
	}
}

// origin is what a browser looks like, for a person to recognise. It is what the
// request claims, and proves nothing.
type origin struct {
	Browser string
	System  string
	Address string
}

// inWeChat reports whether the request says that it comes from WeChat's own
// browser. WeCom is another product, though it names WeChat too.
func inWeChat(r *http.Request) bool {
	ua := strings.ToLower(r.UserAgent())
	return strings.Contains(ua, "micromessenger/") && !strings.Contains(ua, "wxwork/")
}

// product is a word in a User-Agent, and what people call what has it.
type product struct{ mark, name string }

// The first that is found counts, so what imitates others stands before them.
var (
	browsers = []product{
		{"wxwork/", "WeCom"},
		{"MicroMessenger/", "WeChat"},
		{"QQBrowser/", "QQ Browser"},
		{"Edg", "Edge"},
		{"OPR/", "Opera"},
		{"UCBrowser/", "UC Browser"},
		{"MiuiBrowser/", "Xiaomi Browser"},
		{"HuaweiBrowser/", "Huawei Browser"},
		{"SamsungBrowser/", "Samsung Internet"},
		{"Firefox/", "Firefox"},
		{"FxiOS/", "Firefox"},
		{"CriOS/", "Chrome"},
		{"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
	}
	systems = []product{
		{"iPhone", "iPhone"},
		{"iPad", "iPad"},
		{"HarmonyOS", "HarmonyOS"},
		{"OpenHarmony", "HarmonyOS"},
		{"Android", "Android"},
		{"Windows", "Windows"},
		{"Mac OS X", "macOS"},
		{"CrOS", "ChromeOS"},
		{"Linux", "Linux"},
	}
)

// nameOf returns what the first product in a User-Agent is called, or "".
func nameOf(userAgent string, products []product) string {
	for _, p := range products {
		if strings.Contains(userAgent, p.mark) {
			return p.name
		}
	}
	return ""
}

// origin describes the request's browser.
func (g *Gate) origin(r *http.Request) origin {
	ua := r.UserAgent()
	return origin{Browser: nameOf(ua, browsers), System: nameOf(ua, systems), Address: g.address(r)}
}
