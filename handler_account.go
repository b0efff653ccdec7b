package scangate

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/scangate/scangate/internal/login"
)

// serveLink lets a logged-in user add a WeChat identity to their account. It offers the
// same ways as a login does, and always a consent page that names the account.
func (g *Gate) serveLink(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	request, err := g.linkRequest(r, g.urls.pageReturnTo(q.Get("return_to")))
	// With CurrentUser the gate's own login page would be the wrong one: it would make a
	// second user of a person whose account WeChat does not know yet.
	if errors.Is(err, ErrLoginRequired) && (g.config.CurrentUser == nil || g.config.LoginPage != "") {
		g.refuse(w, r, err)
		return nil
	}
	if err != nil {
		return err
	}
	return g.offerLogin(w, r, request, q)
}

// serveStartLink is serveLink for a single-page application.
func (g *Gate) serveStartLink(w http.ResponseWriter, r *http.Request) error {
	posted, err := jsonFields(r)
	if err != nil {
		return err
	}
	returnTo, err := g.urls.returnTo(posted.Get("return_to"))
	if err != nil {
		return err
	}
	request, err := g.linkRequest(r, returnTo)
	if err != nil {
		return err
	}
	return g.offerLoginJSON(w, r, request, posted)
}

// linkRequest returns the request for a login that adds an identity to the logged-in
// user.
func (g *Gate) linkRequest(r *http.Request, returnTo string) (login.Request, error) {
	user, err := g.auth.freshUser(r, login.PurposeLink)
	if err != nil {
		return login.Request{}, err
	}
	return login.Request{
		Purpose: login.PurposeLink, TargetUserID: user.ID, TargetName: cleanNickname(user.Nickname),
		ReturnTo: returnTo,
	}, nil
}

// serveUnlink removes a WeChat identity from the user's account. It does not remove the
// last one, unless Config.CurrentUser shows that the application has a login of its own.
func (g *Gate) serveUnlink(w http.ResponseWriter, r *http.Request) error {
	posted, err := fields(r)
	if err != nil {
		return err
	}
	returnTo := g.urls.pageReturnTo(posted.Get("return_to"))
	if isJSON(r) {
		if returnTo, err = g.urls.returnTo(posted.Get("return_to")); err != nil {
			return err
		}
	}
	user, err := g.auth.freshUser(r, login.PurposeLink)
	if errors.Is(err, ErrLoginRequired) {
		return retryError{err, g.urls.logIn(returnTo)}
	}
	if err != nil {
		return retryError{err, returnTo}
	}
	who := Identity{AppID: posted.Get("appid"), OpenID: posted.Get("openid")}
	if err := g.registrar.unlink(r.Context(), user.ID, who); err != nil {
		return retryError{err, returnTo}
	}
	g.respond.emit(r, Event{Name: EventUnlinked, UserID: user.ID, AppID: who.AppID})
	acknowledge(w, r, returnTo)
	return nil
}

// serveLogout ends the session, or with everywhere=true all sessions of the user.
func (g *Gate) serveLogout(w http.ResponseWriter, r *http.Request) error {
	posted, err := fields(r)
	if err != nil {
		return err
	}
	ctx, err := g.auth.sessions.load(r)
	if err != nil {
		return err
	}
	user, _, err := g.auth.sessionUser(ctx)
	event := Event{Name: EventLoggedOut, UserID: user.ID}
	if posted.Get("everywhere") == "true" && !errors.Is(err, ErrLoginRequired) {
		if err == nil {
			err = g.auth.endSessions(r.Context(), user.ID)
		}
		if err != nil {
			return err // keep this session: the others could not be ended
		}
		event.Reason = "everywhere"
	}
	if err := g.endSession(ctx, w, r, event); err != nil {
		return err
	}
	acknowledge(w, r, "/")
	return nil
}

// endSession ends the session in ctx, which is the request's, and the logins of its
// browser. It emits the event if that has a user.
func (g *Gate) endSession(ctx context.Context, w http.ResponseWriter, r *http.Request, event Event) error {
	others, err := g.auth.sessions.others(ctx, r)
	if err != nil {
		return err
	}
	ended, _ := g.auth.sessions.value(ctx)
	if err := g.endOthers(r, "", ended, others); err != nil {
		return err
	}
	if err := g.auth.sessions.end(ctx, w, r); err != nil {
		return wrap("ending the session", err)
	}
	g.cookies.forget(w, r)  // otherwise a login under way would outlive the logout
	if event.UserID != "" { // no user: not logged in, or the store failed
		g.respond.emit(r, event)
	}
	return nil
}

// LogOut is for the application's own logout handler. It does what the route logout does
// for one browser: it ends the request's session with all that the application keeps in
// it, makes repeated requests of its login worthless, and forgets the browser's logins
// under way. It sets cookies and writes nothing, so the handler answers afterwards. A
// request without a session is not an error. After an error the browser is still logged
// in. See [Gate.EndSessions] for the user's other browsers.
//
// A login of the application's own also begins with LogOut, and puts its values into the
// session afterwards. To the gate, a session that the application has ended by itself looks
// like a browser that has lost its cookie.
//
// LogOut does not check where the request comes from. Call it for a POST, behind
// [http.CrossOriginProtection] or a token, or any website can log users out.
func (g *Gate) LogOut(w http.ResponseWriter, r *http.Request) error {
	ctx, err := g.auth.sessions.load(r)
	if err != nil {
		return publicError(err)
	}
	user, _, _ := g.auth.sessionUser(ctx) // a logout needs the session only
	return publicError(g.endSession(ctx, w, r, Event{Name: EventLoggedOut, UserID: user.ID}))
}

