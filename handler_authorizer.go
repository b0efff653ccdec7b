package scangate

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// wechatTime bounds all that one callback asks of WeChat.
const wechatTime = 10 * time.Second

// serveScan is what the QR code holds. It sends the phone on to WeChat, whatever
// browser it is: WeChat itself tells people to open the page in WeChat. It uses
// nothing up, for link checkers open it too.
func (g *Gate) serveScan(w http.ResponseWriter, r *http.Request) error {
	a, err := g.loginOf(r)
	if err != nil {
		return err
	}
	if a.Kind != kindScan {
		return g.missed(r)
	}
	key := g.cookies.ensure(w, r)
	switch err := a.open(); {
	case a.authorizedBy(key.digest()) && !errors.Is(err, errExpired):
		return g.advance(w, r, a)
	case err != nil:
		return g.again(r, a, err)
	case a.Person != nil:
		return errInUse
	}
	if err := g.noteScan(r, a); err != nil {
		return err
	}
	seeOther(w, g.wechatURL(a, key, roundBase))
	return nil
}

// noteScan shows the waiting browser that its QR code was opened.
func (g *Gate) noteScan(r *http.Request, a *attempt) error {
	if a.State != stateWaiting {
		return nil
	}
	news := false
	a, err := g.logins.change(r.Context(), a, func(a *attempt) error {
		if news = a.scanned(); !news {
			return errUnchanged
		}
		return nil
	})
	if err == nil && news {
		g.happened(r, a.event(EventScanned))
	}
	return err
}

// serveCallback takes WeChat's answer. It may come twice, from the same browser
// only; both get the same answer, and one code is exchanged.
func (g *Gate) serveCallback(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	key := g.cookies.key(r)
	id, round, ok := parseOAuthState(q.Get("state"))
	if !ok || key == "" || !equalMAC(q.Get("state"), key.oauthState(id, round)) {
		return g.strangeState(r, id)
	}
	code := q.Get("code")
	if code == "" || code == "authdeny" { // the first is documented, the second is what comes
		return g.cancelled(w, r, id, round)
	}
	a, claimed, err := g.claim(r, id, key.digest(), round)
	if err == nil && claimed {
		a, err = g.exchange(r, a, round, code)
	}
	if errors.Is(err, errUnknown) {
		return g.missedID(r, id)
	}
	if err != nil {
		return g.again(r, a, err)
	}
	return g.advance(w, r, a)
}

// claim gets this callback the right to exchange its code. While another has it,
// claim waits for that one to end, and decides then: that is how a callback that
// WeChat sends twice makes one exchange.
func (g *Gate) claim(r *http.Request, id string, by digest, round round) (*attempt, bool, error) {
	if err := g.limit(r, "callback"); err != nil {
		return nil, false, err
	}
	for {
		a, claimed, err := g.logins.claim(r.Context(), id, by, round)
		if !errors.Is(err, errExchanging) {
			return a, claimed, err
		}
		ctx, leave, err := g.waiting.enter(r.Context(), "callback "+id, g.networks(r)[0])
		if err != nil {
			return nil, false, err
		}
		err = g.logins.exchanged(ctx, id)
		leave()
		if err != nil {
			return nil, false, wrap("waiting for another callback", err)
		}
	}
}

// strangeState is a callback with a state that is not this browser's: somebody
// else's, or its own after WeChat's browser has lost the cookie. A phone in that
// case may go back to the QR code's page, which is open to all.
func (g *Gate) strangeState(r *http.Request, id string) error {
	a, err := g.logins.load(r.Context(), id)
	switch {
	case err != nil && !errors.Is(err, errUnknown):
		return err
	case err != nil, a.Kind != kindScan:
		return errState
	}
	return g.again(r, a, errState)
}

