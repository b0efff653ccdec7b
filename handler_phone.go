package scangate

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/internal/phone"
	"github.com/scangate/scangate/internal/state"
)

// The limits of sending one-time codes.
const (
	codeGap  = time.Minute // between two codes to one number
	sendTime = 8 * time.Second
)

// codeSender sends one-time codes to phone numbers.
type codeSender struct {
	phone  Phone
	logger *slog.Logger
}

// servePhone shows the form for the number, or for the code once one was sent.
func (g *Gate) servePhone(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	return g.phonePage(w, r, l, "", nil)
}

// phonePage shows the form. After a failed post it shows the reason, and the typed text
// if no code can be sent to it.
func (g *Gate) phonePage(w http.ResponseWriter, r *http.Request, l *login.Login, typed string, wrong error) error {
	p := g.logins.formPage(r, l)
	p.PhoneURL, p.CodeURL = g.urls.path("phone", l.ID()), g.urls.path("phone", l.ID(), "code")
	p.International = g.config.Phone.international()
	p.Typed = keep(typed)
	if number, sent, ok := l.PendingCode(); ok {
		p.Phone = phone.Mask(number)
		p.ResendIn = secondsUntil(sent.Add(codeGap))
	}
	return g.respond.renderForm(w, r, "phone", p, wrong)
}

// maxTyped is the length of the page's field for the number, in characters.
const maxTyped = 32

// keep returns the typed text in the form in which the page shows it again.
func keep(typed string) string {
	kept := []rune(strings.ToValidUTF8(typed, ""))
	return string(kept[:min(len(kept), maxTyped)])
}

// serveSendCode sends a code to the posted number. The answer does not depend on
// whether the number belongs to a user.
func (g *Gate) serveSendCode(w http.ResponseWriter, r *http.Request, l *login.Login, posted url.Values) error {
	number, err := g.postedNumber(l, posted)
	if err != nil {
		return g.phonePage(w, r, l, posted.Get("phone"), err)
	}
	extendDeadlines(w, time.Now().Add(slowAnswer)) // Config.Phone.SendCode may take its time
	l, err = g.sendCode(r, l, number)
	if err != nil {
		// Without the typed text: no page shows a complete number that may be another person's.
		return g.phonePage(w, r, l, "", err)
	}
	g.respond.emit(r, loginEvent(EventCodeSent, l))
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, map[string]int{"resend_in": int(codeGap / time.Second)})
		return nil
	}
	seeOther(w, g.urls.path("phone", l.ID()))
	return nil
}

// postedNumber returns the number to send a code to: the posted one, or the last one
// again if none was posted.
func (g *Gate) postedNumber(l *login.Login, posted url.Values) (string, error) {
	if last, _ := l.Code(); posted.Get("phone") == "" && last != "" {
		return last, nil
	}
	return g.codes.normalize(posted.Get("phone"))
}

// normalize returns a typed number in E.164 form.
func (c *codeSender) normalize(typed string) (string, error) {
	if len(typed) > phone.MaxLength {
		return "", errPhoneInvalid
	}
	number, err := c.phone.Normalize(typed)
	if err == nil {
		number, err = phone.CheckE164(number)
	}
	countries := c.phone.Countries
	switch {
	// Not wrapped: the application's error may quote the number, and errors are logged.
	case err != nil && phone.International(typed):
		return "", errPhoneAbroad
	case err != nil:
		return "", errPhoneInvalid
	case len(countries) > 0 && !slices.Contains(countries, phone.CallingCode(number)):
		return "", errPhoneCountry
	}
	return number, nil
}

