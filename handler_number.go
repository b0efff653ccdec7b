package scangate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/scangate/scangate/internal/phone"
	"github.com/scangate/scangate/internal/state"
)

// servePhone shows the form for the number, or for the code once one was sent.
func (g *Gate) servePhone(w http.ResponseWriter, r *http.Request) error {
	a, err := g.authorizedBy(r)
	if err != nil {
		return err
	}
	if here, err := g.atStep(w, r, a, "phone"); !here {
		return err
	}
	return g.phonePage(w, r, a, nil)
}

// phonePage shows the form, with what went wrong.
func (g *Gate) phonePage(w http.ResponseWriter, r *http.Request, a *attempt, wrong error) error {
	if wrong != nil && wantsJSON(r) {
		return wrong
	}
	status := http.StatusOK
	p := g.formPage(r, a)
	p.PhoneURL, p.CodeURL = g.path("phone", a.ID), g.path("phone", a.ID, "code")
	if wrong != nil {
		f := g.noteFailure(w, r, wrong)
		status, p.Wrong = f.status, "error."+f.code
	}
	if a.Code != nil && time.Since(a.Code.Sent) < codeLife {
		p.Phone = phone.Mask(a.Code.Phone)
		p.ResendIn = secondsUntil(a.Code.Sent.Add(codeGap))
	}
	g.render(w, r, status, "phone", p)
	return nil
}

// serveSendCode sends a code to the number posted. Whether somebody has that
// number already makes no difference here.
func (g *Gate) serveSendCode(w http.ResponseWriter, r *http.Request) error {
	a, posted, err := g.phoneForm(r)
	if err != nil {
		return err
	}
	if here, err := g.atStep(w, r, a, "phone"); !here {
		return err
	}
	phone, err := g.numberPosted(a, posted)
	if err != nil {
		return g.phonePage(w, r, a, err)
	}
	sent, err := g.sendCode(r, a, phone)
	if err != nil {
		return g.phonePage(w, r, a, err)
	}
	g.happened(r, sent.event(EventCodeSent))
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, map[string]int{"resend_in": int(codeGap / time.Second)})
		return nil
	}
	seeOther(w, g.path("phone", a.ID))
	return nil
}

// numberPosted returns the number to send a code to; none means the last one
// again.
func (g *Gate) numberPosted(a *attempt, posted url.Values) (string, error) {
	if posted.Get("phone") == "" && a.Code != nil {
		return a.Code.Phone, nil
	}
	return g.phoneTyped(posted.Get("phone"))
}

// phoneForm returns the attempt and the fields of a posted phone form.
func (g *Gate) phoneForm(r *http.Request) (*attempt, url.Values, error) {
	a, err := g.authorizedBy(r)
	if err != nil {
		return nil, nil, err
	}
	posted, err := g.form(r, a)
	return a, posted, err
}

// sendCode makes a code the attempt's and has it delivered. One that could not
// be delivered counts for nothing.
func (g *Gate) sendCode(r *http.Request, a *attempt, phone string) (*attempt, error) {
	// To the end, whatever becomes of the browser: half of it would be a code
	// that was paid for and is no use.
	ctx := context.WithoutCancel(r.Context())
	allowances, tries := g.quotas(phone, a.Person.key(), g.networks(r)[0])
	if err := state.Reserve(ctx, g.state, append(tries, allowances...)...); err != nil {
		if quota := new(state.QuotaError); errors.As(err, &quota) {
			limited := a.event(EventLimited)
			limited.Reason = "codes"
			g.happened(r, limited)
			return a, fmt.Errorf("%w: %w", errTooManyCodes, err)
		}
		return a, wrap("counting codes", err)
	}
	code, err := newCode()
	if err == nil {
		mac := g.cookies.key(r).codeMAC(a.ID, phone, code)
		a, err = g.logins.change(ctx, a, func(a *attempt) error {
			a.Code = &phoneCode{Phone: phone, MAC: mac, Sent: time.Now()}
			return a.open()
		})
	}
	if err == nil {
		err = g.deliver(ctx, phone, code)
	}
	if err != nil {
		return a, errors.Join(err, g.unsend(ctx, a, allowances))
	}
	return a, nil
}

