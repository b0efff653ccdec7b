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
	Users(t, func(*testing.T) scangate.UserStore { return newBareUsers() })
	Delete(t, func(*testing.T) UserDeleter { return newBareUsers() })
}

// TestStoreMayNotLackSometimes: a store that keeps names keeps those of all users.
func TestStoreMayNotLackSometimes(t *testing.T) {
	if got := lacksOf(t, newBareUsers()); got != (lacks{true, true, true}) {
		t.Errorf("a store of identities lacks %+v, want all", got)
	}
	if got := lacksOf(t, scangate.NewMemoryStore()); got != (lacks{}) {
		t.Errorf("a MemoryStore lacks %+v, want nothing", got)
	}
	kept := func() scangate.UserStore {
		good := scangate.NewMemoryStore()
		return &faultyUsers{UserStore: good, register: func(ctx context.Context, newUser scangate.NewUser) (scangate.User, error) {
			if newUser.Nickname != newAnn().Nickname {
				newUser.Nickname = ""
			}
			return good.Register(ctx, newUser)
		}}
	}
	wantFailures(t, userFailures(t, kept), []string{"text/names"})
}
