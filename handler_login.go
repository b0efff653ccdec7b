package scangate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/internal/pages"
)

// longPoll is how long the initiator waits for news in one request, unless it asks for
// less.
const longPoll = 25 * time.Second

// readGrace is how long after a long poll the connection's next request may take to
// begin if the server has no limit of its own.
const readGrace = 10 * time.Second

// serveLogin begins a login for a browser that opens the login page.
func (g *Gate) serveLogin(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	returnTo := localPath(q.Get("return_to"))
	user, session, err := g.auth.currentUser(r)
	// A minute less than freshTime: with another clock, the process of the next request
	// could find this login too old and redirect back here.
	if err == nil && asksFresh(q) && !session.youngerThan(freshTime-clockSkew) {
		return g.offerLogin(w, r, freshRequest(user, returnTo), q.Get("with"))
	}
	switch err := g.auth.checkPhone(user, err); {
	case err == nil:
		seeOther(w, returnTo)
		return nil
	case errors.Is(err, ErrPhoneRequired):
		seeOther(w, g.urls.returning("phone", returnTo))
		return nil
	case !errors.Is(err, ErrLoginRequired):
		return err
	}
	if err := g.auth.requireKept(w, r); err != nil {
		return retryError{err, g.urls.returning("login", returnTo)}
	}
	return g.offerLogin(w, r, login.Request{ReturnTo: returnTo}, q.Get("with"))
}

// serveStartLogin begins a login for a single-page application.
func (g *Gate) serveStartLogin(w http.ResponseWriter, r *http.Request) error {
	posted, err := jsonFields(r)
	if err != nil {
		return err
	}
	returnTo, err := g.urls.returnTo(posted.Get("return_to"))
	if err != nil {
		return err
	}
	if asksFresh(posted) {
		user, _, err := g.auth.currentUser(r)
		if err == nil {
			return g.offerLoginJSON(w, r, freshRequest(user, returnTo), posted.Get("with"))
		}
		if !errors.Is(err, ErrLoginRequired) {
			return err
		}
	}
	if err := g.auth.requireKept(w, r); err != nil {
		return err
	}
	return g.offerLoginJSON(w, r, login.Request{ReturnTo: returnTo}, posted.Get("with"))
}

// offerLogin starts or resumes a login, and shows the browser what to do next.
func (g *Gate) offerLogin(w http.ResponseWriter, r *http.Request, request login.Request, with string) error {
	key := g.cookies.ensure(w, r)
	l, err := g.startOrResume(w, r, key, request, with)
	if err != nil {
		return retryError{err, g.urls.start(request)}
	}
	switch {
	case l.Kind() == login.SameDevice:
		seeOther(w, g.accounts.authorizeURL(g.urls.absolute("callback"), l, key, login.ScopeBase))
	case l.State() == login.StateApproved:
		return g.renderFinish(w, r, l)
	default:
		g.renderLogin(w, r, l)
	}
	return nil
}

// offerLoginJSON is offerLogin for scripts.
func (g *Gate) offerLoginJSON(w http.ResponseWriter, r *http.Request, request login.Request, with string) error {
	key := g.cookies.ensure(w, r)
	l, err := g.startOrResume(w, r, key, request, with)
	if err != nil {
		return err
	}
	if l.Kind() == login.SameDevice {
		writeJSON(w, http.StatusCreated, map[string]string{"redirect_url": g.accounts.authorizeURL(g.urls.absolute("callback"), l, key, login.ScopeBase)})
		return nil
	}
	writeJSON(w, http.StatusCreated, g.scanLogin(l))
	return nil
}

