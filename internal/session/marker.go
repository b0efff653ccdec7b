package session

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// markerTTL is how soon after a login a browser without its session is presumed to be in
// a loop.
const markerTTL = 10 * time.Second

// maxStreak bounds the digit that counts logins.
const maxStreak = 9

// Marker is a short-lived cookie that names, by its hash, the token of the session that
// a login in the browser has just begun. It grants nothing. It shows the gate that the
// token has not come back.
type Marker struct {
	name   string
	site   string
	secure bool
}

// Mark describes the last login in a browser.
type Mark struct {
	token string // hashed

	// Streak is how many logins there have been, each within seconds of the one before.
	Streak int
}

// NewMarker returns the marker of one gate. Markers of other sites count for nothing,
// because several gates on one host share the cookie.
func NewMarker(name, site string, secure bool) Marker {
	return Marker{name: name, site: site, secure: secure}
}

// Set marks the token in the browser that sent the request.
func (m Marker) Set(w http.ResponseWriter, r *http.Request, token string) {
	before, _ := m.Find(r)
	streak := strconv.Itoa(min(before.Streak+1, maxStreak))
	http.SetCookie(w, m.cookie(hashed(m.site)+hashed(token)+streak, int(markerTTL/time.Second)))
}

// Find returns the mark that the request carries.
func (m Marker) Find(r *http.Request) (Mark, bool) {
	cookie, err := r.Cookie(m.name)
	if err != nil {
		return Mark{}, false
	}
	rest, ok := strings.CutPrefix(cookie.Value, hashed(m.site))
	if !ok || len(rest) != len(hashed(""))+1 {
		return Mark{}, false
	}
	last := len(rest) - 1
	streak, err := strconv.Atoi(rest[last:])
	return Mark{token: rest[:last], Streak: streak}, err == nil
}

// Names reports whether the last login issued that token.
func (m Mark) Names(token string) bool { return m.token == hashed(token) }

// Remove deletes the mark if the request carries one.
func (m Marker) Remove(w http.ResponseWriter, r *http.Request) {
	if _, ok := m.Find(r); ok {
		http.SetCookie(w, m.cookie("", -1))
	}
}

// hashed returns 22 characters of the hash of s, which identify s and do not reveal it.
func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func (m Marker) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure is false only on a loopback host, or if Config.InsecureHTTP asks for it
		Name:     m.name,
		Value:    value,
		Path:     "/",
		MaxAge:   maxAge,
		HttpOnly: true,
		Secure:   m.secure,
		SameSite: http.SameSiteLaxMode,
	}
}
