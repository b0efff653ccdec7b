package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate"
)

// The AppIDs of the two accounts in the cases.
const (
	website  = "wx00000000000000a1"
	official = "wx00000000000000b2"
)

// A Part is a part of a user that a store need not keep.
type Part string

// The parts that [Users] and [Delete] can leave out. Phone numbers are no Part: a store without
// them embeds [scangate.NoPhones], or has its method KeepsPhones.
const (
	Nicknames Part = "nicknames"
	Avatars   Part = "avatars"
)

// Users tests a [scangate.UserStore]. It calls newStore once per case. Each store must
// be empty, and must not share users with another. The store keeps all parts of a user
// except for those that it lacks.
func Users(t *testing.T, newStore func(t *testing.T) scangate.UserStore, lacking ...Part) {
	t.Helper()
	for _, c := range userCases() {
		t.Run(c.name, func(t *testing.T) {
			store := newStore(t)
			lacks := lacksOf(store, lacking)
			if lacks.phones && needsPhones(c.name) {
				t.Skip("the store keeps no phone numbers")
			}
			c.check(&userProbe{probe{t, c.rule, racers}, store, lacks})
		})
	}
}

// lacks names the parts of a user that a store does not keep.
type lacks struct{ phones, nicknames, avatars bool }

// lacksOf returns what a store lacks, by its own word and by the caller's.
func lacksOf(store scangate.UserStore, lacking []Part) lacks {
	l := lacks{nicknames: slices.Contains(lacking, Nicknames), avatars: slices.Contains(lacking, Avatars)}
	if s, ok := store.(interface{ KeepsPhones() bool }); ok {
		l.phones = !s.KeepsPhones()
	}
	return l
}

// without returns a copy of the new user with these parts empty.
func (l lacks) without(user scangate.NewUser) scangate.NewUser {
	if l.phones {
		user.Phone = ""
	}
	if l.nicknames {
		user.Nickname = ""
	}
	if l.avatars {
		user.AvatarURL = ""
	}
	return user
}

// needsPhones reports whether a case is of phone numbers.
func needsPhones(name string) bool {
	others := []string{"find/identities", "register/both taken", "race/strangers", "race/bind one user", "race/bind and register"}
	return name != "find/empty phone" && strings.Contains(name, "phone") || slices.Contains(others, name)
}

// userCase is a rule of the contract and the function that checks it.
type userCase struct {
	name  string
	rule  string
	check func(*userProbe)
}

// userCases returns all cases of [Users].
func userCases() []userCase {
	return slices.Concat(
		registerCases(), findCases(), linkCases(), unlinkCases(), phoneCases(),
		endSessionsCases(), textCases(), userCallCases(), userRaceCases(),
	)
}

// userProbe is a case with its store. The methods byID to endSessions call the store's
// method and end the case unless its error is wantErr.
type userProbe struct {
	probe
	store scangate.UserStore
	lacks lacks
}

func (u *userProbe) byID(wantErr error, id string) scangate.User {
	u.Helper()
	got, err := u.store.FindByID(u.Context(), id)
	u.wantError("FindByID", err, wantErr)
	return got
}

func (u *userProbe) byWeChat(wantErr error, identity scangate.Identity) scangate.User {
	u.Helper()
	got, err := u.store.FindByWeChat(u.Context(), identity)
	u.wantError("FindByWeChat", err, wantErr)
	return got
}

func (u *userProbe) byPhone(wantErr error, phone string) scangate.User {
	u.Helper()
	got, err := u.store.FindByPhone(u.Context(), phone)
	u.wantError("FindByPhone", err, wantErr)
	return got
}

func (u *userProbe) register(wantErr error, newUser scangate.NewUser) scangate.User {
	u.Helper()
	if u.lacks.phones {
		newUser.Phone = "" // as gates do
	}
	got, err := u.store.Register(u.Context(), newUser)
	u.wantError("Register", err, wantErr)
	return got
}

func (u *userProbe) link(wantErr error, id string, identity scangate.Identity) {
	u.Helper()
	u.wantError("LinkWeChat", u.store.LinkWeChat(u.Context(), id, identity), wantErr)
}

func (u *userProbe) unlink(wantErr error, id string, identity scangate.Identity) {
	u.Helper()
	u.wantError("UnlinkWeChat", u.store.UnlinkWeChat(u.Context(), id, identity), wantErr)
}