// renderLogin shows the QR code.
func (g *Gate) renderLogin(w http.ResponseWriter, r *http.Request, l *login.Login) {
	s := g.scanLogin(l)
	g.respond.render(w, r, http.StatusOK, "login", PageData{
		Purpose: string(l.Purpose()), State: string(l.PublicState()), OnPhone: isHandheld(r),
		ScanURL: s.ScanURL, QRURL: s.QRURL, StateURL: s.StateURL, RenewURL: s.RenewURL, LoginURL: g.urls.restart(l), WebsiteURL: s.WebsiteURL,
		RenewIn: secondsUntil(l.RenewAt()), Number: l.Number(), MatchNumber: g.config.MatchNumber,
	})
}

// renderFinish shows the account that the browser is about to be logged in to. It exposes
// an attacker who approved the login with an account of their own.
func (g *Gate) renderFinish(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	p, err := g.accountPage(r, l)
	if err != nil {
		return retryError{err, g.urls.restart(l)}
	}
	g.respond.render(w, r, http.StatusOK, "finish", p)
	return nil
}

// accountPage returns the data of finish.html: the account that the initiator of an approved
// login is about to be logged in to.
func (g *Gate) accountPage(r *http.Request, l *login.Login) (PageData, error) {
	_, target := l.Target()
	p := PageData{Purpose: string(l.Purpose()), FinishURL: g.urls.path("login", l.ID(), "finish"), Nickname: l.Person().Nickname, TargetName: target}
	if l.Purpose() != login.PurposeLogin {
		return p, nil
	}
	user, err := g.registrar.currentUser(r.Context(), l)
	if errors.Is(err, errDisabled) || errors.Is(err, login.ErrExpired) {
		_, err = g.refuseLogin(r, l, err)
	}
	if err != nil {
		return p, err
	}
	p.showAccount(user, l.Person())
	p.AutoFinish = !mustAsk(l) && g.remembersUser(r, user)
	return p, nil
}

// mustAsk reports whether the initiator has to confirm the account even if its browser
// remembers the user.
func mustAsk(l *login.Login) bool {
	return l.Purpose() != login.PurposeLogin || l.Fresh() || l.Person().New
}

// startOrResume returns the browser's open login for the request, or a new one.
func (g *Gate) startOrResume(w http.ResponseWriter, r *http.Request, key login.Key, request login.Request, with string) (*login.Login, error) {
	request.Kind, request.AppID = g.accounts.chooseFlow(r, with)
	request.Initiator, request.Origin = key.Digest(), g.logins.origin(r)
	slot := login.NewSlot(request)
	firstContact := g.cookies.key(r) != key // a browser whose key is new has no login yet
	if !firstContact {
		var err error
		if slot, err = g.logins.FindSlot(r.Context(), request); err != nil {
			return nil, err
		}
	}
	if slot.Login != nil {
		return slot.Login, nil
	}
	if err := g.logins.limit(r, "login"); err != nil {
		return nil, err
	}
	l, err := g.logins.Start(r.Context(), slot)
	if err != nil {
		return nil, err
	}
	if firstContact {
		g.cookies.keep(w, r, l.ID(), key)
	}
	g.respond.emit(r, loginEvent(EventStarted, l))
	return l, nil
}

// serveRenew ends the login and begins a new one in its place.
func (g *Gate) serveRenew(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	if err := g.logins.limit(r, "login"); err != nil {
		return err
	}
	slot, err := g.logins.Renew(r.Context(), l)
	if err != nil {
		return err
	}
	renewed, err := g.logins.Start(r.Context(), slot)
	if err != nil {
		return err
	}
	g.respond.emit(r, loginEvent(EventStarted, renewed))
	if wantsJSON(r) {
		writeJSON(w, http.StatusCreated, g.scanLogin(renewed))
		return nil
	}
	seeOther(w, g.urls.restart(renewed))
	return nil
}

