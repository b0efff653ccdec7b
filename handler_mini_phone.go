package scangate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/internal/state"
	"github.com/scangate/scangate/wechat"
)

// numberAge bounds the age of a number for which WeChat vouches, by either clock. A code for
// a number lives 5 minutes.
const numberAge = 10 * time.Minute

// serveMiniPhone takes a phone number: the code of a getPhoneNumber button, a typed number,
// or the one-time code that was sent to it. Without any of them it sends another code.
func (g *Gate) serveMiniPhone(w http.ResponseWriter, r *http.Request, l *login.Login, posted url.Values) error {
	l, err := g.registeredMini(r, l)
	if err != nil {
		return err
	}
	at, err := g.miniStep(r, l)
	switch {
	case err != nil:
		return err
	case at != stepPhone && at != stepCode:
		return g.answerMini(w, r, l)
	}
	extendDeadlines(w, time.Now().Add(slowAnswer)) // WeChat and Config.Phone.SendCode may take their time
	switch {
	case posted.Has("sms"):
		if l, err = g.proveNumber(r, l, url.Values{"code": {posted.Get("sms")}}); err == nil {
			l, err = g.bindNumber(r, l)
		}
	case posted.Has("code"):
		l, err = g.takeNumber(r, l, posted)
	default:
		l, err = g.textNumber(r, l, posted)
	}
	if err != nil {
		return err
	}
	return g.answerMini(w, r, l)
}

// textNumber sends a one-time code to the typed number, or to the last one again.
func (g *Gate) textNumber(r *http.Request, l *login.Login, posted url.Values) (*login.Login, error) {
	if last, _ := l.Code(); last == "" && !posted.Has("phone") {
		return l, badRequest("there is neither a code, nor a phone, nor an sms")
	}
	number, err := g.postedNumber(l, posted)
	if err != nil {
		return l, err
	}
	return g.textCode(r, l, number)
}

// textCode sends a one-time code to the number.
func (g *Gate) textCode(r *http.Request, l *login.Login, number string) (*login.Login, error) {
	if g.config.Phone.SendCode == nil {
		return l, errPhoneInUse // the person cannot prove it
	}
	l, err := g.sendCode(r, l, number)
	if err == nil {
		g.respond.emit(r, loginEvent(EventCodeSent, l))
	}
	return l, err
}

// takeNumber takes the number for which WeChat vouches. It makes a new user of the person.
// If it would make them an existing one, it sends a one-time code to the number instead.
func (g *Gate) takeNumber(r *http.Request, l *login.Login, posted url.Values) (*login.Login, error) {
	code, err := postedCode(posted, "code")
	if err != nil {
		return l, err
	}
	number, err := g.fetchNumber(r, l, code)
	if err != nil {
		return l, err
	}
	who := l.Person()
	who.Phone = number
	enrolled, err := g.registrar.bindVouched(context.WithoutCancel(r.Context()), who)
	switch {
	case errors.Is(err, errNeedsCode):
		return g.textCode(r, l, number)
	case errors.Is(err, errPhoneInUse), errors.Is(err, errNotRegistered):
		return g.refuseNumber(r, l, err)
	case err != nil:
		return l, err
	}
	return g.noteNumber(r, l, enrolled)
}

// fetchNumber exchanges the code of a getPhoneNumber button for the number. Each success
// costs money, so it takes from the quotas of one-time codes.
func (g *Gate) fetchNumber(r *http.Request, l *login.Login, code string) (string, error) {
	// Detach from the request: WeChat takes the code once.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), miniTime)
	defer cancel()
	quotas := g.codes.personQuotas(l.Person().QuotaKey(), g.limiter.networks(r))
	if err := state.Reserve(ctx, g.state, quotas...); err != nil {
		return "", g.refuseCode(r, l, err)
	}
	given, err := g.accounts.mini.PhoneNumber(ctx, code, l.Person().Identity.OpenID)
	if err != nil {
		return "", both(numberError(err), state.Refund(ctx, g.state, quotas[1:]...)) // the first are tries
	}
	if age := time.Since(given.Time); age > numberAge || age < -numberAge {
		return "", fmt.Errorf("%w: the number was given at %v", errWeChat, given.Time.UTC())
	}
	return g.codes.normalize("+" + given.CountryCode + given.PureNumber)
}

// numberError marks an error of WeChat's about the code for a number.
func numberError(err error) error {
	var answer *wechat.Error
	if errors.As(err, &answer) && answer.Code == 40003 { // another person's code
		return fmt.Errorf("exchanging the code for a number: %w: %w", errCodeRejected, err)
	}
	return wechatError("exchanging the code for a number", err)
}
