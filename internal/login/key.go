package login

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"time"
)

// Key is a secret that one browser keeps in a cookie of its own. It binds requests
// to a login.
type Key string

// NewKey returns a random key of 130 bits.
func NewKey() Key { return Key(rand.Text()) }

// Digest is what a store keeps of a [Key].
type Digest [sha256.Size]byte

// Digest returns the key's SHA-256. A key has 130 random bits, so it needs neither a
// salt nor a slow hash.
func (k Key) Digest() Digest { return sha256.Sum256([]byte(k)) }

// mac binds text to the browser, for one purpose. It returns 32 characters of A-Z2-7.
func (k Key) mac(purpose, text string) string {
	m := hmac.New(sha256.New, []byte(k))
	m.Write([]byte(purpose + " " + text))
	return base32.StdEncoding.EncodeToString(m.Sum(nil)[:20])
}

// macLength is the length of what mac returns.
const macLength = 32

// OAuthState returns the state parameter of a trip to WeChat: 59 letters and digits; WeChat
// allows 128 bytes (网页授权, step 1). It is valid in this browser, for this login and this
// scope only.
func (k Key) OAuthState(id string, s Scope) string {
	return id + string(s) + k.mac("state", id+string(s))
}

// VerifyState reports whether state is what OAuthState returns to this browser. An
// empty key verifies nothing.
func (k Key) VerifyState(state string) bool {
	id, scope, ok := ParseState(state)
	return ok && k != "" && equal(state, k.OAuthState(id, scope))
}

// ParseState returns the login and the scope that an OAuth state names. It does not
// verify that the state belongs to the caller's browser.
func ParseState(state string) (id string, s Scope, ok bool) {
	if len(state) != idLength+1+macLength {
		return "", 0, false
	}
	id, s = state[:idLength], Scope(state[idLength])
	return id, s, ValidID(id) && (s == ScopeBase || s == ScopeProfile)
}

// FormToken returns the value of the hidden field in the forms of a login.
func (k Key) FormToken(id string) string { return k.mac("form", id) }

// VerifyForm reports whether token is the browser's FormToken for the login.
func (k Key) VerifyForm(id, token string) bool { return equal(token, k.FormToken(id)) }

// codeMAC is the form in which a login remembers a one-time code. Without the
// browser's key the million possible codes cannot be tried on a stored record.
func (k Key) codeMAC(id, phone, code string) string {
	return k.mac("code", id+" "+phone+" "+code)
}

// RememberUser returns the value of a cookie that names the user who has logged in at the
// gate's site last, without containing anything of theirs: a key of its own, and a MAC under
// it. The value is worthless at another site, in a browser of another name or system, and
// once the user's sessions were ended at a later time than the given one.
func RememberUser(site, userID string, ended time.Time, o Origin) string {
	key := NewKey()
	return string(key) + key.userMAC(site, userID, ended, o)
}

// VerifyUser reports whether value is what RememberUser returns for the same site, user,
// time and browser.
func VerifyUser(value, site, userID string, ended time.Time, o Origin) bool {
	if len(value) != idLength+macLength || !ValidID(value[:idLength]) {
		return false
	}
	return equal(value[idLength:], Key(value[:idLength]).userMAC(site, userID, ended, o))
}

func (k Key) userMAC(site, userID string, ended time.Time, o Origin) string {
	// Quoted, because a user ID may contain anything. Stores keep microseconds.
	return k.mac("user", fmt.Sprintf("%q %q %d %q %q", site, userID, ended.UnixMicro(), o.Browser, o.System))
}

// equal compares two MACs in constant time.
func equal(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

// idLength is the length of what rand.Text returns: 130 random bits.
const idLength = 26

// ValidID reports whether s has the form of a login's ID or of a [Key]. Nothing else
// ever becomes part of a store's key.
func ValidID(s string) bool {
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