// scanLogin is a cross-device login as a single-page application receives it.
type scanLogin struct {
	ID          string    `json:"id"`
	ScanURL     string    `json:"scan_url"`
	QRURL       string    `json:"qr_url"`
	StateURL    string    `json:"state_url"`
	AccountURL  string    `json:"account_url"`
	FinishURL   string    `json:"finish_url"`
	RenewURL    string    `json:"renew_url"`
	MatchNumber int       `json:"match_number"`
	ExpiresAt   time.Time `json:"expires_at"`
	ExpiresIn   int       `json:"expires_in"` // in seconds, for browsers whose clock is wrong
	WebsiteURL  string    `json:"website_url,omitempty"`
}

func (g *Gate) scanLogin(l *login.Login) scanLogin {
	s := scanLogin{
		ID:          l.ID(),
		ScanURL:     g.urls.absolute("scan", l.ID()),
		QRURL:       g.urls.path("login", l.ID(), "qr.svg"),
		StateURL:    g.urls.path("login", l.ID(), "state"),
		AccountURL:  g.urls.path("login", l.ID(), "account"),
		FinishURL:   g.urls.path("login", l.ID(), "finish"),
		RenewURL:    g.urls.path("login", l.ID(), "renew"),
		MatchNumber: l.Number(),
		ExpiresAt:   l.Expires().UTC(),
	}
	if !l.Identified() {
		s.ExpiresAt = l.RenewAt().UTC()
	}
	s.ExpiresIn = secondsUntil(s.ExpiresAt)
	if g.accounts.website != nil {
		s.WebsiteURL = g.urls.website(l)
	}
	return s
}

// serveQRSVG serves the QR code that the login page shows. SVG is sharp at any size.
func (g *Gate) serveQRSVG(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	code, err := g.qrCode(r, l)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	_, _ = w.Write(code.SVG()) //nolint:gosec // drawn from modules, not from text
	return nil
}

// serveQRPNG serves the QR code for programs that cannot draw SVG.
func (g *Gate) serveQRPNG(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	code, err := g.qrCode(r, l)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(code.PNG()) //nolint:gosec // drawn from modules, not from text
	return nil
}

// qrCode encodes the URL that the phone opens.
func (g *Gate) qrCode(r *http.Request, l *login.Login) (pages.QRCode, error) {
	if err := l.Open(); err != nil {
		return pages.QRCode{}, g.logins.withRetry(r, l, err)
	}
	code, err := pages.NewQRCode(g.urls.absolute("scan", l.ID()))
	return code, wrap("drawing a QR code", err)
}

// publicState is all that the initiator learns while it waits.
type publicState struct {
	State login.PublicState `json:"state"`
}

// serveState answers when the public state differs from the one that the browser has
// seen, or when the long poll is over.
func (g *Gate) serveState(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	if r.ContentLength != 0 {
		return badRequest("the request has a body") // net/http would wait for a body that never arrives
	}
	limit, err := pollLimit(q.Get("wait"))
	if err != nil {
		return err
	}
	seen := login.PublicState(q.Get("seen"))
	if l.Open() == nil && l.PublicState() == seen {
		if l, err = g.awaitChange(w, r, l, seen, limit); err != nil {
			return err
		}
	}
	writeJSON(w, http.StatusOK, publicState{l.PublicState()})
	return nil
}

// pollLimit returns how long a poll may wait: the seconds that the browser asks for, from
// 1 to 25, or 25 without one. A proxy may end longer requests.
func pollLimit(wait string) (time.Duration, error) {
	if wait == "" {
		return longPoll, nil
	}
	seconds, err := strconv.Atoi(wait)
	if err != nil {
		return 0, badRequest("wait is not a whole number of seconds")
	}
	return min(max(time.Duration(seconds), 1), longPoll/time.Second) * time.Second, nil
}