func (u *userProbe) bind(wantErr error, id, phone string) {
	u.Helper()
	u.wantError("BindPhone", u.store.BindPhone(u.Context(), id, phone), wantErr)
}

func (u *userProbe) endSessions(wantErr error, id string, before time.Time) {
	u.Helper()
	u.wantError("EndSessions", u.store.EndSessions(u.Context(), id, before), wantErr)
}

// wantUser ends the case unless got equals want. The order of the identities is free.
func (u *userProbe) wantUser(got, want scangate.User) {
	u.Helper()
	if !slices.Equal(sorted(got.Identities), sorted(want.Identities)) {
		u.broken("the user's identities are %q, want %q", got.Identities, want.Identities)
	}
	u.wantFields(got, want)
}

// wantFields ends the case unless got and want are equal except for their identities.
func (u *userProbe) wantFields(got, want scangate.User) {
	u.Helper()
	// The store keeps microseconds and may return another time zone.
	if off := got.SessionsEndedAt.Sub(want.SessionsEndedAt).Abs(); off >= time.Microsecond {
		u.broken("SessionsEndedAt is %v, want %v", got.SessionsEndedAt, want.SessionsEndedAt)
	}
	if g, w := format(got), format(want); g != w {
		u.broken("the user is %s, want %s", g, w)
	}
}

// format returns the fields of user except for SessionsEndedAt and Identities.
func format(user scangate.User) string {
	return fmt.Sprintf("{ID:%q Nickname:%q AvatarURL:%q Phone:%q Disabled:%t}", user.ID, user.Nickname, user.AvatarURL, user.Phone, user.Disabled)
}

// wantStored ends the case unless every look-up returns want.
func (u *userProbe) wantStored(want scangate.User) {
	u.Helper()
	got := u.byID(nil, want.ID)
	u.wantFields(got, want)
	// FindByID may leave the identities out.
	if len(got.Identities) > 0 {
		u.wantUser(got, want)
	}
	for _, identity := range want.Identities {
		u.wantUser(u.byWeChat(nil, identity), want)
	}
	if want.Phone != "" {
		u.wantUser(u.byPhone(nil, want.Phone), want)
	}
}

// sorted returns a sorted copy of identities.
func sorted(identities []scangate.Identity) []scangate.Identity {
	return slices.SortedFunc(slices.Values(identities), func(a, b scangate.Identity) int {
		return cmp.Or(cmp.Compare(a.AppID, b.AppID), cmp.Compare(a.OpenID, b.OpenID), cmp.Compare(a.UnionID, b.UnionID))
	})
}

// newAnn returns a new user with every field set.
func newAnn() scangate.NewUser {
	return scangate.NewUser{
		Identity:  scangate.Identity{AppID: website, OpenID: "o-Ann-at-the-website", UnionID: "u-Ann-everywhere"},
		Phone:     "+8613800138001",
		Nickname:  "Ann",
		AvatarURL: "https://thirdwx.qlogo.cn/mmopen/ann/132",
	}
}

// newBob returns another new user with every field set. No field except for the AppID
// equals Ann's.
func newBob() scangate.NewUser {
	return scangate.NewUser{
		Identity:  scangate.Identity{AppID: website, OpenID: "o-Bob-at-the-website", UnionID: "u-Bob-everywhere"},
		Phone:     "+8613800138002",
		Nickname:  "Bob",
		AvatarURL: "https://thirdwx.qlogo.cn/mmopen/bob/132",
	}
}

// newStranger returns a new user without a UnionID, a phone number and a profile. Its
// OpenID contains i, which is below 1000.
func newStranger(i int) scangate.NewUser {
	return scangate.NewUser{Identity: scangate.Identity{AppID: website, OpenID: fmt.Sprintf("o-stranger-%03d", i)}}
}

// withoutUnionID returns identity without its UnionID.
func withoutUnionID(identity scangate.Identity) scangate.Identity {
	identity.UnionID = ""
	return identity
}

// atOfficial returns the same person's identity at the official account: the OpenID
// differs, the UnionID is the same.
func atOfficial(identity scangate.Identity) scangate.Identity {
	return scangate.Identity{AppID: official, OpenID: identity.OpenID + "-elsewhere", UnionID: identity.UnionID}
}