// LoginURL returns the path of the gate's login page, also with [Config.LoginPage]. It leads
// back to returnTo: a path on this server, a URL that begins with [Config.PublicURL], or one
// that [Config.AllowReturnTo] allows. Any other value means "/".
func (g *Gate) LoginURL(returnTo string) string {
	return g.urls.returning("login", g.ReturnTo(returnTo))
}

// EndSessions ends all sessions of a user, in all browsers, and the logins that they have
// under way. Call it after you have disabled the user, changed their password, or found
// that their account was taken over. It takes effect at once in this process. In other
// processes that share [Config.State] it takes effect at once too, or with
// [Config.UserTTL] within 2 seconds.
//
// It returns an error for which errors.Is(err, ErrNotFound) holds if there is no such
// user. After any other error the sessions may have ended or not: call it again. If an
// application calls the EndSessions of its own store instead, a user in memory stays
// logged in for up to UserTTL.
func (g *Gate) EndSessions(ctx context.Context, userID string) error {
	return publicError(g.auth.endSessions(ctx, userID))
}

// me describes the logged-in user to a single-page application.
type me struct {
	ID         string    `json:"id"`
	Nickname   string    `json:"nickname"`
	AvatarURL  string    `json:"avatar_url"`
	PhoneBound bool      `json:"phone_bound"`
	LoggedInAt time.Time `json:"logged_in_at"`
}

// serveMe returns the logged-in user, or a problem with the status 401.
func (g *Gate) serveMe(w http.ResponseWriter, r *http.Request) error {
	user, session, err := g.auth.currentUser(r)
	if errors.Is(err, ErrLoginRequired) {
		_, p := g.refusal(err)
		writeProblem(w, p)
		return nil
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, me{user.ID, cleanNickname(user.Nickname), user.AvatarURL, user.Phone != "", session.begun.UTC()})
	return nil
}

// Pending is an identified person without a user. The application's own registration
// page, [Registration.URL], works on it.
type Pending struct {
	// Identity is what to register or to link, by [UserStore.Register],
	// [UserStore.LinkWeChat] or in the application's own way.
	Identity Identity
	// Nickname and AvatarURL are empty unless [Registration.FetchProfile] is set and the
	// person agreed.
	Nickname, AvatarURL string
	// ContinueURL is where to send the person once they are registered. The login
	// continues there, even if it began in another browser.
	ContinueURL string
}

// Pending returns the person who is at the application's registration page. It reads
// the parameter "login" of the request's query or form. It returns [ErrNotFound] unless
// that login is open and was authorized in the request's own browser, or in the mini program
// whose token the request's posted form has in the field "token". It ignores a token that a
// page of another site has posted.
func (g *Gate) Pending(r *http.Request) (Pending, error) {
	l, err := g.logins.Load(r.Context(), r.FormValue("login"))
	switch {
	case errors.Is(err, login.ErrUnknown):
		return Pending{}, ErrNotFound
	case err != nil:
		return Pending{}, publicError(err)
	case g.logins.authorizerKey(r, l) == "" && !g.hasToken(r, l), l.Open() != nil, l.Purpose() != login.PurposeLogin, l.Fresh():
		return Pending{}, ErrNotFound
	}
	who := l.Person()
	if g.registrar.mustRecognize(l) {
		return Pending{}, ErrNotFound // they may be a user
	}
	return Pending{
		Identity: Identity(who.Identity), Nickname: who.Nickname, AvatarURL: who.AvatarURL,
		ContinueURL: g.urls.path("resume", l.ID()),
	}, nil
}

// hasToken reports whether the posted form of a request has the token of the mini program
// that proved the identity for the login.
func (g *Gate) hasToken(r *http.Request, l *login.Login) bool {
	// A link or another site's page with an attacker's token would make a visitor register
	// the attacker's identity, or add it to their own account. The developer tools of mini
	// programs send "Sec-Fetch-Site: cross-site", with a Referer that no page can have.
	own := strings.HasPrefix(r.Referer(), "https://servicewechat.com/"+g.config.MiniProgram.AppID+"/")
	if l.Way() != login.WayMini || !own && g.origins.own.Check(r) != nil {
		return false
	}
	return l.AuthorizedBy(login.Key(r.PostFormValue("token"))) // not from the query
}

// serveResume continues a login after the application's own registration. It asks the
// UserStore whether the person is registered by now.
func (g *Gate) serveResume(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	l, err := g.recognize(r, l)
	if err != nil {
		return err
	}
	return g.advance(w, r, l)
}

// recognize notes the user that a person has become by the application's registration. It
// returns errNotRegistered if they are still none.
func (g *Gate) recognize(r *http.Request, l *login.Login) (*login.Login, error) {
	who := l.Person()
	who.Refusal = "" // an earlier one; the look-up finds whether there still is a reason
	if l.State() != login.StateIdentified || who.UserID != "" {
		return l, nil
	}
	if err := g.registrar.lookupUser(r.Context(), &who); err != nil {
		return l, err
	}
	switch {
	case who.UserID == "":
		return l, errNotRegistered
	case who.Refusal == refusalDisabled:
		// The person is not noted as that user, so that they can return once they are enabled.
		return g.logins.refuse(r.Context(), l, errDisabled)
	}
	l, err := g.logins.Recognize(r.Context(), l, who)
	if err != nil && !errors.Is(err, login.ErrRepeated) {
		return l, g.logins.withRetry(r, l, err)
	}
	return l, nil
}
