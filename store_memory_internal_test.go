package scangate

import (
	"errors"
	"strconv"
	"testing"
)

// TestMemoryStoreFullOfUsers takes the places of users without registering them,
// because a million registrations take 20 seconds.
func TestMemoryStoreFullOfUsers(t *testing.T) {
	t.Parallel()
	store := NewMemoryStore()
	for i := range 1_048_576 - 1 {
		store.users.byID[strconv.Itoa(i)] = nil
	}
	last := NewUser{Identity: Identity{AppID: "app", OpenID: "last"}}
	if _, err := store.Register(t.Context(), last); err != nil {
		t.Errorf("Register of the last user: %v, want no error", err)
	}
	more := NewUser{Identity: Identity{AppID: "app", OpenID: "more"}, Phone: "+8613800138000"}
	if _, err := store.Register(t.Context(), more); !errors.Is(err, ErrFull) {
		t.Errorf("Register in a full store: %v, want %v", err, ErrFull)
	}
	if _, err := store.Register(t.Context(), last); !errors.Is(err, ErrIdentityTaken) {
		t.Errorf("Register of a known identity in a full store: %v, want %v", err, ErrIdentityTaken)
	}
	if _, err := store.FindByWeChat(t.Context(), more.Identity); !errors.Is(err, ErrNotFound) {
		t.Errorf("FindByWeChat of the user without room: %v, want %v", err, ErrNotFound)
	}
	if _, err := store.FindByPhone(t.Context(), more.Phone); !errors.Is(err, ErrNotFound) {
		t.Errorf("FindByPhone of the user without room: %v, want %v", err, ErrNotFound)
	}
}
