package scangate

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/wechat"
)

// handler answers a request, or returns an error and has written nothing.
type handler func(http.ResponseWriter, *http.Request) error

// loginHandler is a handler for a browser that may act on the login.
type loginHandler func(http.ResponseWriter, *http.Request, *login.Login) error

// formHandler is a loginHandler for one of the login's forms, whose token was verified.
type formHandler func(http.ResponseWriter, *http.Request, *login.Login, url.Values) error

// access is the kind of browser that may call a route.
type access int

const (
	accessAnyone     access = iota
	accessInitiator         // the browser that began the cross-device login in the path
	accessAuthorizer        // the browser that proved an identity for the login in the path
	accessMini              // the mini program that did so, by the token in the body
)

// guarded is a handler behind the check that its access names.
type guarded struct {
	access      access
	script      bool  // only scripts call the route, so errors are always JSON
	authorizing bool  // browsers come to the route before they have proved an identity
	noBrowser   bool  // no browser calls the route, so its origin is not checked
	shared      bool  // scripts of Config.TrustedOrigins may call the route, too
	bodyLimit   int64 // in bytes; 0 means maxBody
	serve       handler
}

// route is one row of the route table.
type route struct {
	method, path string
	guarded
}

// routes returns the route table: the paths below the base path, and the browser that
// may call each.
func (g *Gate) routes() []route {
	return []route{
		{"GET", "/login", g.page(anyone(g.serveLogin))},
		{"POST", "/login", shared(anyone(g.serveStartLogin))},
		{"GET", "/login/{id}/qr.svg", g.initiator(g.serveQRSVG)},
		{"GET", "/login/{id}/qr.png", g.initiator(g.serveQRPNG)},
		{"GET", "/login/{id}/state", shared(script(g.initiator(g.serveState)))},
		{"GET", "/login/{id}/account", shared(script(g.initiator(g.serveAccount)))},
		{"POST", "/login/{id}/renew", shared(g.initiator(g.serveRenew))},
		{"POST", "/login/{id}/finish", shared(g.initiator(g.serveFinish))},

		{"GET", "/scan/{id}", g.page(authorizing(anyone(g.serveScan)))},
		{"POST", "/scan/{id}", authorizing(anyone(g.serveOpenChat))},
		{"GET", "/callback", authorizing(anyone(g.serveCallback))},
		{"GET", "/profile/{id}", g.page(g.authorizer(stepProfile, g.serveProfile))},
		{"POST", "/profile/{id}", g.authorizerForm(stepProfile, g.serveSkipProfile)},
		{"GET", "/terms/{id}", g.page(g.authorizer(stepTerms, g.serveTerms))},
		{"POST", "/terms/{id}", g.authorizerForm(stepTerms, g.serveAgree)},
		{"GET", "/phone/{id}", g.page(g.authorizer(stepPhone, g.servePhone))},
		{"POST", "/phone/{id}", g.authorizerForm(stepPhone, g.serveTryCode)},
		{"POST", "/phone/{id}/code", g.authorizerForm(stepPhone, g.serveSendCode)},
		{"GET", "/resume/{id}", g.page(g.authorizer(stepAny, g.serveResume))},
		{"GET", "/confirm/{id}", g.page(g.authorizer(stepConfirm, g.serveConfirm))},
		{"POST", "/confirm/{id}", g.authorizerForm(stepDecision, g.serveDecision)},

		{"GET", "/link", g.page(anyone(g.serveLink))},
		{"POST", "/link", anyone(g.serveStartLink)},
		{"POST", "/unlink", anyone(g.serveUnlink)},
		{"GET", "/phone", g.localized(anyone(g.serveChangePhone))},
		{"POST", "/logout", shared(anyone(g.serveLogout))},
		{"GET", "/me", shared(script(anyone(g.serveMe)))},
		{"GET", "/assets/login.js", anyone(g.serveTag)},
		{"GET", "/assets/login.json", script(anyone(g.serveTagTexts))},
		{"GET", "/assets/{name}", anyone(g.serveAsset)},

		{"POST", "/mini/login", g.mini(accessAnyone, g.serveMiniLogin)},
		{"POST", "/mini/{id}", g.mini(accessAnyone, g.serveEnterMini)},
		{"POST", "/mini/{id}/phone", g.mini(accessMini, g.authorizedMini(g.serveMiniPhone))},
		{"POST", "/mini/{id}/answer", g.mini(accessMini, g.authorizedMini(g.serveMiniAnswer))},

		{"GET", "/push", server(g.servePushCheck)},
		{"POST", "/push", server(g.servePush)},
	}
}

