package scangate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/scangate/scangate/internal/login"
)

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
	p.formTarget = g.urls.formTarget(g.urls.landing(l))
	if l.Purpose() != login.PurposeLogin {
		return p, nil
	}
	user, err := g.registrar.rereadUser(r.Context(), l)
	if errors.Is(err, errDisabled) || errors.Is(err, login.ErrExpired) {
		_, err = g.logins.refuse(r.Context(), l, err)
	}
	if err != nil {
		return p, err
	}
	p.showAccount(user, l.Person())
	p.AutoFinish = !l.Fresh() && !l.Person().New && g.remembersUser(r, user)
	return p, nil
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
		writeJSON(w, http.StatusOK, map[string]string{"return_to": g.urls.landing(l)})
		return nil
	}
	seeOther(w, g.urls.landing(l))
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
		again = g.urls.landing(l)
	}
	acknowledge(w, r, again)
	return nil
}

// finish ends a login: with a session or, if it is a logged-in user's, without a new one.
func (g *Gate) finish(w http.ResponseWriter, r *http.Request, l *login.Login) (*login.Login, error) {
	if err := l.Ready(); err != nil {
		if l.SessionRefused() {
			err = errRejected // as the first answer was
		}
		return l, err
	}
	if l.Purpose() != login.PurposeLogin {
		return g.finishForUser(r, l)
	}
	l, err := g.registrar.ensureUser(r.Context(), g.logins.Store, l, g.respond.emitter(r))
	if err != nil {
		return l, err
	}
	// Before the user is read: a session that ends in between counts as begun before.
	begun := time.Now()
	user, err := g.registrar.rereadUser(r.Context(), l)
	if errors.Is(err, errDisabled) || errors.Is(err, login.ErrExpired) {
		return g.logins.refuse(r.Context(), l, err)
	}
	if err != nil {
		return l, err
	}
	ctx, before, err := g.prepareSession(r, l, user.ID)
	if err != nil {
		return l, err
	}
	finish := g.finishThenBegin
	if g.config.OnLogin == nil && !g.auth.sessions.carried(r) {
		finish = g.beginThenFinish
	}
	l, repeated, err := finish(w, r, l, preparedLogin{ctx, user, before, begun})
	if err != nil {
		return l, err
	}
	key := g.logins.initiatorKey(r, l)
	g.rememberUser(w, r, user)
	if !repeated {
		if l.Kind() == login.CrossDevice {
			g.cookies.renew(w, r, l.ID(), key)
		} else {
			g.cookies.replace(w, r, key)
		}
		g.respond.emit(r, loginEvent(EventFinished, l))
	}
	return l, nil
}

// preparedLogin is what the end of a login needs, besides the login itself.
type preparedLogin struct {
	session context.Context // of prepareSession
	user    User
	before  sessionValue
	begun   time.Time
}

// finishThenBegin finishes the login, asks Config.OnLogin, and begins the session. It reports
// whether the session was begun before.
func (g *Gate) finishThenBegin(w http.ResponseWriter, r *http.Request, l *login.Login, p preparedLogin) (*login.Login, bool, error) {
	who := l.Person() // Finish drops the token, which OnLogin may want
	l, err := g.logins.Finish(r.Context(), l, p.begun)
	repeated := errors.Is(err, login.ErrRepeated)
	if err != nil && !repeated {
		return l, repeated, err
	}
	if l.Person().UserID != p.user.ID {
		return l, repeated, login.ErrNotApproved // another step has changed the person meanwhile
	}
	// The client may have gone: what follows has to be noted all the same.
	ctx, begun := context.WithoutCancel(r.Context()), repeated
	defer func() {
		if !begun { // OnLogin may also have panicked
			_, _ = g.logins.FailSession(ctx, l)
		}
	}()
	if err := g.allowLogin(p.session, Login{User: p.user, Way: wayOf(l)}, who); err != nil {
		_, failed := g.logins.RefuseSession(ctx, l)
		begun = failed == nil
		return l, repeated, err
	}
	err = g.beginSession(p.session, w, r, l, p.before, l.SessionToken(g.logins.initiatorKey(r, l)))
	begun = begun || err == nil
	return l, repeated, err
}

// beginThenFinish is finishThenBegin for a request without a session, if Config.OnLogin is not
// set. It writes the session first: the step that finishes the login also shows that no logout
// came meanwhile, which saves a read. If the step is refused, the session is taken back. No one
// has its token yet.
func (g *Gate) beginThenFinish(w http.ResponseWriter, r *http.Request, l *login.Login, p preparedLogin) (*login.Login, bool, error) {
	value := sessionValue{userID: p.user.ID, login: l.ID(), begun: p.begun}
	if l.State() == login.StateFinished {
		value.begun = l.Finished()
	}
	repeated := false
	token := l.SessionToken(g.logins.initiatorKey(r, l))
	err := g.auth.sessions.begin(p.session, w, r, value, token, func() error {
		var err error
		l, err = g.logins.Finish(r.Context(), l, p.begun)
		if repeated = errors.Is(err, login.ErrRepeated); repeated {
			err = nil
		}
		if err == nil && l.Person().UserID != p.user.ID {
			err = login.ErrNotApproved // another step has changed the person meanwhile
		}
		return err
	})
	return l, repeated, wrap("beginning a session", err)
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

// beginSession begins the session of a finished login, and ends the sessions that the
// request carries. The token is the session's.
func (g *Gate) beginSession(ctx context.Context, w http.ResponseWriter, r *http.Request, l *login.Login, before sessionValue, token string) error {
	others, err := g.auth.sessions.others(g.auth.sessions.target(ctx, r), r)
	if err != nil && !errors.Is(err, errTooManySessions) {
		return err
	}
	if err := g.endOthers(r, l.ID(), before, others); err != nil {
		return err
	}
	value := sessionValue{userID: l.Person().UserID, login: l.ID(), begun: l.Finished()}
	err = g.auth.sessions.begin(ctx, w, r, value, token, func() error {
		// A logout or another login may have come while the session was written. It closes
		// the login before it destroys the session.
		stored, err := g.logins.Load(r.Context(), l.ID())
		if err == nil {
			err = stored.Ready()
		}
		return err
	})
	return wrap("beginning a session", err)
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
	switch {
	case errors.Is(err, login.ErrRepeated):
		return l, nil
	case err != nil || l.Purpose() != login.PurposeLink:
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

// allowLogin asks Config.OnLogin, if it is set, about the login of that person.
func (g *Gate) allowLogin(ctx context.Context, l Login, who login.Person) error {
	if g.config.OnLogin == nil {
		return nil
	}
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

// endOthers ends the sessions that the request carries besides its own, which is about to
// end too. First it closes the logins that began all of them, except the one with the ID
// that is kept. A repeated request of such a login may be under way: it writes its session,
// and then finds the login closed.
func (g *Gate) endOthers(r *http.Request, kept string, own sessionValue, others []otherSession) error {
	for _, value := range append([]sessionValue{own}, values(others)...) {
		if value.login != kept {
			g.logins.close(r.Context(), value.login)
		}
	}
	return wrap("ending another session", g.auth.sessions.endOthers(others)) //nolint:contextcheck // each session is in a context of its own
}
