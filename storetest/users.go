package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/scangate/scangate"
)

// The accounts at which the people of the cases are known.
const (
	website  = "wx00000000000000a1"
	official = "wx00000000000000b2"
)

// Users tests a [scangate.UserStore]. It calls newStore once for each case; each
// store has to be empty, and no two of them may share their users.
func Users(t *testing.T, newStore func(t *testing.T) scangate.UserStore) {
	t.Helper()
	for _, c := range userCases() {
		t.Run(c.name, func(t *testing.T) {
			c.check(&users{probe{t, c.rule, crowd}, newStore(t)})
		})
	}
}

// userCase is one rule of the contract and what tests it.
type userCase struct {
	name  string
	rule  string
	check func(*users)
}

func userCases() []userCase {
	return slices.Concat(
		registerCases(), findCases(), linkCases(), unlinkCases(), phoneCases(),
		signOutCases(), textCases(), callCases(), userRaceCases(),
	)
}

// users is a store under test. Each of its methods calls that of the store and
// demands the outcome that its first argument says.
type users struct {
	probe
	store scangate.UserStore
}

func (u *users) byID(want error, id string) scangate.User {
	u.Helper()
	got, err := u.store.FindByID(u.Context(), id)
	u.is("FindByID", err, want)
	return got
}

func (u *users) byWeChat(want error, who scangate.Identity) scangate.User {
	u.Helper()
	got, err := u.store.FindByWeChat(u.Context(), who)
	u.is("FindByWeChat", err, want)
	return got
}

func (u *users) byPhone(want error, phone string) scangate.User {
	u.Helper()
	got, err := u.store.FindByPhone(u.Context(), phone)
	u.is("FindByPhone", err, want)
	return got
}

func (u *users) register(want error, who scangate.NewUser) scangate.User {
	u.Helper()
	got, err := u.store.Register(u.Context(), who)
	u.is("Register", err, want)
	return got
}

func (u *users) link(want error, id string, who scangate.Identity) {
	u.Helper()
	u.is("LinkWeChat", u.store.LinkWeChat(u.Context(), id, who), want)
}

func (u *users) unlink(want error, id string, who scangate.Identity) {
	u.Helper()
	u.is("UnlinkWeChat", u.store.UnlinkWeChat(u.Context(), id, who), want)
}

func (u *users) bind(want error, id, phone string) {
	u.Helper()
	u.is("BindPhone", u.store.BindPhone(u.Context(), id, phone), want)
}

func (u *users) endSessions(want error, id string, before time.Time) {
	u.Helper()
	u.is("EndSessions", u.store.EndSessions(u.Context(), id, before), want)
}

// same demands that got is want, their identities in any order.
func (u *users) same(got, want scangate.User) {
	u.Helper()
	if !slices.Equal(ordered(got.Identities), ordered(want.Identities)) {
		u.broken("the user's identities are %q, want %q", got.Identities, want.Identities)
	}
	u.alike(got, want)
}

// alike is same but for the identities.
func (u *users) alike(got, want scangate.User) {
	u.Helper()
	if off := got.SessionsEndedAt.Sub(want.SessionsEndedAt).Abs(); off >= time.Microsecond {
		u.broken("SessionsEndedAt is %v, want %v", got.SessionsEndedAt, want.SessionsEndedAt)
	}
	if g, w := portrait(got), portrait(want); g != w {
		u.broken("the user is %s, want %s", g, w)
	}
}

// portrait is what two users that are the same have in common as text.
func portrait(u scangate.User) string {
	return fmt.Sprintf("{ID:%q Nickname:%q AvatarURL:%q Phone:%q Disabled:%t}", u.ID, u.Nickname, u.AvatarURL, u.Phone, u.Disabled)
}

// stored demands that every look-up returns the user as want, which has one
// identity at least.
func (u *users) stored(want scangate.User) {
	u.Helper()
	got := u.byID(nil, want.ID)
	u.alike(got, want)
	if len(got.Identities) > 0 { // may be left out
		u.same(got, want)
	}
	for _, who := range want.Identities {
		u.same(u.byWeChat(nil, who), want)
	}
	if want.Phone != "" {
		u.same(u.byPhone(nil, want.Phone), want)
	}
}

func ordered(identities []scangate.Identity) []scangate.Identity {
	return slices.SortedFunc(slices.Values(identities), func(a, b scangate.Identity) int {
		return cmp.Or(cmp.Compare(a.AppID, b.AppID), cmp.Compare(a.OpenID, b.OpenID), cmp.Compare(a.UnionID, b.UnionID))
	})
}

// ann is somebody of whom everything is known.
func ann() scangate.NewUser {
	return scangate.NewUser{
		Identity:  scangate.Identity{AppID: website, OpenID: "o-Ann-at-the-website", UnionID: "u-Ann-everywhere"},
		Phone:     "+8613800138001",
		Nickname:  "Ann",
		AvatarURL: "https://thirdwx.qlogo.cn/mmopen/ann/132",
	}
}

// bob is somebody else, of whom as much is known.
func bob() scangate.NewUser {
	return scangate.NewUser{
		Identity:  scangate.Identity{AppID: website, OpenID: "o-Bob-at-the-website", UnionID: "u-Bob-everywhere"},
		Phone:     "+8613800138002",
		Nickname:  "Bob",
		AvatarURL: "https://thirdwx.qlogo.cn/mmopen/bob/132",
	}
}

// stranger is the i-th of many people of whom only the openid is known.
func stranger(i int) scangate.NewUser {
	return scangate.NewUser{Identity: scangate.Identity{AppID: website, OpenID: fmt.Sprintf("o-stranger-%03d", i)}}
}

// bare is who without the unionid.
func bare(who scangate.Identity) scangate.Identity {
	who.UnionID = ""
	return who
}

// elsewhere is the same person at the other account.
func elsewhere(who scangate.Identity) scangate.Identity {
	return scangate.Identity{AppID: official, OpenID: who.OpenID + "-elsewhere", UnionID: who.UnionID}
}
