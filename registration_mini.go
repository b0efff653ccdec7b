package scangate

import (
	"context"
	"errors"

	"github.com/scangate/scangate/internal/login"
)

// identifyMini is identify for the code of a mini program. WeChat gives mini programs no
// user info, and returns the unionid without it. The session key stays here, unused.
func (r *registrar) identifyMini(ctx context.Context, l *login.Login, code string) (login.Person, error) {
	identity, err := r.miniIdentity(ctx, code)
	if err != nil {
		return login.Person{}, rejection(err)
	}
	who := login.Person{Identity: identity, Asked: true}
	if l.Purpose() == login.PurposeLink {
		// Whether another user owns the identity is checked at approval.
		who.UserID, _ = l.Target()
		return who, nil
	}
	return who, r.lookupUser(ctx, &who)
}

// miniIdentity exchanges the code of a mini program.
func (r *registrar) miniIdentity(ctx context.Context, code string) (login.Identity, error) {
	session, err := r.accounts.mini.SessionByCode(ctx, code)
	if err != nil {
		return login.Identity{}, wechatError("exchanging a mini program's code", err)
	}
	if session.UnionID == "" && r.accounts.several() {
		r.logger.WarnContext(ctx, "scangate: WeChat returned no unionid to the mini program: bind it to the Open Platform account, "+
			"otherwise one person becomes several users")
	}
	return login.Identity{AppID: r.accounts.mini.AppID(), OpenID: session.OpenID, UnionID: session.UnionID}, nil
}

// bindVouched is bindPhone for a number for which only WeChat vouches, and no code was sent
// to it. WeChat does not guarantee that the number is still the person's. So it makes no one
// the user who has the number. It returns errNeedsCode if a code has to be sent first.
func (r *registrar) bindVouched(ctx context.Context, who login.Person) (enrollment, error) {
	if who.UserID != "" || r.mode == RegisterClosed {
		return r.bindPhone(ctx, who)
	}
	if r.mode != RegisterOpen {
		return enrollment{}, errNeedsCode // the number admits the person
	}
	user, err := r.users.Register(ctx, newUser(who))
	switch {
	case errors.Is(err, ErrPhoneTaken):
		return enrollment{}, errNeedsCode
	case errors.Is(err, ErrIdentityTaken):
		// Another request has just registered the same person.
		user, err = r.users.FindByWeChat(ctx, Identity(who.Identity))
		if err != nil {
			return enrollment{}, wrap("looking an identity up", err)
		}
		if user.Phone != "" {
			return enrollment{userID: user.ID}, nil
		}
		who.UserID = user.ID
		return r.bindPhone(ctx, who)
	case err != nil:
		return enrollment{}, wrap("registering", err)
	}
	return enrollment{user.ID, EventRegistered}, nil
}