// sendCode sends a new code and makes it the login's. A code that was not delivered counts
// against no quota of codes.
func (g *Gate) sendCode(r *http.Request, l *login.Login, number string) (*login.Login, error) {
	// Detach from the request: stopping halfway could send a paid code that is not
	// stored.
	ctx := context.WithoutCancel(r.Context())
	all, codes := g.codes.quotas(number, l.Person().QuotaKey(), g.limiter.networks(r))
	if err := state.Reserve(ctx, g.state, all...); err != nil {
		return l, g.refuseCode(r, l, err)
	}
	returned := false
	defer func() {
		// Config.Phone.SendCode is the application's code. If it panics, it has sent
		// nothing, and the person may try again at once.
		if !returned {
			_ = state.Refund(ctx, g.state, codes...)
		}
	}()
	code, err := login.NewCode()
	if err == nil {
		err = g.codes.deliver(ctx, number, code)
	}
	returned = true
	if err != nil {
		return l, both(err, state.Refund(ctx, g.state, codes...))
	}
	// Only a delivered code can be guessed. Guesses at one that is refunded would come on
	// top of those that the quotas allow.
	return g.logins.SetCode(ctx, l, g.logins.authorizerKey(r, l), number, code)
}

// refuseCode returns why no code is sent: a quota is used up, or the store failed.
func (g *Gate) refuseCode(r *http.Request, l *login.Login, err error) error {
	if quota := new(state.QuotaError); !errors.As(err, &quota) {
		return wrap("counting codes", err)
	}
	limited := loginEvent(EventLimited, l)
	limited.Reason = "codes"
	g.respond.emit(r, limited)
	return fmt.Errorf("%w: %w", errTooManyCodes, err)
}

// quotas returns all quotas that one code takes from, and among them those that are refunded
// if the code is not delivered, so that the person may try again at once. The quotas of
// tries are not refunded: a sender that reports a failure may have delivered all the same.
func (c *codeSender) quotas(number, person string, networks []string) (all, codes []state.Quota) {
	// The person chooses the number. Its quotas come last, so that a request which one of the
	// others refuses makes no record in the store.
	all = append(c.personQuotas(person, networks),
		quota("gap", number, 1, codeGap),
		quota("phone-hour", number, 5, hour),
		quota("phone-day", number, 10, day),
		quota("phone-tries", number, 30, hour))
	return all, all[1 : len(all)-1] // without the tries
}

// personQuotas returns the quotas of a person and of the networks of their address. The
// first one is that of tries.
func (c *codeSender) personQuotas(person string, networks []string) []state.Quota {
	all := []state.Quota{
		quota("person-tries", person, 30, hour),
		quota("person-hour", person, 10, hour),
		quota("person-day", person, 20, day),
		quota("all-hour", "", c.phone.CodeLimit, hour),
	}
	for i, network := range networks {
		factor := networkFactors[i]
		all = append(all,
			quota("address-hour", network, 60*factor, hour),
			quota("address-day", network, 300*factor, day))
	}
	return all
}

const hour, day = time.Hour, 24 * time.Hour

// quota returns a quota of codes.
func quota(name, of string, limit int, window time.Duration) state.Quota {
	sum := sha256.Sum256([]byte(of)) // the store need not learn whose number it is
	return state.Quota{Key: state.QuotaKey(name + ":" + base64.RawURLEncoding.EncodeToString(sum[:])), Max: limit, Window: window}
}

// deliver passes the code to the application.
func (c *codeSender) deliver(ctx context.Context, number, code string) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	if err := c.phone.SendCode(ctx, number, code); err != nil {
		// Only the error's type is logged: its text may contain the number.
		c.logger.ErrorContext(ctx, "scangate: Config.Phone.SendCode failed", "type", fmt.Sprintf("%T", err), "timeout", ctx.Err() != nil)
		return errSendFailed
	}
	return nil
}

// serveTryCode takes the code that the person typed.
func (g *Gate) serveTryCode(w http.ResponseWriter, r *http.Request, l *login.Login, posted url.Values) error {
	l, err := g.proveNumber(r, l, posted)
	if err == nil {
		l, err = g.bindNumber(r, l)
	}
	if err != nil {
		return g.phonePage(w, r, l, "", err)
	}
	return g.advance(w, r, l)
}

