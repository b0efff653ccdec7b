package storetest

import (
	"errors"

	"github.com/scangate/scangate"
)

// registerCases returns the cases of Register.
func registerCases() []userCase {
	return []userCase{
		{"register/user", "Register creates a user with the identity and, unless it is empty, the phone number", registerUser},
		{"register/empty", "an empty UnionID or phone number is not taken: any number of users have none", registerEmpty},
		{"register/ids", "Register gives each user a different ID, which is not empty", registerIDs},
		{"register/other AppID", "the same OpenID at another AppID is a different person, who can register", registerOtherApp},
		{"register/openid taken", "Register returns ErrIdentityTaken if a user has the (AppID, OpenID)", registerOpenIDTaken},
		{"register/unionid taken", "Register returns ErrIdentityTaken if a user has the UnionID", registerUnionIDTaken},
		{"register/phone taken", "Register returns ErrPhoneTaken if a user has the phone number", registerPhoneTaken},
		{"register/both taken", "Register returns ErrIdentityTaken or ErrPhoneTaken if both are taken", registerBothTaken},
		{"register/identity refused", "a Register that returns ErrIdentityTaken changes nothing", registerIdentityRefused},
		{"register/phone refused", "a Register that returns ErrPhoneTaken changes nothing", registerPhoneRefused},
	}
}

func registerUser(u *userProbe) {
	got := u.register(nil, newAnn())
	newUser := u.lacks.without(newAnn())
	if got.ID == "" {
		u.broken("Register returned a user with an empty ID")
	}
	u.wantUser(got, scangate.User{
		ID: got.ID, Nickname: newUser.Nickname, AvatarURL: newUser.AvatarURL, Phone: newUser.Phone,
		Identities: []scangate.Identity{newUser.Identity},
	})
	// Any other time would end the user's first session.
	if !got.SessionsEndedAt.IsZero() {
		u.broken("a new user's SessionsEndedAt is %v, want the zero time", got.SessionsEndedAt)
	}
	u.wantStored(got)
}

func registerEmpty(u *userProbe) {
	first := u.register(nil, newStranger(1))
	second := u.register(nil, newStranger(2))
	u.wantStored(first)
	u.wantStored(second)
}

func registerIDs(u *userProbe) {
	seen := make(map[string]bool)
	for i := range 50 {
		id := u.register(nil, newStranger(i)).ID
		if id == "" || seen[id] {
			u.broken("user %d got the ID %q, want a new one", i, id)
		}
		seen[id] = true
	}
}

func registerOtherApp(u *userProbe) {
	first, second := newStranger(1), newStranger(1)
	second.Identity.AppID = official
	a := u.register(nil, first)
	b := u.register(nil, second)
	u.wantStored(a)
	u.wantStored(b)
	if a.ID == b.ID {
		u.broken("both users have the ID %q, want different IDs", a.ID)
	}
}

func registerOpenIDTaken(u *userProbe) {
	u.register(nil, newAnn())
	second := newBob()
	second.Identity.OpenID = newAnn().Identity.OpenID
	u.register(scangate.ErrIdentityTaken, second)
	// The OpenID alone is enough.
	second.Identity.UnionID = ""
	u.register(scangate.ErrIdentityTaken, second)
}

func registerUnionIDTaken(u *userProbe) {
	u.register(nil, newAnn())
	second := newBob()
	second.Identity.UnionID = newAnn().Identity.UnionID
	u.register(scangate.ErrIdentityTaken, second)
	// A UnionID is unique across all AppIDs.
	second.Identity.AppID = official
	u.register(scangate.ErrIdentityTaken, second)
}

func registerPhoneTaken(u *userProbe) {
	u.register(nil, newAnn())
	second := newBob()
	second.Phone = newAnn().Phone
	u.register(scangate.ErrPhoneTaken, second)
}

func registerBothTaken(u *userProbe) {
	u.register(nil, newAnn())
	_, err := u.store.Register(u.Context(), newAnn())
	if !errors.Is(err, scangate.ErrIdentityTaken) && !errors.Is(err, scangate.ErrPhoneTaken) {
		u.broken("Register returned %s, want ErrIdentityTaken or ErrPhoneTaken", describe(err))
	}
}

func registerIdentityRefused(u *userProbe) {
	ann := u.register(nil, newAnn())
	second := newBob()
	second.Identity.OpenID = newAnn().Identity.OpenID
	u.register(scangate.ErrIdentityTaken, second)
	u.wantStored(ann)
	// The rest of Bob's data was not stored, and he can still register.
	u.byPhone(scangate.ErrNotFound, newBob().Phone)
	u.byWeChat(scangate.ErrNotFound, atOfficial(newBob().Identity))
	u.wantStored(u.register(nil, newBob()))
}

func registerPhoneRefused(u *userProbe) {
	ann := u.register(nil, newAnn())
	second := newBob()
	second.Phone = newAnn().Phone
	u.register(scangate.ErrPhoneTaken, second)
	u.wantStored(ann)
	u.byWeChat(scangate.ErrNotFound, newBob().Identity)
	u.wantStored(u.register(nil, newBob()))
}
