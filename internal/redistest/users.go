package redistest

import (
	"testing"
	"time"

	"github.com/scangate/scangate"
)

// DamageSessionsEndedAt sets the field sessions_ended_at of a user by hand.
func DamageSessionsEndedAt(t *testing.T, addr, id, value string) {
	t.Helper()
	if _, err := sendTo(addr, "HSET", "{scangate}:user:"+id, "sessions_ended_at", value); err != nil {
		t.Fatalf("HSET sessions_ended_at %q: %v", value, err)
	}
}

// damagedTimes are values of sessions_ended_at that are not microseconds since 1970.
var damagedTimes = []string{"", "yesterday", "1.5", "1700000000000000x", "99999999999999999999", "2024-01-01T00:00:00Z"}

// testDamagedSessionsEndedAt reads users whose times are damaged. Each read fails:
// a zero time would revive the sessions that were ended.
func testDamagedSessionsEndedAt(t *testing.T, b Backend) {
	Servers(t, b, func(t *testing.T, server func(*testing.T) string) {
		addr := server(t)
		store := b.New(t, Options{Addr: addr})
		const number = "+8613800138000"
		who := scangate.NewUser{Identity: scangate.Identity{AppID: "app", OpenID: "o", UnionID: "u"}, Phone: number}
		user, err := store.Register(t.Context(), who)
		if err != nil {
			t.Fatalf("Register: %v, want no error", err)
		}
		find := map[string]func() (scangate.User, error){
			"FindByID":     func() (scangate.User, error) { return store.FindByID(t.Context(), user.ID) },
			"FindByWeChat": func() (scangate.User, error) { return store.FindByWeChat(t.Context(), who.Identity) },
			"FindByPhone":  func() (scangate.User, error) { return store.FindByPhone(t.Context(), number) },
		}
		for _, value := range damagedTimes {
			DamageSessionsEndedAt(t, addr, user.ID, value)
			for method, call := range find {
				if got, err := call(); !IsFailure(err) || got.ID != "" {
					t.Errorf("%s with sessions_ended_at %q: user %q, %v, want a failure", method, value, got.ID, err)
				}
			}
		}
		DamageSessionsEndedAt(t, addr, user.ID, "1700000000123456")
		want := time.UnixMicro(1_700_000_000_123_456)
		for method, call := range find {
			if got, err := call(); err != nil || !got.SessionsEndedAt.Equal(want) {
				t.Errorf("%s after the repair: sessions ended at %v, %v, want %v", method, got.SessionsEndedAt, err, want)
			}
		}
	})
}
