package scangate

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/scangate/scangate/internal/login"
)

// serveProfile asks a new person for their user info. If only the unionid in it can show
// whether they are a user already, the page gives that reason.
func (g *Gate) serveProfile(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	p := g.logins.formPage(r, l)
	switch {
	case !g.registrar.mustRecognize(l):
	case q.Has(neededParam):
		p.Name = "profile.needed"
	default:
		p.Name = "profile.known"
	}
	// A link to tap, not a redirect: WeChat answers a trip that begins without a tap
	// with a snapshot page.
	p.WeChatURL = g.accounts.authorizeURL(g.urls.callback(), l, g.logins.authorizerKey(r, l), login.ScopeProfile)
	g.respond.render(w, r, http.StatusOK, "profile", p)
	return nil
}

// serveSkipProfile goes on without the user info. If only the unionid in it can show whether
// the person is a user, it explains that instead: a person who says that they are new may
// have an account that was disabled, or one that they would lose.
func (g *Gate) serveSkipProfile(w http.ResponseWriter, r *http.Request, l *login.Login, _ url.Values) error {
	if g.registrar.mustRecognize(l) {
		seeOther(w, g.urls.path("profile", l.ID())+"?"+neededParam)
		return nil
	}
	l, err := g.logins.SkipProfile(r.Context(), l)
	if err != nil {
		return g.logins.withRetry(r, l, err)
	}
	return g.advance(w, r, l)
}

// serveConfirm asks the person whether they want to let that browser in. With base
// scope WeChat shows nothing, so this page is the only consent there is.
func (g *Gate) serveConfirm(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	// An approved link in the same browser is not done before it is finished.
	unfinished := l.State() == login.StateApproved && l.Kind() == login.SameDevice
	switch state := l.State(); {
	case state == login.StateFinished && l.Kind() == login.SameDevice:
		leaveWeChat(w, r, g.urls.landing(l)) // there is no other screen
	case state == login.StateFinished, state == login.StateApproved && !unfinished:
		g.renderDone(w, r, l, "done.approved")
	case state == login.StateDenied:
		g.renderDone(w, r, l, "done.denied")
	default:
		return g.respond.renderForm(w, r, "confirm", g.confirmPage(r, l), nil)
	}
	return nil
}

// serveDecision takes the person's decision, which is final.
func (g *Gate) serveDecision(w http.ResponseWriter, r *http.Request, l *login.Login, posted url.Values) error {
	if posted.Get("answer") == "approve" && g.registrar.nextStep(l) == stepConfirm && g.asksTerms(l) && posted.Get("agree") != g.registrar.terms {
		// Before the number is compared: a wrong one ends the login, and a right one must not
		// be known from this answer.
		return g.respond.renderForm(w, r, "confirm", g.confirmPage(r, l), errTermsRequired)
	}
	decision, err := g.parseDecision(l, posted)
	if err != nil {
		return err
	}
	if decision == EventDenied {
		return g.recordDecision(w, r, l, decision)
	}
	if g.registrar.nextStep(l) != stepConfirm {
		return g.advance(w, r, l)
	}
	if l.State() != login.StateIdentified {
		return g.recordDecision(w, r, l, decision) // a repeated request, or one that is refused
	}
	if l, err = g.prepareApproval(r, l); err != nil {
		return g.logins.withRetry(r, l, err)
	}
	return g.recordDecision(w, r, l, decision)
}

// asksTerms reports whether the confirm page asks the person to agree to the terms.
func (g *Gate) asksTerms(l *login.Login) bool {
	return l.State() == login.StateIdentified && g.registrar.lacksTerms(l)
}

// parseDecision reads the person's answer: EventApproved or EventDenied.
func (g *Gate) parseDecision(l *login.Login, posted url.Values) (EventName, error) {
	switch posted.Get("answer") {
	case "approve":
		// With MatchNumber a wrong number denies: guessing must not get a second try.
		if g.matchesNumber(l) && l.Kind() == login.CrossDevice && digits(posted.Get("number")) != strconv.Itoa(l.Number()) {
			return EventDenied, nil
		}
		return EventApproved, nil
	case "deny":
		return EventDenied, nil
	}
	return "", badRequest("answer is neither \"approve\" nor \"deny\"")
}

// prepareApproval makes a user of the person before they let anyone in. If they add
// their WeChat to an account, it checks that it belongs to no other one.
func (g *Gate) prepareApproval(r *http.Request, l *login.Login) (*login.Login, error) {
	if l.Purpose() != login.PurposeLink {
		if g.asksTerms(l) {
			var err error
			if l, err = g.agree(r, l); err != nil {
				return l, err
			}
		}
		return g.registrar.ensureUser(r.Context(), g.logins.Store, l, g.respond.emitter(r))
	}
	userID, _ := l.Target()
	err := g.registrar.checkOwner(r.Context(), Identity(l.Person().Identity), userID)
	switch {
	case errors.Is(err, errWeChatInUse):
		return g.logins.refuse(r.Context(), l, err)
	case err != nil || l.Person().Refusal == "":
		return l, err
	}
	// Another account had the WeChat at an earlier approval, and has it no more. The step
	// clears that refusal.
	l, err = g.logins.Recognize(r.Context(), l, l.Person())
	if errors.Is(err, login.ErrRepeated) {
		err = nil
	}
	return l, err
}

// recordDecision stores the decision and shows the person its effect.
func (g *Gate) recordDecision(w http.ResponseWriter, r *http.Request, l *login.Login, decision EventName) error {
	l, err := g.storeDecision(r, l, decision)
	if err != nil {
		return retryError{err, g.urls.path("confirm", l.ID())}
	}
	if wantsJSON(r) {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return g.advance(w, r, l)
}

// storeDecision stores the person's decision, which is final.
func (g *Gate) storeDecision(r *http.Request, l *login.Login, decision EventName) (*login.Login, error) {
	record := g.logins.Approve
	if decision == EventDenied {
		record = g.logins.Deny
	}
	l, err := record(r.Context(), l)
	if errors.Is(err, login.ErrRepeated) { // clients resend a POST after a reset
		return l, nil
	}
	if err == nil {
		g.respond.emit(r, loginEvent(decision, l))
	}
	return l, err
}

// confirmPage returns the data of the page that asks the person for approval.
func (g *Gate) confirmPage(r *http.Request, l *login.Login) PageData {
	p := g.logins.formPage(r, l)
	_, p.TargetName = l.Target()
	p.Nickname = l.Person().Nickname
	if g.asksTerms(l) {
		p.Agreement = g.registrar.terms
	}
	if l.Kind() == login.CrossDevice { // otherwise there is no other screen
		from := l.Origin()
		p.Browser, p.System, p.Address = from.Browser, from.System, from.Address
		p.Place = g.locator.place(r.Context(), from.Address)
		if !l.Typed() { // otherwise the digits have matched the screens
			p.Number, p.MatchNumber = l.Number(), g.matchesNumber(l)
		}
	}
	return p
}

// renderDone shows the result of the person's answer.
func (g *Gate) renderDone(w http.ResponseWriter, r *http.Request, l *login.Login, name string) {
	p := PageData{Name: name, Purpose: string(l.Purpose())}
	if l.Kind() == login.SameDevice {
		p.NextURL = g.urls.landing(l)
	}
	g.respond.render(w, r, http.StatusOK, "done", p)
}
