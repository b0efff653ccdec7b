package storetest

import (
	"fmt"
	"time"

	"github.com/scangate/scangate"
)

// userRaceCases returns the cases in which calls compete.
func userRaceCases() []userCase {
	return []userCase{
		{"race/strangers", "concurrent calls for different users do not affect each other", raceStrangers},
		{"race/register openid", "of any number of concurrent calls that register one (AppID, OpenID), one succeeds and the others return ErrIdentityTaken", raceRegisterOpenID},
		{"race/register unionid", "of any number of concurrent calls that register one UnionID, one succeeds and the others return ErrIdentityTaken", raceRegisterUnionID},
		{"race/register phone", "of any number of concurrent calls that register one phone number, one succeeds and the others return ErrPhoneTaken", raceRegisterPhone},
		{"race/link openid", "of any number of concurrent calls that link one (AppID, OpenID) to different users, one succeeds and the others return ErrIdentityTaken", raceLinkOpenID},
		{"race/link unionid", "of any number of concurrent calls that link one UnionID to different users, one succeeds and the others return ErrIdentityTaken", raceLinkUnionID},
		{"race/link one user", "of any number of concurrent calls that link different OpenIDs at one AppID to a user, one succeeds and the others return ErrIdentityTaken", raceLinkOneUser},
		{"race/link and register", "of concurrent calls that link or register one identity, one succeeds and the others return ErrIdentityTaken", raceLinkAndRegister},
		{"race/bind phone", "of any number of concurrent calls that bind one phone number to different users, one succeeds and the others return ErrPhoneTaken", raceBindPhone},
		{"race/bind one user", "a user has one phone number, even if several are bound concurrently", raceBindOneUser},
		{"race/bind and register", "of concurrent calls that bind or register one phone number, one succeeds and the others return ErrPhoneTaken", raceBindAndRegister},
		{"race/unlink", "concurrent calls that unlink all identities with a UnionID free the UnionID", raceUnlink},
		{"race/end sessions", "concurrent calls to EndSessions leave the latest of their times", raceEndSessions},
	}
}

// registerStrangers registers a user per racer, concurrently, and returns their IDs.
func (u *userProbe) registerStrangers() []string {
	u.Helper()
	ids := make([]string, u.racers)
	u.wantAllSucceed(race(u.racers, func(i int) error {
		user, err := u.store.Register(u.Context(), newStranger(i))
		ids[i] = user.ID
		return err
	}))
	return ids
}

// registerAll registers a new user per racer, concurrently. It returns the results of
// Register.
func (u *userProbe) registerAll(newUser func(i int) scangate.NewUser) ([]scangate.User, []error) {
	users := make([]scangate.User, u.racers)
	errs := race(u.racers, func(i int) (err error) {
		users[i], err = u.store.Register(u.Context(), newUser(i))
		return err
	})
	return users, errs
}

// phoneOf returns the phone number of racer i.
func phoneOf(i int) string { return fmt.Sprintf("+86139%08d", i) }

func raceStrangers(u *userProbe) {
	ids := u.registerStrangers()
	u.wantAllSucceed(race(u.racers, func(i int) error { return u.store.BindPhone(u.Context(), ids[i], phoneOf(i)) }))
	u.wantAllSucceed(race(u.racers, func(i int) error {
		return u.store.LinkWeChat(u.Context(), ids[i], atOfficial(newStranger(i).Identity))
	}))
	u.wantAllSucceed(race(u.racers, func(i int) error {
		_, err := u.store.FindByID(u.Context(), ids[(i+1)%u.racers])
		return err
	}))
	for i, id := range ids {
		identity := newStranger(i).Identity
		u.wantStored(scangate.User{ID: id, Phone: phoneOf(i), Identities: []scangate.Identity{identity, atOfficial(identity)}})
	}
}

func raceRegisterOpenID(u *userProbe) {
	users, errs := u.registerAll(func(i int) scangate.NewUser {
		newUser := newStranger(i)
		newUser.Identity.OpenID = newAnn().Identity.OpenID
		return newUser
	})
	u.wantStored(users[u.wantOneSuccess(errs, scangate.ErrIdentityTaken)])
}

func raceRegisterUnionID(u *userProbe) {
	users, errs := u.registerAll(func(i int) scangate.NewUser {
		newUser := newStranger(i)
		newUser.Identity.UnionID = newAnn().Identity.UnionID
		return newUser
	})
	winner := u.wantOneSuccess(errs, scangate.ErrIdentityTaken)
	u.wantStored(users[winner])
	// A refused call has not stored its OpenID.
	u.byWeChat(scangate.ErrNotFound, newStranger((winner+1)%u.racers).Identity)
}

func raceRegisterPhone(u *userProbe) {
	users, errs := u.registerAll(func(i int) scangate.NewUser {
		newUser := newStranger(i)
		newUser.Phone = newAnn().Phone
		return newUser
	})
	winner := u.wantOneSuccess(errs, scangate.ErrPhoneTaken)
	u.wantStored(users[winner])
	// A refused call has not stored its identity.
	u.byWeChat(scangate.ErrNotFound, newStranger((winner+1)%u.racers).Identity)
}

