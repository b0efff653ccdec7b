package scangate

import (
	"errors"
	"testing"

	"github.com/scangate/scangate/internal/login"
)

// TestClosedRegistrationBindsNoNumber calls bindPhone directly: a closed gate refuses a
// stranger before the phone step, so no request reaches its check. The check keeps a
// number from linking a WeChat if that order ever changes.
func TestClosedRegistrationBindsNoNumber(t *testing.T) {
	store := NewMemoryStore()
	r := registrar{users: store, mode: RegisterClosed}
	const number = "+8613800138000"
	owner, err := store.Register(t.Context(), NewUser{Identity: Identity{AppID: "elsewhere", OpenID: "a"}, Phone: number})
	if err != nil {
		t.Fatalf("Register: %v", err)
	}
	lin := login.Person{Identity: login.Identity{AppID: "wx0123456789abcdef", OpenID: "lin"}, Phone: number}
	if got, err := r.bindPhone(t.Context(), lin); !errors.Is(err, errNotRegistered) || got != (enrollment{}) {
		t.Errorf("bindPhone: got %+v, error = %v, want no enrollment and %v", got, err, errNotRegistered)
	}
	if user, err := store.FindByID(t.Context(), owner.ID); err != nil || len(user.Identities) != 1 {
		t.Errorf("FindByID of the number's owner: identities = %v, error = %v, want one identity", user.Identities, err)
	}
}
