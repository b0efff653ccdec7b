package scangate

import (
	"errors"
	"testing"

	"github.com/scangate/scangate/wechat"
)

// No request reaches this check today: the phone step comes after registration,
// which a closed gate refuses. The check keeps a number from linking a WeChat if
// that order ever changes.
func TestClosedRegistrationBindsNoNumber(t *testing.T) {
	store := NewMemoryStore()
	g, err := New(Config{
		PublicURL: "https://app.example.com", AppName: "Example", Users: store, Registration: RegisterClosed,
		OfficialAccount: wechat.Account{AppID: "wx0123456789abcdef", Secret: "0123456789abcdef0123456789abcdef"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	const number = "+8613800138000"
	owner, err := store.Register(t.Context(), NewUser{Identity: Identity{AppID: "elsewhere", OpenID: "a"}, Phone: number})
	if err != nil {
		t.Fatal(err)
	}
	lin := &person{Identity: Identity{AppID: "wx0123456789abcdef", OpenID: "lin"}, Phone: number}
	if id, how, err := g.bindPhone(t.Context(), lin); !errors.Is(err, errNotRegistered) || id != "" {
		t.Errorf("bindPhone: %q, %q, %v, want %v", id, how, err, errNotRegistered)
	}
	if user, err := store.FindByID(t.Context(), owner.ID); err != nil || len(user.Identities) != 1 {
		t.Errorf("identities of the number's owner: %v, %v, want one", user.Identities, err)
	}
}
