package storetest

import (
	"context"
	"errors"
	"testing"

	"github.com/scangate/scangate"
)

// UserDeleter is a [scangate.UserStore] that can delete users.
type UserDeleter interface {
	scangate.UserStore

	// Delete deletes the user and frees their identities and their phone number. From
	// then on no method finds the user, so that their sessions are over. It returns
	// ErrNotFound if there is no such user. If it runs at the same time as another call
	// for the user, the result is that of some order of the two.
	Delete(ctx context.Context, id string) error
}

// Delete tests the method Delete of a store. It calls newStore once per case. Each store
// must be empty, and must not share users with another. [Users] tests the other methods.
func Delete(t *testing.T, newStore func(t *testing.T) UserDeleter, lacking ...Part) {
	t.Helper()
	for _, c := range deleteCases() {
		t.Run(c.name, func(t *testing.T) {
			store := newStore(t)
			c.check(&userProbe{probe{t, c.rule, racers}, store, lacksOf(store, lacking)})
		})
	}
}

// deleteCases returns all cases of [Delete]. Their stores are of type UserDeleter.
func deleteCases() []userCase {
	return []userCase{
		{"delete/gone", "no method finds a deleted user", deleteGone},
		{"delete/frees", "the identity and the phone number of a deleted user can be registered again", deleteFrees},
		{"delete/frees all", "all identities of a deleted user are free, and so are their UnionIDs", deleteFreesAll},
		{"delete/binds", "other users can get the identity and the phone number of a deleted user", deleteBinds},
		{"delete/others", "Delete changes no other user", deleteOthers},
		{"delete/unknown", "Delete returns ErrNotFound if the user does not exist", deleteUnknown},
		{"delete/changes", "a method that changes a deleted user returns ErrNotFound", deleteChanges},
		{"delete/context", "a Delete whose context has ended returns an error that matches ctx.Err() and changes nothing", deleteContext},
		{"race/delete", "of any number of concurrent calls that delete a user, one succeeds and the others return ErrNotFound", raceDelete},
		{"race/delete and link", "an identity that is linked while its user is deleted is free afterwards", raceDeleteAndLink},
	}
}

func (u *userProbe) delete(wantErr error, id string) {
	u.Helper()
	u.wantError("Delete", u.deleteUser(u.Context(), id), wantErr)
}

// deleteUser calls the store's Delete.
func (u *userProbe) deleteUser(ctx context.Context, id string) error {
	store, ok := u.store.(UserDeleter)
	if !ok {
		return errors.New("the store has no Delete")
	}
	return store.Delete(ctx, id)
}

// wantGone ends the case if a look-up finds the user.
func (u *userProbe) wantGone(user scangate.User) {
	u.Helper()
	u.byID(scangate.ErrNotFound, user.ID)
	for _, identity := range user.Identities {
		u.byWeChat(scangate.ErrNotFound, identity)
	}
	u.byPhone(scangate.ErrNotFound, user.Phone)
}

func deleteGone(u *userProbe) {
	ann := u.register(nil, newAnn())
	u.delete(nil, ann.ID)
	u.wantGone(ann)
}

func deleteFrees(u *userProbe) {
	ann := u.register(nil, newAnn())
	u.delete(nil, ann.ID)
	again := u.register(nil, newAnn())
	if again.ID == ann.ID {
		u.broken("Register gave the ID %q of the deleted user, want another", again.ID)
	}
	u.wantStored(again)
	u.byID(scangate.ErrNotFound, ann.ID)
}

func deleteFreesAll(u *userProbe) {
	ann := u.register(nil, newAnn())
	second := atOfficial(newAnn().Identity)
	third := scangate.Identity{AppID: "wx-third", OpenID: "o-Ann-third", UnionID: "u-Ann-third"}
	u.link(nil, ann.ID, second)
	u.link(nil, ann.ID, third)
	u.delete(nil, ann.ID)
	for i, identity := range []scangate.Identity{newAnn().Identity, second, third} {
		other := newStranger(i)
		// Without the UnionID, because the first two share it.
		other.Identity = withoutUnionID(identity)
		u.wantStored(u.register(nil, other))
	}
	for i, unionID := range []string{newAnn().Identity.UnionID, third.UnionID} {
		other := newStranger(10 + i)
		other.Identity.UnionID = unionID
		u.wantStored(u.register(nil, other))
	}
}

func deleteBinds(u *userProbe) {
	ann := u.register(nil, newAnn())
	other := u.register(nil, newStranger(1))
	u.delete(nil, ann.ID)
	u.bind(nil, other.ID, ann.Phone)
	u.link(nil, other.ID, atOfficial(newAnn().Identity))
	other.Phone = ann.Phone
	other.Identities = append(other.Identities, atOfficial(newAnn().Identity))
	u.wantStored(other)
}

func deleteOthers(u *userProbe) {
	ann := u.register(nil, newAnn())
	bob := u.register(nil, newBob())
	stranger := u.register(nil, newStranger(1))
	u.endSessions(nil, bob.ID, sessionsEndedAt())
	bob.SessionsEndedAt = sessionsEndedAt()
	u.delete(nil, ann.ID)
	u.wantStored(bob)
	u.wantStored(stranger)
}

func deleteUnknown(u *userProbe) {
	ann := u.register(nil, newAnn())
	for _, id := range []string{"", "nobody", ann.ID + "x", ann.ID + " "} {
		u.delete(scangate.ErrNotFound, id)
	}
	u.wantStored(ann)
	u.delete(nil, ann.ID)
	u.delete(scangate.ErrNotFound, ann.ID)
}

func deleteChanges(u *userProbe) {
	ann := u.register(nil, newAnn())
	u.delete(nil, ann.ID)
	u.link(scangate.ErrNotFound, ann.ID, newAnn().Identity)
	u.unlink(scangate.ErrNotFound, ann.ID, newAnn().Identity)
	if !u.lacks.phones {
		u.bind(scangate.ErrNotFound, ann.ID, ann.Phone)
	}
	u.endSessions(scangate.ErrNotFound, ann.ID, sessionsEndedAt())
	// None of these calls has made the user again.
	u.wantGone(ann)
}

func deleteContext(u *userProbe) {
	ann := u.register(nil, newAnn())
	ctx, cancel := context.WithCancel(u.Context())
	cancel()
	u.wantError("Delete", u.deleteUser(ctx, ann.ID), context.Canceled)
	u.wantStored(ann)
}

func raceDelete(u *userProbe) {
	ann := u.register(nil, newAnn())
	u.wantOneSuccess(race(u.racers, func(int) error { return u.deleteUser(u.Context(), ann.ID) }), scangate.ErrNotFound)
	u.wantGone(ann)
}

func raceDeleteAndLink(u *userProbe) {
	ids := u.registerStrangers()
	// The first half deletes a user each, and the second half links to these users.
	half := u.racers / 2
	errs := race(2*half, func(i int) error {
		if i < half {
			return u.deleteUser(u.Context(), ids[i])
		}
		return u.store.LinkWeChat(u.Context(), ids[i-half], atOfficial(newStranger(i-half).Identity))
	})
	u.wantAllSucceed(errs[:half])
	for i, err := range errs[half:] {
		if err != nil {
			u.wantError("LinkWeChat", err, scangate.ErrNotFound)
		}
		u.wantStored(u.register(nil, scangate.NewUser{Identity: atOfficial(newStranger(i).Identity)}))
	}
}
