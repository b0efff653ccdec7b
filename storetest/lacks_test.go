package storetest

import (
	"context"
	"errors"
	"testing"

	"github.com/scangate/scangate"
)

// bareUsers is a correct store that keeps identities only.
type bareUsers struct {
	*scangate.MemoryStore
	scangate.NoPhones
}

func (bareUsers) FindByPhone(ctx context.Context, phone string) (scangate.User, error) {
	return scangate.NoPhones{}.FindByPhone(ctx, phone)
}

func (bareUsers) BindPhone(ctx context.Context, id, phone string) error {
	return scangate.NoPhones{}.BindPhone(ctx, id, phone)
}

func (s bareUsers) Register(ctx context.Context, newUser scangate.NewUser) (scangate.User, error) {
	if newUser.Phone != "" {
		return scangate.User{}, errors.New("a gate gives no number to a store without")
	}
	newUser.Nickname, newUser.AvatarURL = "", ""
	return s.MemoryStore.Register(ctx, newUser)
}

func newBareUsers() bareUsers { return bareUsers{MemoryStore: scangate.NewMemoryStore()} }

func TestStoreMayLackWhatItDoesNotNeed(t *testing.T) {
	Users(t, func(*testing.T) scangate.UserStore { return newBareUsers() }, Nicknames, Avatars)
	Delete(t, func(*testing.T) UserDeleter { return newBareUsers() }, Nicknames, Avatars)
}

// TestStoreMayLackOnlyWhatIsSaid: the suite fails a store that loses names, unless its test
// says so, and one that keeps what its test says that it lacks.
func TestStoreMayLackOnlyWhatIsSaid(t *testing.T) {
	forgetful := func() scangate.UserStore {
		good := scangate.NewMemoryStore()
		return &faultyUsers{UserStore: good, register: func(ctx context.Context, newUser scangate.NewUser) (scangate.User, error) {
			newUser.Nickname = ""
			return good.Register(ctx, newUser)
		}}
	}
	wantFailures(t, userFailures(t, forgetful), []string{"register/user", "text/names"})
	u := &userProbe{store: scangate.NewMemoryStore(), lacks: lacksOf(scangate.NewMemoryStore(), []Part{Avatars})}
	if got := report(t, func(tb tb) { u.probe = probe{tb, "a user", fewRacers}; registerUser(u) }); got == "" {
		t.Error("a store that keeps pictures, of which its test says that it lacks them: no failure, want one")
	}
}
