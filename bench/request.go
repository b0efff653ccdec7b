package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/go-pkgz/auth/v2"
	"github.com/go-pkgz/auth/v2/token"
	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/sessions"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// Names of the peers' cookies, and their key.
const (
	scsCookie     = "session"
	gorillaCookie = "account"
	jwtCookie     = "token"
	secretKey     = "0123456789abcdef0123456789abcdef"
)

// measureRequests compares the costs of a request of a logged-in user.
func measureRequests(ctx context.Context, s *sheet, e effort, w *world) error {
	s.note("each library loads the session, checks the user, and calls a handler that does nothing; " +
		"all except go-pkgz/auth, which has no users, read the user from the same MemoryStore")
	users := scangate.NewMemoryStore()
	user, err := w.register(ctx, users)
	if err != nil {
		return err
	}
	// The gate registers its user itself; usersOf returns the user of the others.
	gate, err := w.gateRequest(ctx, func(c *scangate.Config) { c.Users = usersOf{users, user} })
	if err != nil {
		return err
	}
	scsPeer, err := scsRequest(ctx, users, user)
	if err != nil {
		return err
	}
	gorilla, err := gorillaRequest(ctx, users, user)
	if err != nil {
		return err
	}
	contestants := []contestant{gate, scsPeer}
	for _, xsrf := range []string{"off", "on"} {
		peer, err := pkgzRequest(ctx, xsrf)
		if err != nil {
			return err
		}
		contestants = append(contestants, peer)
	}
	jwtPeer, err := jwtRequest(ctx, users, user)
	if err != nil {
		return err
	}
	results, err := e.contest(cpu, append(contestants, gorilla, jwtPeer))
	if err != nil {
		return err
	}
	s.report(cpu, "", results)
	return nil
}

// usersOf is a store whose Register always returns the same user.
type usersOf struct {
	scangate.UserStore
	user scangate.User
}

// Register implements [scangate.UserStore].
func (u usersOf) Register(context.Context, scangate.NewUser) (scangate.User, error) {
	return u.user, nil
}

// discardWriter is a response writer that keeps the status and discards the body.
type discardWriter struct {
	header http.Header
	status int
}

// Header implements [http.ResponseWriter].
func (w *discardWriter) Header() http.Header { return w.header }

// Write implements [http.ResponseWriter].
func (w *discardWriter) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements [http.ResponseWriter].
func (w *discardWriter) WriteHeader(status int) { w.status = status }

