// Package jwt exchanges a login with WeChat for a token of the application's own, for an API
// on another server that has no session.
//
// The browser logs in as usual, and its script then asks for a token with its session. The
// token lives for minutes. When it ends, the script asks for the next one, and gets none after
// a logout or Gate.EndSessions. A token that lives for days could not be taken back.
package jwt

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/scangate/scangate"
)

// Tokens issues and checks tokens.
type Tokens struct {
	Key      []byte        // at least 32 random bytes, shared with the API's server; others are refused
	Issuer   string        // such as "https://app.example.com"
	Audience string        // such as "https://api.example.com"
	Lifetime time.Duration // minutes
	Origins  []string      // of front ends beside the application, as in Config.TrustedOrigins
}

// Issue returns the handler that issues a token. Mount it for POST, and with Origins for
// OPTIONS too. It answers with JSON.
func (t *Tokens) Issue(gate *scangate.Gate) (http.Handler, error) {
	if len(t.Key) < minKey {
		return nil, errShortKey
	}
	issue := func(w http.ResponseWriter, r *http.Request) {
		// CrossOriginProtection lets a GET pass.
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", "POST")
			http.Error(w, "POST only", http.StatusMethodNotAllowed)
			return
		}
		user, _ := scangate.UserFromContext(r.Context())
		now := time.Now()
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
			Issuer: t.Issuer, Audience: jwt.ClaimStrings{t.Audience}, Subject: user.ID,
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(t.Lifetime)),
		}).SignedString(t.Key)
		if err != nil {
			http.Error(w, "no token", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "expires_in": int(t.Lifetime.Seconds())})
	}
	// A page of another site must not cause a POST with the session's cookie.
	protection := http.NewCrossOriginProtection()
	for _, origin := range t.Origins {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			return nil, err
		}
	}
	return t.shared(protection.Handler(gate.RequireWeChat(http.HandlerFunc(issue)))), nil
}

// shared lets scripts of the Origins call a handler with the session's cookie, and read its
// answers. Config.TrustedOrigins does the same for the gate's own routes only. A preflight has
// no cookie, so it is answered before RequireWeChat.
func (t *Tokens) shared(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		if origin := r.Header.Get("Origin"); slices.Contains(t.Origins, origin) {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Allow-Credentials", "true")
			w.Header().Set("Access-Control-Allow-Methods", "POST")
			w.Header().Set("Access-Control-Allow-Headers", "Content-Type")
		}
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// minKey is the smallest length of a key. With an empty one, such as that of a variable that
// is not set, anyone could sign tokens.
const minKey = 32

var errShortKey = errors.New("the key of the tokens has fewer than 32 bytes")

// User returns the ID of the user whose token the request carries.
func (t *Tokens) User(r *http.Request) (string, error) {
	if len(t.Key) < minKey {
		return "", errShortKey
	}
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return "", errors.New("the request has no token")
	}
	var claims jwt.RegisteredClaims
	// Only this method: a token names its own, and "none" is one.
	_, err := jwt.ParseWithClaims(text, &claims, func(*jwt.Token) (any, error) { return t.Key, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer(t.Issuer), jwt.WithAudience(t.Audience), jwt.WithExpirationRequired())
	if err == nil && claims.Subject == "" {
		err = errors.New("the token has no user")
	}
	return claims.Subject, err
}