// awaitChange returns the login when its public state is no longer seen, when it
// expires, when the limit of the poll is over, or when the gate is closed.
func (g *Gate) awaitChange(w http.ResponseWriter, r *http.Request, l *login.Login, seen login.PublicState, limit time.Duration) (*login.Login, error) {
	ctx, release, err := g.waiting.acquire(r.Context(), l.ID(), g.limiter.networks(r))
	if err != nil {
		return l, err
	}
	defer release()
	until := time.Now().Add(limit)
	extendDeadlines(w, until.Add(readGrace))
	if l.Expires().Before(until) {
		until = l.Expires()
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for err == nil && l.PublicState() == seen {
		last := l
		if l, err = g.logins.Wait(ctx, last); ctx.Err() != nil {
			return last, nil
		}
	}
	return l, err
}

// serveFinish lets the initiator in, once: it is the one step from approval to session.
// With answer=deny the initiator refuses the account that was offered.
func (g *Gate) serveFinish(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	posted, err := fields(r)
	if err != nil {
		return err
	}
	if posted.Get("answer") == "deny" {
		return g.decline(w, r, l)
	}
	extendDeadlines(w, time.Now().Add(slowAnswer)) // Config.OnLogin may wait for others
	if l, err = g.finish(w, r, l); err != nil {
		return retryError{err, g.urls.restart(l)}
	}
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, map[string]string{"return_to": l.ReturnTo()})
		return nil
	}
	seeOther(w, l.ReturnTo())
	return nil
}

// decline ends a login whose initiator does not recognize the account: another person
// scanned the code.
func (g *Gate) decline(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	l, err := g.logins.Deny(r.Context(), l)
	repeated := errors.Is(err, login.ErrRepeated)
	again := g.urls.restart(l)
	if err != nil && !repeated {
		return retryError{err, again}
	}
	if !repeated {
		g.respond.emit(r, loginEvent(EventDenied, l))
	}
	if l.Purpose() == login.PurposeLink {
		again = l.ReturnTo()
	}
	acknowledge(w, r, again)
	return nil
}

// finish ends a login with a session.
func (g *Gate) finish(w http.ResponseWriter, r *http.Request, l *login.Login) (*login.Login, error) {
	if err := l.Ready(); err != nil {
		return l, err
	}
	if l.Purpose() != login.PurposeLogin {
		return g.finishForUser(r, l)
	}
	l, err := g.ensureUser(r, l)
	if err != nil {
		return l, err
	}
	// Before the user is read: a session that ends in between counts as begun before.
	begun := time.Now()
	user, err := g.registrar.currentUser(r.Context(), l)
	if errors.Is(err, errDisabled) || errors.Is(err, login.ErrExpired) {
		return g.refuseLogin(r, l, err)
	}
	if err != nil {
		return l, err
	}
	ctx, before, err := g.prepareSession(r, l, user.ID)
	if err != nil {
		return l, err
	}
	who := l.Person() // Finish drops the token, which OnLogin may want
	l, err = g.logins.Finish(r.Context(), l, begun)
	repeated := errors.Is(err, login.ErrRepeated)
	if err != nil && !repeated {
		return l, err
	}
	if err := g.allowLogin(ctx, user, who); err != nil {
		return l, err
	}
	key := g.logins.initiatorKey(r, l)
	value := sessionValue{userID: user.ID, login: l.ID(), begun: l.Finished()}
	if err := g.auth.sessions.begin(ctx, w, r, value, l.SessionToken(key)); err != nil {
		return l, wrap("beginning a session", err)
	}
	g.rememberUser(w, r, user)
	if before.login != l.ID() {
		g.logins.close(r.Context(), before.login)
	}
	if !repeated {
		if l.Kind() == login.CrossDevice {
			g.cookies.renew(w, r, l.ID(), key)
		}
		g.respond.emit(r, loginEvent(EventFinished, l))
	}
	return l, nil
}

// prepareSession prepares the session that the login begins. A fresh login only renews
// its user's session, and never replaces another user's.
func (g *Gate) prepareSession(r *http.Request, l *login.Login, userID string) (ctx context.Context, before sessionValue, err error) {
	ctx, before, err = g.auth.sessions.prepare(r, userID)
	if err == nil && l.Fresh() && before.userID != "" && before.userID != userID {
		err = forged("another user has logged in in this browser since")
	}
	return ctx, before, err
}

