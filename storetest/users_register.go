package storetest

import (
	"errors"

	"github.com/scangate/scangate"
)

func registerCases() []userCase {
	return []userCase{
		{"register/user", "Register creates a user with the identity and, unless it is empty, the number", registerUser},
		{"register/empty", "an empty UnionID equals no other, and an empty number is nobody's: any number of users have none", registerEmpty},
		{"register/ids", "ID is the store's own name for the user, and never given to anybody else", registerIDs},
		{"register/other AppID", "the same OpenID at another AppID is somebody else, and registers", registerOtherApp},
		{"register/openid taken", "Register returns ErrIdentityTaken if a user has the (AppID, OpenID) already", registerOpenIDTaken},
		{"register/unionid taken", "Register returns ErrIdentityTaken if a user has the UnionID already", registerUnionIDTaken},
		{"register/phone taken", "Register returns ErrPhoneTaken if a user has the number", registerPhoneTaken},
		{"register/both taken", "Register returns ErrIdentityTaken or ErrPhoneTaken if both are taken", registerBothTaken},
		{"register/identity refused", "a Register that ended in ErrIdentityTaken has changed nothing", registerIdentityRefused},
		{"register/phone refused", "a Register that ended in ErrPhoneTaken has changed nothing", registerPhoneRefused},
	}
}

func registerUser(u *users) {
	who := ann()
	got := u.register(nil, who)
	if got.ID == "" {
		u.broken("Register returned a user without an ID")
	}
	u.same(got, scangate.User{
		ID: got.ID, Nickname: who.Nickname, AvatarURL: who.AvatarURL, Phone: who.Phone,
		Identities: []scangate.Identity{who.Identity},
	})
	if !got.SessionsEndedAt.IsZero() {
		u.broken("a new user's SessionsEndedAt is %v, want the zero time", got.SessionsEndedAt)
	}
	u.stored(got)
}

func registerEmpty(u *users) {
	first := u.register(nil, stranger(1))
	second := u.register(nil, stranger(2))
	u.stored(first)
	u.stored(second)
}

func registerIDs(u *users) {
	seen := make(map[string]bool)
	for i := range 50 {
		id := u.register(nil, stranger(i)).ID
		if id == "" || seen[id] {
			u.broken("user %d got the ID %q, which is empty or another's", i, id)
		}
		seen[id] = true
	}
}

func registerOtherApp(u *users) {
	first, second := stranger(1), stranger(1)
	second.Identity.AppID = official
	a := u.register(nil, first)
	b := u.register(nil, second)
	u.stored(a)
	u.stored(b)
	if a.ID == b.ID {
		u.broken("both have the ID %q", a.ID)
	}
}

func registerOpenIDTaken(u *users) {
	u.register(nil, ann())
	again := bob()
	again.Identity.OpenID = ann().Identity.OpenID
	u.register(scangate.ErrIdentityTaken, again)
	again.Identity.UnionID = ""
	u.register(scangate.ErrIdentityTaken, again)
}

func registerUnionIDTaken(u *users) {
	u.register(nil, ann())
	again := bob()
	again.Identity.UnionID = ann().Identity.UnionID
	u.register(scangate.ErrIdentityTaken, again)
	again.Identity.AppID = official
	u.register(scangate.ErrIdentityTaken, again)
}

func registerPhoneTaken(u *users) {
	u.register(nil, ann())
	again := bob()
	again.Phone = ann().Phone
	u.register(scangate.ErrPhoneTaken, again)
}

func registerBothTaken(u *users) {
	u.register(nil, ann())
	_, err := u.store.Register(u.Context(), ann())
	if !errors.Is(err, scangate.ErrIdentityTaken) && !errors.Is(err, scangate.ErrPhoneTaken) {
		u.broken("Register returned %s, want ErrIdentityTaken or ErrPhoneTaken", outcome(err))
	}
}

func registerIdentityRefused(u *users) {
	a := u.register(nil, ann())
	again := bob()
	again.Identity.OpenID = ann().Identity.OpenID
	u.register(scangate.ErrIdentityTaken, again)
	u.stored(a)
	u.byPhone(scangate.ErrNotFound, bob().Phone)
	u.byWeChat(scangate.ErrNotFound, elsewhere(bob().Identity))
	u.stored(u.register(nil, bob()))
}

func registerPhoneRefused(u *users) {
	a := u.register(nil, ann())
	again := bob()
	again.Phone = ann().Phone
	u.register(scangate.ErrPhoneTaken, again)
	u.stored(a)
	u.byWeChat(scangate.ErrNotFound, bob().Identity)
	u.stored(u.register(nil, bob()))
}
