package storetest

import (
	"fmt"
	"time"

	"github.com/scangate/scangate"
)

func userRaceCases() []userCase {
	return []userCase{
		{"race/strangers", "all methods may be called from many goroutines", raceStrangers},
		{"race/register openid", "of any number of calls that register one (AppID, OpenID), one wins and the others get ErrIdentityTaken", raceRegisterOpenID},
		{"race/register unionid", "of any number of calls that register one UnionID, one wins and the others get ErrIdentityTaken", raceRegisterUnionID},
		{"race/register phone", "of any number of calls that register one number, one wins and the others get ErrPhoneTaken", raceRegisterPhone},
		{"race/link openid", "of any number of users to whom one (AppID, OpenID) is linked, one gets it and the others ErrIdentityTaken", raceLinkOpenID},
		{"race/link unionid", "of any number of users to whom one UnionID is linked, one gets it and the others ErrIdentityTaken", raceLinkUnionID},
		{"race/link one user", "of any number of OpenIDs at one AppID that are linked to a user, one is and the others get ErrIdentityTaken", raceLinkOneUser},
		{"race/link and register", "of calls that link and that register one identity, one wins and the others get ErrIdentityTaken", raceLinkAndRegister},
		{"race/bind phone", "of any number of users to whom one number is bound, one gets it and the others ErrPhoneTaken", raceBindPhone},
		{"race/bind one user", "a user has one number, however many are bound at once", raceBindOneUser},
		{"race/bind and register", "of calls that bind and that register one number, one wins and the others get ErrPhoneTaken", raceBindAndRegister},
		{"race/unlink", "a UnionID is free once the last identity that has it is unlinked, by whomever", raceUnlink},
		{"race/end sessions", "of any number of calls to EndSessions, the latest time stays", raceEndSessions},
	}
}

// strangers registers as many users as compete, and returns their ids.
func (u *users) strangers() []string {
	u.Helper()
	ids := make([]string, u.crowd)
	u.allWin(race(u.crowd, func(i int) error {
		user, err := u.store.Register(u.Context(), stranger(i))
		ids[i] = user.ID
		return err
	}))
	return ids
}

// registerAll registers all at once, and returns the users and the outcomes.
func (u *users) registerAll(who func(i int) scangate.NewUser) ([]scangate.User, []error) {
	got := make([]scangate.User, u.crowd)
	outcomes := race(u.crowd, func(i int) (err error) {
		got[i], err = u.store.Register(u.Context(), who(i))
		return err
	})
	return got, outcomes
}

// numbered is one of as many numbers as there are users who compete.
func numbered(i int) string { return fmt.Sprintf("+86139%08d", i) }

func raceStrangers(u *users) {
	ids := u.strangers()
	u.allWin(race(u.crowd, func(i int) error { return u.store.BindPhone(u.Context(), ids[i], numbered(i)) }))
	u.allWin(race(u.crowd, func(i int) error {
		return u.store.LinkWeChat(u.Context(), ids[i], elsewhere(stranger(i).Identity))
	}))
	u.allWin(race(u.crowd, func(i int) error {
		_, err := u.store.FindByID(u.Context(), ids[(i+1)%u.crowd])
		return err
	}))
	for i, id := range ids {
		who := stranger(i).Identity
		u.stored(scangate.User{ID: id, Phone: numbered(i), Identities: []scangate.Identity{who, elsewhere(who)}})
	}
}

func raceRegisterOpenID(u *users) {
	got, outcomes := u.registerAll(func(i int) scangate.NewUser {
		who := stranger(i)
		who.Identity.OpenID = ann().Identity.OpenID
		return who
	})
	u.stored(got[u.oneWins(outcomes, scangate.ErrIdentityTaken)])
}

func raceRegisterUnionID(u *users) {
	got, outcomes := u.registerAll(func(i int) scangate.NewUser {
		who := stranger(i)
		who.Identity.UnionID = ann().Identity.UnionID
		return who
	})
	winner := u.oneWins(outcomes, scangate.ErrIdentityTaken)
	u.stored(got[winner])
	u.byWeChat(scangate.ErrNotFound, stranger((winner+1)%u.crowd).Identity)
}

func raceRegisterPhone(u *users) {
	got, outcomes := u.registerAll(func(i int) scangate.NewUser {
		who := stranger(i)
		who.Phone = ann().Phone
		return who
	})
	winner := u.oneWins(outcomes, scangate.ErrPhoneTaken)
	u.stored(got[winner])
	u.byWeChat(scangate.ErrNotFound, stranger((winner+1)%u.crowd).Identity)
}