// proveNumber checks the code. If the store failed after the right code, the number is
// proved already.
func (g *Gate) proveNumber(r *http.Request, l *login.Login, posted url.Values) (*login.Login, error) {
	if sentTo, _ := l.Code(); posted.Get("phone") != "" && sentTo != "" {
		if number, err := g.codes.normalize(posted.Get("phone")); err != nil || number != sentTo {
			return l, login.ErrCodeWrong
		}
	}
	code := digits(posted.Get("code"))
	if len(code) != login.CodeLength {
		return l, login.ErrCodeWrong // a slip, not a guess: it uses up no try
	}
	tried, err := g.logins.TryCode(r.Context(), l, g.logins.authorizerKey(r, l), code)
	switch {
	case errors.Is(err, login.ErrRepeated):
		return tried, nil
	case errors.Is(err, login.ErrCodeWrong):
		g.respond.emit(r, loginEvent(EventCodeWrong, tried))
	}
	return tried, err
}

// bindNumber binds the proved number to a user, and notes which one.
func (g *Gate) bindNumber(r *http.Request, l *login.Login) (*login.Login, error) {
	if err := g.auth.requireTarget(r, l); err != nil {
		return l, err
	}
	// A proved number registers a new person too, so they must be known to be new.
	l, err := g.chats.lookUpNow(r, l)
	switch {
	case err != nil:
		return l, err
	case l.Person().Refusal == refusalDisabled:
		return l, errDisabled
	}
	enrolled, err := g.registrar.bindPhone(r.Context(), l.Person())
	if errors.Is(err, errPhoneInUse) || errors.Is(err, errNotRegistered) || errors.Is(err, errDisabled) {
		return g.refuseNumber(r, l, err)
	}
	if err != nil {
		return l, err
	}
	return g.noteNumber(r, l, enrolled)
}

// refuseNumber lets a person prove another number, because this one cannot log them in. A
// store's failure, in contrast, leaves the number proved.
func (g *Gate) refuseNumber(r *http.Request, l *login.Login, err error) (*login.Login, error) {
	changed, failed := g.logins.ForgetPhone(r.Context(), l)
	if failed != nil {
		return changed, both(err, failed)
	}
	if errors.Is(err, errDisabled) {
		// The number's user is disabled, and not the person.
		return g.logins.refuseFor(r.Context(), changed, refusalNumber, err)
	}
	return g.logins.refuse(r.Context(), changed, err)
}

// noteNumber notes the user to whom a number was bound.
func (g *Gate) noteNumber(r *http.Request, l *login.Login, enrolled enrollment) (*login.Login, error) {
	if enrolled.event != "" {
		// Now, because the number stays bound even if the login fails.
		bound := loginEvent(enrolled.event, l)
		bound.UserID = enrolled.userID
		g.respond.emit(r, bound)
	}
	known := l.Person().UserID != ""
	l, err := g.logins.BindPhone(r.Context(), l, login.Person{UserID: enrolled.userID, New: enrolled.event == EventRegistered})
	if err == nil && !known {
		g.respond.emitAgreed(r, l)
	}
	return l, err
}

// serveChangePhone lets a logged-in user prove a phone number: the first one, if the
// application has come to require it, or a new one.
func (g *Gate) serveChangePhone(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	user, err := g.auth.freshUser(r, login.PurposePhone)
	old := errors.Is(err, errFreshLogin)
	switch {
	case errors.Is(err, ErrLoginRequired):
		g.refuse(w, r, err)
		return nil
	case err != nil && !old:
		return err
	case g.config.Phone.SendCode == nil:
		return login.ErrUnknown
	case old && user.Phone == "" && g.config.Phone.Require && isPageLoad(r):
		// The fresh login itself binds the number that is missing.
		seeOther(w, g.urls.returning(freshRoute, g.urls.pageReturnTo(q.Get("return_to"))))
		return nil
	case old:
		return err
	}
	key := g.cookies.ensure(w, r)
	if err := g.logins.limit(r, "login"); err != nil {
		return err
	}
	l, err := g.logins.StartIdentified(r.Context(), login.Request{
		Kind: login.SameDevice, Purpose: login.PurposePhone, TargetUserID: user.ID,
		ReturnTo: g.urls.pageReturnTo(q.Get("return_to")), Initiator: key.Digest(), Origin: g.logins.origin(r),
	}, login.Person{UserID: user.ID, Nickname: cleanNickname(user.Nickname)})
	if err != nil {
		return err
	}
	seeOther(w, g.urls.path("phone", l.ID()))
	return nil
}