func raceLinkOpenID(u *userProbe) {
	ids := u.registerStrangers()
	identity := atOfficial(newAnn().Identity)
	winner := u.wantOneSuccess(race(u.racers, func(i int) error {
		return u.store.LinkWeChat(u.Context(), ids[i], identity)
	}), scangate.ErrIdentityTaken)
	u.wantStored(scangate.User{ID: ids[winner], Identities: []scangate.Identity{newStranger(winner).Identity, identity}})
}

func raceLinkUnionID(u *userProbe) {
	ids := u.registerStrangers()
	// Each call fills the UnionID into the user's only identity.
	withUnionID := func(i int) scangate.Identity {
		identity := newStranger(i).Identity
		identity.UnionID = newAnn().Identity.UnionID
		return identity
	}
	winner := u.wantOneSuccess(race(u.racers, func(i int) error {
		return u.store.LinkWeChat(u.Context(), ids[i], withUnionID(i))
	}), scangate.ErrIdentityTaken)
	u.wantStored(scangate.User{ID: ids[winner], Identities: []scangate.Identity{withUnionID(winner)}})
}

func raceLinkOneUser(u *userProbe) {
	ann := u.register(nil, newAnn())
	winner := u.wantOneSuccess(race(u.racers, func(i int) error {
		return u.store.LinkWeChat(u.Context(), ann.ID, atOfficial(newStranger(i).Identity))
	}), scangate.ErrIdentityTaken)
	ann.Identities = append(ann.Identities, atOfficial(newStranger(winner).Identity))
	u.wantStored(ann)
}

func raceLinkAndRegister(u *userProbe) {
	ids := u.registerStrangers()
	identity := atOfficial(newAnn().Identity)
	u.wantOneSuccess(race(u.racers, func(i int) error {
		if i%2 == 0 {
			return u.store.LinkWeChat(u.Context(), ids[i], identity)
		}
		_, err := u.store.Register(u.Context(), scangate.NewUser{Identity: identity})
		return err
	}), scangate.ErrIdentityTaken)
	// The winner may be a new or an existing user, so ask the store for it.
	u.wantStored(u.byWeChat(nil, identity))
}

func raceBindPhone(u *userProbe) {
	ids := u.registerStrangers()
	winner := u.wantOneSuccess(race(u.racers, func(i int) error {
		return u.store.BindPhone(u.Context(), ids[i], newAnn().Phone)
	}), scangate.ErrPhoneTaken)
	u.wantStored(scangate.User{ID: ids[winner], Phone: newAnn().Phone, Identities: []scangate.Identity{newStranger(winner).Identity}})
}

func raceBindOneUser(u *userProbe) {
	ann := u.register(nil, newAnn())
	u.wantAllSucceed(race(u.racers, func(i int) error { return u.store.BindPhone(u.Context(), ann.ID, phoneOf(i)) }))
	// Any of the numbers may be the last. The others must not find the user.
	ann.Phone = u.byID(nil, ann.ID).Phone
	u.wantStored(ann)
	for i := range u.racers {
		if phoneOf(i) != ann.Phone {
			u.byPhone(scangate.ErrNotFound, phoneOf(i))
		}
	}
}

func raceBindAndRegister(u *userProbe) {
	ids := u.registerStrangers()
	u.wantOneSuccess(race(u.racers, func(i int) error {
		if i%2 == 0 {
			return u.store.BindPhone(u.Context(), ids[i], newAnn().Phone)
		}
		newUser := newStranger(u.racers + i)
		newUser.Phone = newAnn().Phone
		_, err := u.store.Register(u.Context(), newUser)
		return err
	}), scangate.ErrPhoneTaken)
	u.wantStored(u.byPhone(nil, newAnn().Phone))
}

func raceUnlink(u *userProbe) {
	ann := u.register(nil, newAnn())
	// Two calls that each see the other's identity would both keep the UnionID. A few
	// rounds make that likely enough to be noticed.
	for range 5 {
		identities := []scangate.Identity{newAnn().Identity, atOfficial(newAnn().Identity)}
		u.link(nil, ann.ID, identities[0])
		u.link(nil, ann.ID, identities[1])
		u.wantAllSucceed(race(u.racers, func(i int) error { return u.store.UnlinkWeChat(u.Context(), ann.ID, identities[i%2]) }))
		u.byWeChat(scangate.ErrNotFound, identities[0])
	}
	second := newBob()
	second.Identity.UnionID = newAnn().Identity.UnionID
	u.register(nil, second)
}

func raceEndSessions(u *userProbe) {
	ann := u.register(nil, newAnn())
	u.wantAllSucceed(race(u.racers, func(i int) error {
		// Each second from 0 to racers-1 once, in mixed order: racers is a multiple of
		// ten, and 37 is prime.
		offset := time.Duration(i*37%u.racers) * time.Second
		return u.store.EndSessions(u.Context(), ann.ID, sessionsEndedAt().Add(offset))
	}))
	ann.SessionsEndedAt = sessionsEndedAt().Add(time.Duration(u.racers-1) * time.Second)
	u.wantStored(ann)
}
