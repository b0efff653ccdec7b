package scangate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/scangate/scangate/internal/login"
)

// step is a page that the authorizer has to pass.
type step string

const (
	stepProfile  step = "profile"  // WeChat's user info
	stepRegister step = "register" // the application's own registration
	stepTerms    step = "terms"    // of a new person whom no confirm page asks in time
	stepPhone    step = "phone"
	stepConfirm  step = "confirm"
	stepFinish   step = "finish" // of a same-device login: no page is left
	stepOther    step = "other"  // none: a fresh login is for another user
	stepAny      step = "any"    // for routes that serve the authorizer at every step
	// stepDecision is any step of an open login that needs consent: a person may refuse
	// before the confirm page too.
	stepDecision step = "decision"
)

// nextStep returns the authorizer's next step. The order of the steps is defined here
// and nowhere else.
func (r *registrar) nextStep(l *login.Login) step {
	if r.isOtherUser(l) {
		return stepOther
	}
	// While a second callback exchanges, the person is known from the first one.
	if l.State() == login.StateIdentified || l.State() == login.StateExchanging {
		switch who := l.Person(); {
		case r.mustRecognize(l) && !l.InChat(): // chats looks the unionid up
			return stepProfile
		case who.UserID == "" && r.mode == RegisterClosed:
			return stepRegister
		case r.needsTerms(l):
			return stepTerms
		case who.UserID == "" && r.mode == RegisterByPhone:
			return stepPhone // before the profile: a person with an unknown number is refused
		case r.needsProfile(who) && r.accounts.web(l) != nil:
			return stepProfile
		case r.needsPhone(l):
			return stepPhone
		}
	}
	// An approved link in the same browser is finished without a further page.
	if l.NeedsConsent() && (l.Kind() == login.CrossDevice || l.State() != login.StateApproved) {
		return stepConfirm
	}
	return stepFinish
}

// needsPage reports whether a person in a chat has more to do than to answer there.
func (r *registrar) needsPage(l *login.Login) bool {
	return r.nextStep(l) != stepConfirm || l.Purpose() == login.PurposeLink || r.lacksTerms(l)
}

// ensureUser makes a user of the login's person unless they are one. It passes the events
// of that to emit.
func (r *registrar) ensureUser(ctx context.Context, logins *login.Store, l *login.Login, emit func(Event)) (*login.Login, error) {
	switch {
	case l.Person().UserID != "":
		return l, nil
	case l.Fresh():
		return l, errOtherUser // its target is a user already
	case r.lacksLookup(l):
		// One person must not become two users.
		return l, fmt.Errorf("%w: the person's unionid is not known", errWeChat)
	}
	enrolled, err := r.register(ctx, l.Person())
	if err != nil {
		return l, err
	}
	if enrolled.event != "" {
		// Now, because the user stays even if the login fails.
		registered := loginEvent(enrolled.event, l)
		registered.UserID = enrolled.userID
		emit(registered)
	}
	l, err = logins.AssignUser(ctx, l, enrolled.userID)
	switch {
	case errors.Is(err, login.ErrRepeated):
		err = nil
	case err == nil && l.Agreed() != "":
		emit(agreedEvent(l))
	}
	return l, err
}

// lacksLookup reports whether the official account still has to look up the unionid of a new
// person in a chat, because they may be a user by another account.
func (r *registrar) lacksLookup(l *login.Login) bool {
	return l.InChat() && r.mustRecognize(l)
}

// rereadUser reads the login's user again and returns an error if they have been disabled
// or deleted, have ended their sessions, or have removed the login's WeChat, since the login
// began.
func (r *registrar) rereadUser(ctx context.Context, l *login.Login) (User, error) {
	// By the identity: a WeChat that was removed meanwhile must not log in to the account,
	// which may have been a thief's.
	user, err := r.users.FindByWeChat(ctx, Identity(l.Person().Identity))
	if removed := errors.Is(err, ErrNotFound) || err == nil && user.ID != l.Person().UserID; removed {
		if user, err = r.users.FindByID(ctx, l.Person().UserID); err == nil && !user.Disabled {
			return User{}, login.ErrExpired
		}
	}
	switch {
	case errors.Is(err, ErrNotFound), err == nil && user.Disabled:
		return User{}, errDisabled
	case err != nil:
		return User{}, wrap("reading the user", err)
	case l.Created().Before(user.SessionsEndedAt), time.Until(l.Created()) > clockSkew:
		// Ending sessions ends the logins under way as well. A login from the future could
		// not be compared with that time.
		return User{}, login.ErrExpired
	}
	return user, nil
}

// refuse notes why the login's person cannot log in, so that the initiator is shown the
// refusal and offered a new login. It returns err.
func (s *logins) refuse(ctx context.Context, l *login.Login, err error) (*login.Login, error) {
	return s.refuseFor(ctx, l, failureOf(err).code, err)
}

// refuseFor is refuse with another reason than the code of err.
func (s *logins) refuseFor(ctx context.Context, l *login.Login, reason string, err error) (*login.Login, error) {
	refused, failed := s.Refuse(ctx, l, reason)
	if failed != nil && failureOf(failed).status == http.StatusServiceUnavailable {
		return l, both(err, failed)
	}
	return refused, err
}