// finishForUser ends a login of a logged-in user, in the browser where it began. Only
// here is a WeChat identity added to their account: the approval on the phone is one
// half of that, and anyone who saw the QR code could give it.
func (g *Gate) finishForUser(r *http.Request, l *login.Login) (*login.Login, error) {
	if err := g.auth.requireTarget(r, l); err != nil {
		return l, err
	}
	// Finish before linking: from here on the login cannot be denied.
	l, err := g.logins.Finish(r.Context(), l, time.Now())
	if errors.Is(err, login.ErrRepeated) {
		err = nil
	}
	if err != nil || l.Purpose() != login.PurposeLink {
		return l, err
	}
	return g.linkFinished(r, l)
}

// linkFinished adds the identity of a finished login to its user's account. If that
// fails, the login is open again, so that the person can add the identity or decline.
func (g *Gate) linkFinished(r *http.Request, l *login.Login) (*login.Login, error) {
	ctx := context.WithoutCancel(r.Context())
	returned := false
	defer func() {
		if !returned { // the user store has panicked
			_, _ = g.logins.Reopen(ctx, l)
		}
	}()
	userID, _ := l.Target()
	err := g.registrar.link(r.Context(), userID, Identity(l.Person().Identity))
	returned = true
	if err != nil {
		opened, failed := g.logins.Reopen(ctx, l)
		return opened, both(err, failed)
	}
	g.respond.emit(r, loginEvent(EventLinked, l))
	return l, nil
}

// refuseLogin notes why the login's person cannot log in, so that the initiator is shown
// the refusal and offered a new login. It returns err.
func (g *Gate) refuseLogin(r *http.Request, l *login.Login, err error) (*login.Login, error) {
	refused, failed := g.logins.Refuse(r.Context(), l, failureOf(err).code)
	if failed != nil && failureOf(failed).status == http.StatusServiceUnavailable {
		return l, both(err, failed)
	}
	return refused, err
}

// ensureUser makes a user of the login's person unless they are one.
func (g *Gate) ensureUser(r *http.Request, l *login.Login) (*login.Login, error) {
	switch {
	case l.Person().UserID != "":
		return l, nil
	case l.Fresh():
		return l, errOtherUser // its target is a user already
	}
	enrolled, err := g.registrar.register(r.Context(), l.Person())
	if err != nil {
		return l, err
	}
	if enrolled.event != "" {
		// Now, because the user stays even if the login fails.
		registered := loginEvent(enrolled.event, l)
		registered.UserID = enrolled.userID
		g.respond.emit(r, registered)
	}
	l, err = g.logins.AssignUser(r.Context(), l, enrolled.userID)
	switch {
	case errors.Is(err, login.ErrRepeated):
		err = nil
	case err == nil:
		g.respond.emitAgreed(r, l)
	}
	return l, err
}

// allowLogin asks Config.OnLogin, if it is set.
func (g *Gate) allowLogin(ctx context.Context, user User, who login.Person) error {
	if g.config.OnLogin == nil {
		return nil
	}
	l := Login{User: user}
	l.Profile.OpenID, l.Profile.UnionID = who.Identity.OpenID, who.Identity.UnionID
	if who.Profile != nil {
		l.Profile = *who.Profile
	}
	if who.Token != nil {
		l.Token = *who.Token
	}
	if err := g.config.OnLogin(ctx, l); err != nil {
		return fmt.Errorf("%w: %w", errRejected, err)
	}
	return nil
}

// serveAsset serves a style or a script, whose name changes with its content.
func (g *Gate) serveAsset(w http.ResponseWriter, r *http.Request) error {
	a, ok := g.respond.pages.Asset(r.PathValue("name"))
	if !ok {
		return login.ErrUnknown
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Type", a.ContentType)
	_, _ = w.Write(a.Body)
	return nil
}