// anyone lets every browser call h.
func anyone(h handler) guarded { return guarded{access: accessAnyone, serve: h} }

// script marks a route that only scripts call.
func script(g guarded) guarded {
	g.script = true
	return g
}

// shared marks a route that scripts of Config.TrustedOrigins may call.
func shared(g guarded) guarded {
	g.shared = true
	return g
}

// server marks a route that WeChat's servers call. Their requests carry no cookies, so the
// origin of a page means nothing there.
func server(h handler) guarded {
	return guarded{access: accessAnyone, script: true, noBrowser: true, bodyLimit: wechat.MaxMessage, serve: h}
}

// miniHandler is a handler for a mini program, with the posted fields.
type miniHandler func(http.ResponseWriter, *http.Request, url.Values) error

// mini guards a route that mini programs call. It accepts JSON only, which no form of
// another site can send, and its handler gets no cookies. The developer tools of mini
// programs send "Sec-Fetch-Site: cross-site", so the origin is not checked.
func (g *Gate) mini(a access, h miniHandler) guarded {
	return guarded{access: a, script: true, noBrowser: true, serve: func(w http.ResponseWriter, r *http.Request) error {
		if g.accounts.mini == nil {
			return login.ErrUnknown
		}
		if !isJSON(r) {
			return errNotJSON
		}
		posted, err := fieldsOf(r, scalarOrNumber)
		if err != nil {
			return err
		}
		err = h(w, g.withoutBrowser(r), posted)
		if errors.Is(err, errCodeRejected) {
			err = detailedError{err, "WeChat rejected the code; get another one"}
		}
		if err != nil {
			return miniError{err}
		}
		return nil
	}}
}

// authorizedMini lets only the mini program call h that proved an identity for the login in
// the path. Its token takes the place of a browser's key, so h gets the request as if the
// token had come in the browser's cookie.
func (g *Gate) authorizedMini(h func(http.ResponseWriter, *http.Request, *login.Login, url.Values) error) miniHandler {
	return func(w http.ResponseWriter, r *http.Request, posted url.Values) error {
		r = g.withToken(r, login.Key(posted.Get("token")))
		l, err := g.logins.authorized(r)
		if err == nil && !g.accounts.ofMini(l) {
			err = g.logins.unknown(r)
		}
		if err != nil {
			return err
		}
		return h(w, r, l, posted)
	}
}

// authorizing marks a route to which a login's authorizer comes before it has proved an
// identity. The error pages are those of an authorizer.
func authorizing(g guarded) guarded {
	g.authorizing = true
	return g
}

// localized marks a page whose parameter "lang" chooses the language of the next pages too.
func (g *Gate) localized(p guarded) guarded {
	serve := p.serve
	p.serve = func(w http.ResponseWriter, r *http.Request) error {
		g.respond.keepLanguage(w, r)
		return serve(w, r)
	}
	return p
}

// page marks a page on a browser's way to WeChat. WeChat sends the browser back to
// PublicURL's host, and cookies of another host are missing there: a browser that proves
// its identity itself begins at that host.
func (g *Gate) page(p guarded) guarded {
	serve := g.localized(p).serve
	p.serve = func(w http.ResponseWriter, r *http.Request) error {
		if to := g.publicHost(r); to != "" {
			seeOther(w, to)
			return nil
		}
		return serve(w, r)
	}
	return p
}