// cancelled answers a person who said no in WeChat. That uses nothing up; who
// said no to the user info alone is asked again, with "not now" at hand.
func (g *Gate) cancelled(w http.ResponseWriter, r *http.Request, id string, round round) error {
	a, err := g.logins.load(r.Context(), id)
	if errors.Is(err, errUnknown) || err == nil && a.Kind == kindDirect && a.Asker != g.cookies.key(r).digest() {
		return g.missedID(r, id)
	}
	if err != nil {
		return err
	}
	if round == roundProfile && a.open() == nil {
		seeOther(w, g.path("profile", id))
		return nil
	}
	return g.again(r, a, errCancelled)
}

// exchange asks WeChat who the authorizer is, and notes the answer. It does so
// to the end even if the browser goes away: a code works once, and its second
// callback may be the one that the person sees.
func (g *Gate) exchange(r *http.Request, a *attempt, round round, code string) (*attempt, error) {
	after := context.WithoutCancel(r.Context())
	ctx, cancel := context.WithTimeout(after, wechatTime)
	defer cancel()
	claim := *a.Claim
	who, err := g.askWeChat(ctx, a, round, code)
	if err != nil {
		released, releaseErr := g.logins.change(after, a, func(a *attempt) error { return a.release(claim) })
		if releaseErr != nil {
			return a, errors.Join(err, releaseErr)
		}
		return released, err
	}
	identified, err := g.logins.change(after, a, func(a *attempt) error { return a.identify(claim, who) })
	if err != nil {
		return a, err
	}
	g.happened(r, identified.event(EventIdentified))
	if who.conflict {
		g.happened(r, identified.event(EventConflict))
	}
	return identified, nil
}

// advance sends the authorizer to the login's next step: the one place that
// knows their order.
func (g *Gate) advance(w http.ResponseWriter, r *http.Request, a *attempt) error {
	next := g.nextStep(a)
	switch {
	case next == "register" && g.config.RegisterURL == "":
		return errNotRegistered
	case next == "register":
		seeOther(w, g.registerURL(a.ID))
	case next == "":
		return g.finishDirect(w, r, a)
	default:
		seeOther(w, g.path(next, a.ID))
	}
	return nil
}

// nextStep names the page that the authorizer has to see next; "register" is the
// application's own, and there is none before the end of a direct login.
func (g *Gate) nextStep(a *attempt) string {
	if a.State == stateIdentified {
		switch {
		case g.needsProfile(a.Person):
			return "profile"
		case a.Person.UserID == "" && g.config.Registration == RegisterClosed:
			return "register"
		case g.needsPhone(a):
			return "phone"
		}
	}
	if a.needsAnswer() && (a.Kind == kindScan || a.State == stateIdentified || a.State == stateDenied) {
		return "confirm"
	}
	return ""
}

// atStep reports whether the authorizer is at that step. If not, it has answered
// with the step where they are, or returns why they are at none.
func (g *Gate) atStep(w http.ResponseWriter, r *http.Request, a *attempt, step string) (bool, error) {
	if err := a.open(); err != nil {
		return false, g.again(r, a, err)
	}
	if a.State == stateIdentified && g.nextStep(a) == step {
		return true, nil
	}
	return false, g.advance(w, r, a)
}

// registerURL is the application's page for people who are not registered.
func (g *Gate) registerURL(id string) string {
	sep := "?"
	if strings.Contains(g.config.RegisterURL, "?") {
		sep = "&"
	}
	return g.config.RegisterURL + sep + "login=" + id
}

// serveProfile asks somebody new for their user info, by a link to tap: a trip
// to WeChat that begins without a tap is what brings snapshot pages.
func (g *Gate) serveProfile(w http.ResponseWriter, r *http.Request) error {
	a, err := g.authorizedBy(r)
	if err != nil {
		return err
	}
	if here, err := g.atStep(w, r, a, "profile"); !here {
		return err
	}
	p := g.formPage(r, a)
	p.WeChatURL = g.wechatURL(a, g.cookies.key(r), roundProfile)
	g.render(w, r, http.StatusOK, "profile", p)
	return nil
}

