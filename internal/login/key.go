package login

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"time"

	"github.com/scangate/scangate/internal/state"
)

// Key is a secret that one browser keeps in a cookie of its own. It binds requests
// to a login.
type Key string

// NewKey returns a random key of 130 bits.
func NewKey() Key { return Key(rand.Text()) }

// FirstID returns the ID of the first login of a key: 120 bits of a MAC, which only the browser
// and the gate can compute, behind the place of the browser's logins. A key made by [NewKey]
// has only one first login.
func (k Key) FirstID() string {
	return place(k.Digest()) + k.mac("first", "")[state.PlaceLength:idLength]
}

// Digest is what a store keeps of a [Key].
type Digest [sha256.Size]byte

// Digest returns the key's SHA-256. A key has 130 random bits, so it needs neither a
// salt nor a slow hash.
func (k Key) Digest() Digest { return sha256.Sum256([]byte(k)) }

// mac binds text to the browser, for one purpose. It returns 32 characters of A-Z2-7.
func (k Key) mac(purpose, text string) string {
	b := append(make([]byte, 0, 128), k...)
	m := hmac.New(sha256.New, b)
	b = append(append(append(b[:0], purpose...), ' '), text...)
	m.Write(b)
	b = m.Sum(b[:0])
	return string(base32.StdEncoding.AppendEncode(b, b[:20])[len(b):])
}

// macLength is the length of what mac returns.
const macLength = 32

// Trip is a browser's way to WeChat and back, as the OAuth state names it. It has the
// login's kind, so that a browser can begin again although the login is long forgotten.
type Trip struct {
	ID    string
	Kind  Kind
	Scope Scope
}

// code is the character that stands for the kind and the scope.
func (t Trip) code() byte {
	if t.Kind == SameDevice {
		return byte(t.Scope) + sameDeviceOffset
	}
	return byte(t.Scope)
}

// sameDeviceOffset separates the codes of same-device trips from those of cross-device ones.
const sameDeviceOffset = 2

// OAuthState returns the state parameter of a trip to WeChat: 59 letters and digits; WeChat
// allows 128 bytes (网页授权, step 1). It is valid in this browser and for this trip only.
func (k Key) OAuthState(t Trip) string {
	named := t.ID + string(t.code())
	return named + k.mac("state", named)
}

// VerifyState reports whether state is what OAuthState returns to this browser. An
// empty key verifies nothing.
func (k Key) VerifyState(state string) bool {
	t, ok := ParseState(state)
	return ok && k != "" && equal(state, k.OAuthState(t))
}

// ParseState returns the trip that an OAuth state names. It does not verify that the state
// belongs to the caller's browser.
func ParseState(state string) (Trip, bool) {
	if len(state) != idLength+1+macLength || !ValidID(state[:idLength]) {
		return Trip{}, false
	}
	t := Trip{state[:idLength], CrossDevice, Scope(state[idLength])}
	if t.Scope >= ScopeBase+sameDeviceOffset {
		t.Kind, t.Scope = SameDevice, t.Scope-sameDeviceOffset
	}
	return t, t.Scope == ScopeBase || t.Scope == ScopeProfile
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