func raceLinkOpenID(u *users) {
	ids := u.strangers()
	wanted := elsewhere(ann().Identity)
	winner := u.oneWins(race(u.crowd, func(i int) error {
		return u.store.LinkWeChat(u.Context(), ids[i], wanted)
	}), scangate.ErrIdentityTaken)
	u.stored(scangate.User{ID: ids[winner], Identities: []scangate.Identity{stranger(winner).Identity, wanted}})
}

func raceLinkUnionID(u *users) {
	ids := u.strangers()
	winner := u.oneWins(race(u.crowd, func(i int) error {
		who := stranger(i).Identity
		who.UnionID = ann().Identity.UnionID
		return u.store.LinkWeChat(u.Context(), ids[i], who)
	}), scangate.ErrIdentityTaken)
	who := stranger(winner).Identity
	who.UnionID = ann().Identity.UnionID
	u.stored(scangate.User{ID: ids[winner], Identities: []scangate.Identity{who}})
}

func raceLinkOneUser(u *users) {
	a := u.register(nil, ann())
	winner := u.oneWins(race(u.crowd, func(i int) error {
		return u.store.LinkWeChat(u.Context(), a.ID, elsewhere(stranger(i).Identity))
	}), scangate.ErrIdentityTaken)
	a.Identities = append(a.Identities, elsewhere(stranger(winner).Identity))
	u.stored(a)
}

func raceLinkAndRegister(u *users) {
	ids := u.strangers()
	wanted := elsewhere(ann().Identity)
	u.oneWins(race(u.crowd, func(i int) error {
		if i%2 == 0 {
			return u.store.LinkWeChat(u.Context(), ids[i], wanted)
		}
		_, err := u.store.Register(u.Context(), scangate.NewUser{Identity: wanted})
		return err
	}), scangate.ErrIdentityTaken)
	u.stored(u.byWeChat(nil, wanted))
}

func raceBindPhone(u *users) {
	ids := u.strangers()
	winner := u.oneWins(race(u.crowd, func(i int) error {
		return u.store.BindPhone(u.Context(), ids[i], ann().Phone)
	}), scangate.ErrPhoneTaken)
	u.stored(scangate.User{ID: ids[winner], Phone: ann().Phone, Identities: []scangate.Identity{stranger(winner).Identity}})
}

func raceBindOneUser(u *users) {
	a := u.register(nil, ann())
	u.allWin(race(u.crowd, func(i int) error { return u.store.BindPhone(u.Context(), a.ID, numbered(i)) }))
	a.Phone = u.byID(nil, a.ID).Phone
	u.stored(a)
	for i := range u.crowd {
		if numbered(i) != a.Phone {
			u.byPhone(scangate.ErrNotFound, numbered(i))
		}
	}
}

func raceBindAndRegister(u *users) {
	ids := u.strangers()
	u.oneWins(race(u.crowd, func(i int) error {
		if i%2 == 0 {
			return u.store.BindPhone(u.Context(), ids[i], ann().Phone)
		}
		who := stranger(u.crowd + i)
		who.Phone = ann().Phone
		_, err := u.store.Register(u.Context(), who)
		return err
	}), scangate.ErrPhoneTaken)
	u.stored(u.byPhone(nil, ann().Phone))
}

func raceUnlink(u *users) {
	a := u.register(nil, ann())
	for range 5 {
		who := []scangate.Identity{ann().Identity, elsewhere(ann().Identity)}
		u.link(nil, a.ID, who[0])
		u.link(nil, a.ID, who[1])
		u.allWin(race(u.crowd, func(i int) error { return u.store.UnlinkWeChat(u.Context(), a.ID, who[i%2]) }))
		u.byWeChat(scangate.ErrNotFound, who[0])
	}
	again := bob()
	again.Identity.UnionID = ann().Identity.UnionID
	u.register(nil, again)
}

func raceEndSessions(u *users) {
	a := u.register(nil, ann())
	u.allWin(race(u.crowd, func(i int) error {
		return u.store.EndSessions(u.Context(), a.ID, sessionsEndedAt().Add(time.Duration(i*37%u.crowd)*time.Second))
	}))
	a.SessionsEndedAt = sessionsEndedAt().Add(time.Duration(u.crowd-1) * time.Second)
	u.stored(a)
}