// guardContestant returns a contestant that calls a visitor's guarded handler. header
// holds names and values of additional request headers.
func guardContestant(ctx context.Context, name string, v visitor, header ...string) (contestant, error) {
	r, err := v.request(ctx, http.MethodGet, homePath, "")
	if err != nil {
		return contestant{}, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	do := func(n int) error {
		w := &discardWriter{}
		again := new(http.Request)
		for range n {
			*again = *r // some libraries change the request
			w.header, w.status = make(http.Header), 0
			v.handler.ServeHTTP(w, again)
		}
		if w.status != 0 { // emptyHandler sets none
			return fmt.Errorf("the guard refuses the request: status = %d", w.status)
		}
		return nil
	}
	return contestant{name: name, do: do}, nil
}

// gateRequest returns a request to a gate, after a login in WeChat's built-in browser.
func (w *world) gateRequest(ctx context.Context, options ...func(*scangate.Config)) (contestant, error) {
	gate, err := w.gate(ctx, w.memory, options...)
	if err != nil {
		return contestant{}, err
	}
	codes, err := w.codes(w.official, "snsapi_base", 1)
	if err != nil {
		return contestant{}, err
	}
	app := application("/wechat/", gate, gate.RequireWeChat)
	v, err := gatePeer(app).logIn(ctx, codes[0])
	if err != nil {
		return contestant{}, err
	}
	// The login's own cookie is not part of later requests.
	if err := v.keepOnly("__Host-session"); err != nil {
		return contestant{}, err
	}
	// Only the guard is measured, not the application's routing.
	v.handler = gate.RequireWeChat(http.HandlerFunc(emptyHandler))
	return guardContestant(ctx, "scangate RequireWeChat", *v)
}

// scsRequest returns a request to a handler behind scs with its defaults, and with a
// check of the user written by hand.
func scsRequest(ctx context.Context, users scangate.UserStore, user scangate.User) (contestant, error) {
	manager := scs.New()
	userID := func(r *http.Request) string { return manager.GetString(r.Context(), "user_id") }
	session, err := manager.Load(ctx, "")
	if err != nil {
		return contestant{}, err
	}
	// Write a session without a login: only later requests are measured.
	manager.Put(session, "user_id", user.ID)
	value, _, err := manager.Commit(session)
	if err != nil {
		return contestant{}, err
	}
	v := visitor{agent: wechattest.UserAgentChrome, cookies: []cookie{{scsCookie, value}}}
	v.handler = manager.LoadAndSave(requireUser(users, userID, http.HandlerFunc(emptyHandler)))
	return guardContestant(ctx, "scs, default codec, check by hand", v)
}

// requireUser returns a guard that passes requests for which userID returns the ID of
// a user who exists and is not disabled.
func requireUser(users scangate.UserStore, userID func(*http.Request) string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := userID(r)
		if id == "" {
			http.Error(w, "log in", http.StatusUnauthorized)
			return
		}
		// A session alone is not enough: the user may be disabled since the login.
		user, err := users.FindByID(r.Context(), id)
		if err != nil || user.Disabled {
			http.Error(w, "log in", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// pkgzRequest returns a request to a handler behind go-pkgz/auth. Its token contains
// the user, so it does not look the user up. xsrf is "on" or "off".
func pkgzRequest(ctx context.Context, xsrf string) (contestant, error) {
	service := newPkgz(func(o *auth.Opts) { o.DisableXSRF = xsrf == "off" })
	// The claims of a token that go-pkgz/auth issues after a login.
	claims := token.Claims{
		User:         &token.User{ID: "wechat_0123456789abcdef0123456789abcdef01234567", Name: "林小北"},
		AuthProvider: &token.AuthProvider{Name: "wechat"},
		RegisteredClaims: jwt.RegisteredClaims{
			ID: secretKey, Issuer: "scangate", Audience: []string{""}, ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour)),
		},
	}
	value, err := service.TokenService().Token(claims)
	if err != nil {
		return contestant{}, err
	}
	guard := service.Middleware()
	v := visitor{handler: guard.Auth(http.HandlerFunc(emptyHandler)), agent: wechattest.UserAgentChrome, cookies: []cookie{{"JWT", value}}}
	return guardContestant(ctx, "go-pkgz/auth, XSRF "+xsrf, v, "X-XSRF-TOKEN", secretKey)
}

// gorillaRequest returns a request to a handler behind a gorilla cookie store. As in
// goth's example, the cookie is signed and not encrypted.
func gorillaRequest(ctx context.Context, users scangate.UserStore, user scangate.User) (contestant, error) {
	store := sessions.NewCookieStore([]byte(secretKey))
	v := visitor{agent: wechattest.UserAgentChrome}
	r, err := v.request(ctx, http.MethodGet, homePath, "")
	if err != nil {
		return contestant{}, err
	}
	session := sessions.NewSession(store, gorillaCookie)
	session.Options = store.Options
	session.Values["user_id"] = user.ID
	// The library encodes the cookie only into an answer.
	a := &answer{header: make(http.Header)}
	if err := store.Save(r, a, session); err != nil {
		return contestant{}, err
	}
	v.storeCookie(a.header.Get("Set-Cookie"))
	v.handler = requireUser(users, gorillaUserID(store), http.HandlerFunc(emptyHandler))
	return guardContestant(ctx, "gorilla cookie store, check by hand", v)
}

// gorillaUserID returns a function that returns the user ID in a request's session,
// or "".
func gorillaUserID(store sessions.Store) func(*http.Request) string {
	return func(r *http.Request) string {
		session, err := store.Get(r, gorillaCookie)
		if err != nil {
			return ""
		}
		id, _ := session.Values["user_id"].(string)
		return id
	}
}

// jwtRequest returns a request with a signed token in a cookie. The guard makes the
// checks that golang-jwt's documentation recommends.
func jwtRequest(ctx context.Context, users scangate.UserStore, user scangate.User) (contestant, error) {
	key := func(*jwt.Token) (any, error) { return []byte(secretKey), nil }
	claims := jwt.RegisteredClaims{Subject: user.ID, ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour))}
	value, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secretKey))
	if err != nil {
		return contestant{}, err
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired())
	userID := func(r *http.Request) string {
		c, err := r.Cookie(jwtCookie)
		if err != nil {
			return ""
		}
		var claims jwt.RegisteredClaims
		if _, err := parser.ParseWithClaims(c.Value, &claims, key); err != nil {
			return ""
		}
		return claims.Subject
	}
	v := visitor{agent: wechattest.UserAgentChrome, cookies: []cookie{{jwtCookie, value}}}
	v.handler = requireUser(users, userID, http.HandlerFunc(emptyHandler))
	return guardContestant(ctx, "golang-jwt, check by hand", v)
}
