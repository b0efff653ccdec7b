package scangate

import (
	"errors"
	"testing"

	"github.com/scangate/scangate/internal/login"
)

// No request reaches this check today: the phone step comes after registration,
// which a closed gate refuses. The check keeps a number from linking a WeChat if
// that order ever changes.
func TestClosedRegistrationBindsNoNumber(t *testing.T) {
	store := NewMemoryStore()
	r := registrar{users: store, mode: RegisterClosed}
	const number = "+8613800138000"
	owner, err := store.Register(t.Context(), NewUser{Identity: Identity{AppID: "elsewhere", OpenID: "a"}, Phone: number})
	if err != nil {
		t.Fatal(err)
	}
	lin := login.Person{Identity: login.Identity{AppID: "wx0123456789abcdef", OpenID: "lin"}, Phone: number}
	if got, err := r.bindPhone(t.Context(), lin); !errors.Is(err, errNotRegistered) || got != (enrollment{}) {
		t.Errorf("bindPhone: %+v, %v, want %v", got, err, errNotRegistered)
	}
	if user, err := store.FindByID(t.Context(), owner.ID); err != nil || len(user.Identities) != 1 {
		t.Errorf("identities of the number's owner: %v, %v, want one", user.Identities, err)
	}
}