// serveNoProfile goes on without the user info.
func (g *Gate) serveNoProfile(w http.ResponseWriter, r *http.Request) error {
	a, err := g.authorizedBy(r)
	if err != nil {
		return err
	}
	if _, err := g.form(r, a); err != nil {
		return err
	}
	a, err = g.logins.change(r.Context(), a, (*attempt).skipProfile)
	if err != nil {
		return g.again(r, a, err)
	}
	return g.advance(w, r, a)
}

// serveConfirm asks the person whether they mean to let that browser in. With
// base scope WeChat shows nothing, so this page is the only consent there is.
func (g *Gate) serveConfirm(w http.ResponseWriter, r *http.Request) error {
	a, err := g.authorizedBy(r)
	if err != nil {
		return err
	}
	if !a.needsAnswer() {
		return g.missed(r)
	}
	switch {
	case a.State == stateApproved, a.State == stateFinished:
		g.renderDone(w, r, a, "done.approved")
	case a.State == stateDenied:
		g.renderDone(w, r, a, "done.denied")
	case a.expired():
		return errExpired
	case g.nextStep(a) != "confirm":
		return g.advance(w, r, a)
	default:
		g.render(w, r, http.StatusOK, "confirm", g.confirmPage(r, a))
	}
	return nil
}

// serveAnswer takes the person's yes or no. Both are final.
func (g *Gate) serveAnswer(w http.ResponseWriter, r *http.Request) error {
	a, err := g.authorizedBy(r)
	if err != nil {
		return err
	}
	if !a.needsAnswer() {
		return g.missed(r)
	}
	posted, err := g.form(r, a)
	if err != nil {
		return err
	}
	yes, err := g.saysYes(a, posted)
	if err != nil {
		return err
	}
	if !yes {
		return g.answer(w, r, a, EventDenied, (*attempt).deny)
	}
	if err := a.open(); err != nil {
		return g.again(r, a, err)
	}
	if a.State == stateIdentified && g.nextStep(a) != "confirm" {
		return g.advance(w, r, a)
	}
	if a, err = g.settle(r, a); err != nil {
		return g.again(r, a, err)
	}
	return g.answer(w, r, a, EventApproved, (*attempt).approve)
}

// saysYes reads the person's answer. With Config.MatchNumber a wrong number is a
// no: guessing it must not take two tries.
func (g *Gate) saysYes(a *attempt, posted url.Values) (bool, error) {
	switch posted.Get("answer") {
	case "approve":
		matches := a.Kind != kindScan || !g.config.MatchNumber || posted.Get("number") == strconv.Itoa(a.Number)
		return matches, nil
	case "deny":
		return false, nil
	}
	return false, errBadRequest
}

// settle makes a user of the person, before anybody is let in by their yes. A
// WeChat to be added to an account must not be another's.
func (g *Gate) settle(r *http.Request, a *attempt) (*attempt, error) {
	if a.Purpose != purposeLink {
		return g.ensureUser(r, a)
	}
	owner, err := g.users.FindByWeChat(r.Context(), a.Person.Identity)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && owner.ID == a.For:
		return a, nil
	case err != nil:
		return a, wrap("looking an identity up", err)
	}
	denied, err := g.logins.change(r.Context(), a, (*attempt).deny)
	return denied, errors.Join(errWeChatElsewhere, err)
}

// answer stores what the person said, tells of it, and shows them what it did.
func (g *Gate) answer(w http.ResponseWriter, r *http.Request, a *attempt, event EventName, step func(*attempt) error) error {
	a, err := g.logins.change(r.Context(), a, step)
	if err != nil {
		return againError{err, g.path("confirm", a.ID)}
	}
	g.happened(r, a.event(event))
	if wantsJSON(r) {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return g.advance(w, r, a)
}