// publicHost returns where a page load continues that came to another host than
// PublicURL's, or "" if it stays here.
func (g *Gate) publicHost(r *http.Request) string {
	if g.urls.onPublicHost(r) || replacesHost(r) || r.Method != http.MethodGet || !isPageLoad(r) {
		return ""
	}
	q, err := query(r)
	if err != nil {
		return ""
	}
	if g.accounts.chooseFlow(r, g.accounts.asked(q.Get(withParam))).kind != login.SameDevice {
		return ""
	}
	host := slog.String("host", fmt.Sprintf("%.100s", r.Host))
	if q.Has(movedParam) {
		// The browser is at PublicURL's host, and a proxy replaces Host. Another redirect
		// would loop.
		g.warnHost.Do(func() { //nolint:contextcheck // the linter does not see that the context is the request's
			g.config.Logger.WarnContext(r.Context(), "scangate: a proxy replaces the request's Host: let it pass Host on, "+
				"which saves each login in WeChat a redirect", host, "want", g.urls.public.Host)
		})
		return ""
	}
	g.config.Logger.InfoContext(r.Context(), "scangate: redirecting to the host of Config.PublicURL", host, "to", g.urls.public.Host, "route", r.Pattern)
	return g.urls.moved(r, q)
}

// initiator lets only the browser call h that began the cross-device login in the path.
func (g *Gate) initiator(h loginHandler) guarded {
	return guarded{access: accessInitiator, serve: func(w http.ResponseWriter, r *http.Request) error {
		// The login is read after the body. Otherwise a client could hold the body back, and
		// finish a login that was closed meanwhile.
		if err := readBody(r); err != nil {
			return err
		}
		l, err := g.logins.initiated(r)
		if err != nil {
			return err
		}
		return h(w, r, l)
	}}
}

// authorizer guards h: only the browser that proved an identity for the login in the path
// may call it, and only at that step. At any other step advance answers instead.
func (g *Gate) authorizer(at step, h loginHandler) guarded {
	return guarded{access: accessAuthorizer, serve: func(w http.ResponseWriter, r *http.Request) error {
		l, err := g.logins.authorized(r)
		if err == nil {
			err = g.requireStep(w, r, l, at, h)
		}
		if err != nil && at != stepConfirm && g.redirectLoggedIn(w, r, l, err) {
			return nil
		}
		return err
	}}
}

// authorizerForm is authorizer for a form. It also verifies the form's token.
func (g *Gate) authorizerForm(at step, h formHandler) guarded {
	return guarded{access: accessAuthorizer, serve: func(w http.ResponseWriter, r *http.Request) error {
		l, err := g.logins.authorized(r)
		if err != nil {
			return err
		}
		posted, err := g.loginForm(r, l)
		if err != nil {
			return err
		}
		return g.requireStep(w, r, l, at, func(w http.ResponseWriter, r *http.Request, l *login.Login) error {
			return h(w, r, l, posted)
		})
	}}
}

// requireStep calls h if the authorizer is at that step. Otherwise advance answers, or
// requireStep returns why the login cannot go on.
func (g *Gate) requireStep(w http.ResponseWriter, r *http.Request, l *login.Login, at step, h loginHandler) error {
	if (at == stepConfirm || at == stepDecision) && !l.NeedsConsent() {
		return g.logins.unknown(r)
	}
	err := l.Open()
	if errors.Is(err, login.ErrFinished) && r.Method == http.MethodPost && l.Kind() == login.SameDevice && l.Ready() == nil {
		return g.finishSameDevice(w, r, l) // the browser has sent the last form again
	}
	decided := errors.Is(err, login.ErrDenied) || errors.Is(err, login.ErrFinished)
	// The confirm page also shows the decision, and its form may be sent again.
	if err != nil && (!decided || at != stepConfirm && at != stepDecision) {
		return g.logins.withRetry(r, l, err)
	}
	// A GET must not finish an approved link, so its page stays the confirm page.
	here := at == stepAny || at == stepDecision || g.registrar.nextStep(l) == at || at == stepConfirm && l.State() == login.StateApproved
	if !here {
		return g.advance(w, r, l)
	}
	return h(w, r, l)
}