// deliver hands the code to the application.
func (g *Gate) deliver(ctx context.Context, phone, code string) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	if err := g.config.SendCode(ctx, phone, code); err != nil {
		// The application's error may well name the number.
		g.config.Logger.ErrorContext(ctx, "scangate: Config.SendCode failed", "type", fmt.Sprintf("%T", err), "timeout", ctx.Err() != nil)
		return errSendFailed
	}
	return nil
}

// unsend undoes a code that was not delivered.
func (g *Gate) unsend(ctx context.Context, a *attempt, allowances []state.Quota) error {
	_, err := g.logins.change(ctx, a, func(a *attempt) error { a.Code = nil; return nil })
	return errors.Join(err, state.Refund(ctx, g.state, allowances...))
}

// serveCode takes the code that the person typed.
func (g *Gate) serveCode(w http.ResponseWriter, r *http.Request) error {
	a, posted, err := g.phoneForm(r)
	if err != nil {
		return err
	}
	if here, err := g.atStep(w, r, a, "phone"); !here {
		return err
	}
	if a, err = g.proveNumber(r, a, posted); err != nil {
		return g.phonePage(w, r, a, err)
	}
	if a, err = g.bind(r, a); err != nil {
		return g.phonePage(w, r, a, err)
	}
	return g.advance(w, r, a)
}

// proveNumber checks the code. Where the store failed after the right one, the
// number is proved already.
func (g *Gate) proveNumber(r *http.Request, a *attempt, posted url.Values) (*attempt, error) {
	if typed := posted.Get("phone"); typed != "" && a.Code != nil {
		if phone, err := g.phoneTyped(typed); err != nil || phone != a.Code.Phone {
			return a, errCodeWrong
		}
	}
	key, code := g.cookies.key(r), posted.Get("code")
	var verdict error
	tried, err := g.logins.change(r.Context(), a, func(a *attempt) error {
		if a.Person.Phone != "" && a.Code == nil {
			return errUnchanged
		}
		// A wrong code is stored too: it has used up a try.
		if verdict = a.try(key, code); verdict != nil && !errors.Is(verdict, errCodeWrong) {
			return verdict
		}
		return nil
	})
	if err != nil {
		return a, err
	}
	if verdict != nil {
		g.happened(r, tried.event(EventCodeWrong))
	}
	return tried, verdict
}

// bind makes the proved number the user's, and notes who that is.
func (g *Gate) bind(r *http.Request, a *attempt) (*attempt, error) {
	if err := g.sameUser(r, a); err != nil {
		return a, err
	}
	id, how, err := g.bindPhone(r.Context(), a.Person)
	if err != nil {
		return g.forgetNumber(r.Context(), a, err)
	}
	a, err = g.logins.change(r.Context(), a, func(a *attempt) error {
		a.Person.UserID, a.Person.Bound = id, true
		return a.open()
	})
	if err == nil {
		g.happened(r, a.event(how))
	}
	return a, err
}

// forgetNumber lets the person try another number after one that can't be
// theirs. A store's failure leaves the number proved.
func (g *Gate) forgetNumber(ctx context.Context, a *attempt, why error) (*attempt, error) {
	if !errors.Is(why, errNumberElsewhere) && !errors.Is(why, errNotRegistered) {
		return a, why
	}
	changed, err := g.logins.change(ctx, a, func(a *attempt) error { a.Person.Phone = ""; return nil })
	if err != nil {
		return a, errors.Join(why, err)
	}
	return changed, why
}

// serveChangePhone lets a logged-in user prove a number: a first one where the
// application has come to require it, or a new one.
func (g *Gate) serveChangePhone(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	user, _, err := g.currentUser(r)
	if errors.Is(err, ErrLoginRequired) {
		g.refuse(w, r, err)
		return nil
	}
	if err != nil {
		return err
	}
	if g.config.SendCode == nil {
		return errUnknown
	}
	key := g.cookies.ensure(w, r)
	a := &attempt{
		Kind: kindDirect, Purpose: purposePhone, For: user.ID, ReturnTo: localPath(q.Get("return_to")),
		Asker: key.digest(), Authorizer: key.digest(), From: g.origin(r),
		Person: &person{UserID: user.ID, Nickname: cleanNickname(user.Nickname)},
	}
	if err := g.limit(r, "login"); err != nil {
		return err
	}
	if err := g.logins.createIdentified(r.Context(), a); err != nil {
		return wrap("storing a login", err)
	}
	seeOther(w, g.path("phone", a.ID))
	return nil
}
