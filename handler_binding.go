package scangate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// servePhone shows the form for the number, or for the code once one was sent.
func (g *Gate) servePhone(w http.ResponseWriter, r *http.Request) error {
	a, err := g.authorizedBy(r)
	if err != nil {
		return err
	}
	if err := a.open(); err != nil {
		return g.again(r, &a, err)
	}
	if a.State != stateIdentified || !g.needsPhone(&a) {
		return g.advance(w, r, a)
	}
	return g.phonePage(w, r, &a, nil)
}

// phonePage shows the form, with what went wrong.
func (g *Gate) phonePage(w http.ResponseWriter, r *http.Request, a *attempt, wrong error) error {
	if wrong != nil && wantsJSON(r) {
		return wrong
	}
	status := http.StatusOK
	p := g.formPage(r, a)
	if wrong != nil {
		f := failureOf(wrong)
		status, p.Wrong = f.status, "error."+f.code
		g.noteFailure(w, r, f, wrong)
	}
	if a.Code != nil && time.Since(a.Code.Sent) < codeLife {
		p.Phone = maskPhone(a.Code.Phone)
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
	if err := a.open(); err != nil {
		return g.again(r, &a, err)
	}
	if a.State != stateIdentified || !g.needsPhone(&a) {
		return g.advance(w, r, a)
	}
	phone, err := g.numberPosted(&a, posted)
	if err != nil {
		return g.phonePage(w, r, &a, err)
	}
	sent, err := g.sendCode(r, a, phone)
	if err != nil {
		return g.phonePage(w, r, &a, err)
	}
	g.happened(r, sent.event(EventCodeSent))
	if wantsJSON(r) {
		g.writeJSON(w, http.StatusOK, map[string]int{"resend_in": int(codeGap / time.Second)})
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
	return g.phone(posted.Get("phone"))
}

// phoneForm returns the attempt and the fields of a posted phone form.
func (g *Gate) phoneForm(r *http.Request) (attempt, url.Values, error) {
	a, err := g.authorizedBy(r)
	if err != nil {
		return attempt{}, nil, err
	}
	posted, err := g.form(r, &a)
	return a, posted, err
}

// sendCode makes a code the attempt's and has it delivered. One that could not
// be delivered counts for nothing.
func (g *Gate) sendCode(r *http.Request, a attempt, phone string) (attempt, error) {
	// To the end, whatever becomes of the browser: half of it would be a code
	// that was paid for and is no use.
	ctx := context.WithoutCancel(r.Context())
	allowances, tries := g.allowances(phone, a.Person.key(), g.networks(r)[0])
	if err := g.logins.takeAll(ctx, append(tries, allowances...)); err != nil {
		if errors.Is(err, errTooManyCodes) {
			g.happened(r, Event{Name: EventLimited, Reason: "codes", Attempt: shortID(a.ID)})
		}
		return a, wrap("counting codes", err)
	}
	code, err := newCode()
	if err == nil {
		mac := g.cookies.key(r).codeMAC(a.ID, phone, code)
		a, err = g.logins.change(ctx, a.ID, func(a *attempt) error {
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
func (g *Gate) unsend(ctx context.Context, a attempt, allowances []allowance) error {
	_, err := g.logins.change(ctx, a.ID, func(a *attempt) error { a.Code = nil; return nil })
	return errors.Join(err, g.logins.giveBackAll(ctx, allowances))
}

// serveCode takes the code that the person typed.
func (g *Gate) serveCode(w http.ResponseWriter, r *http.Request) error {
	a, posted, err := g.phoneForm(r)
	if err != nil {
		return err
	}
	if err := a.open(); err != nil {
		return g.again(r, &a, err)
	}
	if a.State != stateIdentified || !g.needsPhone(&a) {
		return g.advance(w, r, a)
	}
	if a, err = g.proveNumber(r, a, posted); err != nil {
		return g.phonePage(w, r, &a, err)
	}
	if a, err = g.bind(r, a); err != nil {
		return g.phonePage(w, r, &a, err)
	}
	return g.advance(w, r, a)
}

// proveNumber checks the code. Where the store failed after the right one, the
// number is proved already.
func (g *Gate) proveNumber(r *http.Request, a attempt, posted url.Values) (attempt, error) {
	if typed := posted.Get("phone"); typed != "" && a.Code != nil {
		if phone, err := g.phone(typed); err != nil || phone != a.Code.Phone {
			return a, errCodeWrong
		}
	}
	key, code := g.cookies.key(r), posted.Get("code")
	var verdict error
	tried, err := g.logins.change(r.Context(), a.ID, func(a *attempt) error {
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
func (g *Gate) bind(r *http.Request, a attempt) (attempt, error) {
	if err := g.sameUser(r, &a); err != nil {
		return a, err
	}
	id, how, err := g.bindPhone(r.Context(), a.Person)
	if err != nil {
		return g.forgetNumber(r.Context(), a, err)
	}
	a, err = g.logins.change(r.Context(), a.ID, func(a *attempt) error {
		if a.Person == nil {
			return errUnknown
		}
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
func (g *Gate) forgetNumber(ctx context.Context, a attempt, why error) (attempt, error) {
	if !errors.Is(why, errPhoneTaken) && !errors.Is(why, errNotRegistered) {
		return a, why
	}
	changed, err := g.logins.change(ctx, a.ID, func(a *attempt) error { a.Person.Phone = ""; return nil })
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
	a := attempt{
		Kind: kindDirect, Purpose: purposePhone, For: user.ID, ReturnTo: localPath(q.Get("return_to")),
		Asker: key.digest(), Authorizer: key.digest(), From: g.origin(r),
		Person: &person{UserID: user.ID, Nickname: cleanNickname(user.Nickname)},
	}
	if err := g.limit(r, "login"); err != nil {
		return err
	}
	if err := g.logins.createIdentified(r.Context(), &a); err != nil {
		return wrap("storing a login", err)
	}
	seeOther(w, g.path("phone", a.ID))
	return nil
}

// sameUser checks that an attempt made by a logged-in user ends in their hands:
// somebody else may have logged in to that browser since.
func (g *Gate) sameUser(r *http.Request, a *attempt) error {
	if a.Purpose == purposeLogin {
		return nil
	}
	id, err := g.linker(r, a.Purpose)
	if errors.Is(err, ErrLoginRequired) || err == nil && id != a.For {
		return errForged
	}
	return err
}

// linker returns the user who is logged in, for linking by the application's own
// measure if it has one.
func (g *Gate) linker(r *http.Request, for_ purpose) (string, error) {
	if for_ == purposeLink && g.config.CurrentUser != nil {
		id, ok := g.config.CurrentUser(r)
		if !ok || id == "" {
			return "", ErrLoginRequired
		}
		return id, nil
	}
	user, _, err := g.currentUser(r)
	return user.ID, err
}

// serveLink lets a logged-in user add a WeChat to their account: the same ways
// as to log in, and always with a confirm page, which names the account.
func (g *Gate) serveLink(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	a, err := g.linkFor(r, localPath(q.Get("return_to")))
	if errors.Is(err, ErrLoginRequired) && g.config.CurrentUser == nil {
		g.refuse(w, r, err)
		return nil
	}
	if err != nil {
		return err
	}
	return g.offer(w, r, a, q.Get("with"))
}

// serveLinkJSON is serveLink for a single-page application.
func (g *Gate) serveLinkJSON(w http.ResponseWriter, r *http.Request) error {
	posted, err := jsonFields(r)
	if err != nil {
		return err
	}
	a, err := g.linkFor(r, localPath(posted.Get("return_to")))
	if err != nil {
		return err
	}
	return g.offerJSON(w, r, a, posted.Get("with"))
}

// linkFor returns the beginning of an attempt to link a WeChat to the user.
func (g *Gate) linkFor(r *http.Request, returnTo string) (attempt, error) {
	id, err := g.linker(r, purposeLink)
	if err != nil {
		return attempt{}, err
	}
	user, err := g.users.FindByID(r.Context(), id)
	if errors.Is(err, ErrNotFound) {
		return attempt{}, ErrLoginRequired
	}
	if err != nil {
		return attempt{}, wrap("reading the user", err)
	}
	return attempt{Purpose: purposeLink, For: id, ForName: cleanNickname(user.Nickname), ReturnTo: returnTo}, nil
}

// unlinkTime is how long one unlinking may take.
const unlinkTime = 10 * time.Second

// serveUnlink takes a WeChat from the user's account, but never the last one:
// only the application can know of other ways in, and can call its store.
func (g *Gate) serveUnlink(w http.ResponseWriter, r *http.Request) error {
	posted, err := fields(r)
	if err != nil {
		return err
	}
	id, err := g.linker(r, purposeLink)
	if err != nil {
		return err
	}
	who := Identity{AppID: posted.Get("appid"), OpenID: posted.Get("openid")}
	if err := g.unlink(r.Context(), id, who); err != nil {
		return err
	}
	g.happened(r, Event{Name: EventUnlinked, UserID: id, AppID: who.AppID})
	if wantsJSON(r) {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	seeOther(w, localPath(posted.Get("return_to")))
	return nil
}

func (g *Gate) unlink(ctx context.Context, id string, who Identity) error {
	// One at a time, or two requests could each leave the other's identity.
	lock := "unlink:" + id
	if err := g.state.Create(ctx, lock, nil, unlinkTime); err != nil {
		if errors.Is(err, ErrExists) {
			return errTooMany
		}
		return wrap("unlinking", err)
	}
	defer g.release(ctx, lock)
	user, err := g.users.FindByWeChat(ctx, who)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && user.ID != id:
		return errUnknown
	case err != nil:
		return wrap("looking an identity up", err)
	case len(user.Identities) < 2:
		return errLastIdentity
	}
	return wrap("unlinking", g.users.UnlinkWeChat(ctx, id, who))
}

// release gives a lock back.
func (g *Gate) release(ctx context.Context, lock string) {
	err := g.state.Update(context.WithoutCancel(ctx), lock, 1, nil, time.Nanosecond)
	if err != nil && !errors.Is(err, ErrNotFound) {
		g.config.Logger.WarnContext(ctx, "scangate: releasing a lock", "error", err)
	}
}

// Pending is somebody whom WeChat vouches for and who is not registered: what an
// application's own registration page, [Config.RegisterURL], goes by.
type Pending struct {
	// Identity is what to register or to link, by [UserStore.Register],
	// [UserStore.LinkWeChat] or in the application's own way.
	Identity Identity
	// Nickname and AvatarURL are empty unless Config.FetchProfile is set and the
	// person agreed.
	Nickname, AvatarURL string
	// ContinueURL is where to send the person once they are registered: the
	// login goes on there, also if it began on a desktop.
	ContinueURL string
}

// Pending returns who stands before the application's registration page, by the
// parameter "login" of the request's query or form. It returns [ErrNotFound]
// unless that login is open and was authorized in the request's own browser.
func (g *Gate) Pending(r *http.Request) (Pending, error) {
	a, err := g.logins.load(r.Context(), r.FormValue("login"))
	if errors.Is(err, errUnknown) || err == nil && (a.authorizedBy(g.cookies.key(r).digest()) != nil || a.open() != nil || a.Purpose != purposeLogin) {
		return Pending{}, ErrNotFound
	}
	if err != nil {
		return Pending{}, wrap("reading a login", err)
	}
	return Pending{
		Identity: a.Person.Identity, Nickname: a.Person.Nickname, AvatarURL: a.Person.AvatarURL,
		ContinueURL: g.path("resume", a.ID),
	}, nil
}

// serveResume goes on with a login after the application's own registration.
// What counts is what the store says by now.
func (g *Gate) serveResume(w http.ResponseWriter, r *http.Request) error {
	a, err := g.authorizedBy(r)
	if err != nil {
		return err
	}
	if err := a.open(); err != nil {
		return g.again(r, &a, err)
	}
	if a.State != stateIdentified || a.Person.UserID != "" {
		return g.advance(w, r, a)
	}
	who := *a.Person
	if err := g.recognise(r.Context(), &who); err != nil {
		return err
	}
	if who.UserID == "" {
		return errNotRegistered
	}
	a, err = g.logins.change(r.Context(), a.ID, func(a *attempt) error {
		switch err := a.open(); {
		case err != nil:
			return err
		case a.State != stateIdentified:
			return errUnchanged
		}
		a.Person.UserID, a.Person.Nickname, a.Person.Bound = who.UserID, who.Nickname, who.Bound
		return nil
	})
	if err != nil {
		return g.again(r, &a, err)
	}
	return g.advance(w, r, a)
}