// loginForm returns the posted fields of one of a login's forms. A form without this
// browser's token is forged.
func (g *Gate) loginForm(r *http.Request, l *login.Login) (url.Values, error) {
	posted, err := fields(r)
	if err != nil {
		return nil, err
	}
	if !g.logins.authorizerKey(r, l).VerifyForm(l.ID(), posted.Get("token")) {
		return nil, forged("the field token is missing, or is not this browser's for this login")
	}
	return posted, nil
}

// preflight answers the request by which a browser asks whether a script of another origin
// may call a route.
func (g *Gate) preflight(method string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if g.origins.trusts(r) == "" {
			return g.urls.wrongOrigin(r)
		}
		h := w.Header()
		h.Set("Access-Control-Allow-Methods", method)
		h.Set("Access-Control-Allow-Headers", "Content-Type")
		h.Set("Access-Control-Max-Age", preflightAge)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}

// newMux returns the mux that serves the route table.
func (g *Gate) newMux() *http.ServeMux {
	mux := http.NewServeMux()
	for _, route := range g.routes() {
		fail := g.respond.fail
		switch {
		case route.script:
			fail = g.respond.failJSON
		case route.authorizing || route.access == accessAuthorizer:
			fail = g.respond.failAuthorizer
		}
		mux.HandleFunc(route.method+" "+g.config.BasePath+route.path, func(w http.ResponseWriter, r *http.Request) {
			err := g.serveRoute(w, r, route.guarded)
			switch {
			case errors.Is(err, errFreshLogin):
				g.refuse(w, r, err)
			case err != nil:
				fail(w, r, err)
			}
		})
		if route.shared && len(g.config.TrustedOrigins) > 0 {
			asked := shared(script(anyone(g.preflight(route.method))))
			mux.HandleFunc("OPTIONS "+g.config.BasePath+route.path, func(w http.ResponseWriter, r *http.Request) {
				if err := g.serveRoute(w, r, asked); err != nil {
					g.respond.failJSON(w, r, err)
				}
			})
		}
	}
	return mux
}

// serveRoute serves a route, unless a page of another site sent the request.
func (g *Gate) serveRoute(w http.ResponseWriter, r *http.Request, route guarded) error {
	if !route.noBrowser {
		if err := g.origins.check(w, r, &g.urls, route.shared); err != nil {
			return err
		}
	}
	limit := route.bodyLimit
	setDefault(&limit, maxBody)
	if r.Body != http.NoBody {
		r.Body = http.MaxBytesReader(w, r.Body, limit)
	}
	return route.serve(w, r)
}

// ServeHTTP serves the routes below [Config.BasePath], which the package documentation
// lists; any other path is 404. It refuses a POST from another origin's page with 403, as
// [http.CrossOriginProtection] decides, except scripts of [Config.TrustedOrigins], and a body
// of more than 16 KiB with 400. The routes push and mini/ are not called by pages, and skip
// the check of the origin. The route push takes 64 KiB, and answers a larger body with 413.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header(), secureHeaders)
	g.warnOfOuterSession(r)
	g.mux.ServeHTTP(w, r)
}

// warnOfOuterSession logs, once, that an outer LoadAndSave has loaded the session of a
// request that may wait.
func (g *Gate) warnOfOuterSession(r *http.Request) {
	// With an IdleTimeout scs saves a session again when its request ends. A long poll
	// could bring a session back that was ended meanwhile.
	if g.auth.sessions.manager.IdleTimeout == 0 || !g.auth.sessions.loaded(r.Context()) {
		return
	}
	g.warnOuter.Do(func() { //nolint:contextcheck // the linter does not see that the context is the request's
		g.config.Logger.WarnContext(r.Context(), "scangate: mount the gate outside of the session manager's LoadAndSave: "+
			"with IdleTimeout set, a waiting browser could revive a session that has ended")
	})
}
