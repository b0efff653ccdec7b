package main

import (
	"context"
	"fmt"
	"io"
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

// What the peers' cookies are called.
const (
	scsCookie     = "session"
	gorillaCookie = "account"
	jwtCookie     = "token"
	secretKey     = "0123456789abcdef0123456789abcdef"
)

// measureRequests compares what a request of somebody who is logged in costs.
func measureRequests(ctx context.Context, out io.Writer, e effort, w *world) error {
	fmt.Fprint(out, "## 1. A request of somebody who is logged in\n\n"+
		"Session loaded, user checked, a handler that does nothing called; the answer goes nowhere.\n"+
		"All but go-pkgz/auth, which keeps no users, read the user from the same MemoryStore.\n\n")
	users := scangate.NewMemoryStore()
	user, err := w.register(ctx, users)
	if err != nil {
		return err
	}
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
	report(out, cpu, "request", results)
	return nil
}

// usersOf is a store in which the person is registered already.
type usersOf struct {
	scangate.UserStore
	user scangate.User
}

// Register implements [scangate.UserStore].
func (u usersOf) Register(context.Context, scangate.NewUser) (scangate.User, error) {
	return u.user, nil
}

// nowhere is an answer that nobody reads.
type nowhere struct {
	header http.Header
	status int
}

func (w *nowhere) Header() http.Header         { return w.header }
func (w *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (w *nowhere) WriteHeader(status int)      { w.status = status }

// guarded is a contestant that passes one request on to a handler, each time
// with a request as new as the first: some libraries change it.
func guarded(ctx context.Context, name string, v visitor, header ...string) (contestant, error) {
	r, err := v.request(ctx, http.MethodGet, home, "")
	if err != nil {
		return contestant{}, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	do := func(n int) error {
		w := &nowhere{}
		again := new(http.Request)
		for range n {
			*again = *r
			w.header, w.status = make(http.Header), 0
			v.handler.ServeHTTP(w, again)
		}
		if w.status != 0 {
			return fmt.Errorf("the request did not pass: %d", w.status)
		}
		return nil
	}
	return contestant{name: name, do: do}, nil
}

// gateRequest is ours, logged in to by a login inside WeChat.
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
	v, err := gateLogin(app).logIn(ctx, codes[0])
	if err != nil {
		return contestant{}, err
	}
	if err := v.only("__Host-session"); err != nil {
		return contestant{}, err
	}
	v.handler = gate.RequireWeChat(http.HandlerFunc(tiny))
	return guarded(ctx, "scangate RequireWeChat", *v)
}

// scsRequest is scs as it comes, with a check by hand.
func scsRequest(ctx context.Context, users scangate.UserStore, user scangate.User) (contestant, error) {
	manager := scs.New()
	check := func(r *http.Request) string { return manager.GetString(r.Context(), "user_id") }
	session, err := manager.Load(ctx, "")
	if err != nil {
		return contestant{}, err
	}
	manager.Put(session, "user_id", user.ID)
	value, _, err := manager.Commit(session)
	if err != nil {
		return contestant{}, err
	}
	v := visitor{agent: wechattest.UserAgentChrome, cookies: []cookie{{scsCookie, value}}}
	v.handler = manager.LoadAndSave(checked(users, check, http.HandlerFunc(tiny)))
	return guarded(ctx, "scs, default codec, check by hand", v)
}

// checked passes requests on of which who says whose they are, if that user is
// there and not disabled.
func checked(users scangate.UserStore, who func(*http.Request) string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := who(r)
		if id == "" {
			http.Error(w, "log in", http.StatusUnauthorized)
			return
		}
		user, err := users.FindByID(r.Context(), id)
		if err != nil || user.Disabled {
			http.Error(w, "log in", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// pkgzRequest is go-pkgz/auth. Its token says who the user is, and nobody is
// looked up.
func pkgzRequest(ctx context.Context, xsrf string) (contestant, error) {
	service := newPkgz(func(o *auth.Opts) { o.DisableXSRF = xsrf == "off" })
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
	v := visitor{handler: guard.Auth(http.HandlerFunc(tiny)), agent: wechattest.UserAgentChrome, cookies: []cookie{{"JWT", value}}}
	return guarded(ctx, "go-pkgz/auth, XSRF "+xsrf, v, "X-XSRF-TOKEN", secretKey)
}

// gorillaRequest is a gorilla cookie store as goth's users write it: signed, not
// encrypted.
func gorillaRequest(ctx context.Context, users scangate.UserStore, user scangate.User) (contestant, error) {
	store := sessions.NewCookieStore([]byte(secretKey))
	v := visitor{agent: wechattest.UserAgentChrome}
	r, err := v.request(ctx, http.MethodGet, home, "")
	if err != nil {
		return contestant{}, err
	}
	session := sessions.NewSession(store, gorillaCookie)
	session.Options = store.Options
	session.Values["user_id"] = user.ID
	a := &answer{header: make(http.Header)}
	if err := store.Save(r, a, session); err != nil {
		return contestant{}, err
	}
	v.keep(a.header.Get("Set-Cookie"))
	v.handler = checked(users, gorillaUser(store), http.HandlerFunc(tiny))
	return guarded(ctx, "gorilla cookie store, check by hand", v)
}

// gorillaUser says whose session a request has.
func gorillaUser(store sessions.Store) func(*http.Request) string {
	return func(r *http.Request) string {
		session, err := store.Get(r, gorillaCookie)
		if err != nil {
			return ""
		}
		id, _ := session.Values["user_id"].(string)
		return id
	}
}

// jwtRequest is a signed token in a cookie, and what its documentation says to
// check.
func jwtRequest(ctx context.Context, users scangate.UserStore, user scangate.User) (contestant, error) {
	key := func(*jwt.Token) (any, error) { return []byte(secretKey), nil }
	claims := jwt.RegisteredClaims{Subject: user.ID, ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour))}
	value, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secretKey))
	if err != nil {
		return contestant{}, err
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired())
	who := func(r *http.Request) string {
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
	v.handler = checked(users, who, http.HandlerFunc(tiny))
	return guarded(ctx, "golang-jwt, check by hand", v)
}
