package scangate_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/scangate/scangate"
)

// damageSessionsEndedAt sets the field sessions_ended_at of a user by hand.
func damageSessionsEndedAt(t *testing.T, addr, id, value string) {
	t.Helper()
	conn := redisPool(t, addr).Get()
	defer func() { _ = conn.Close() }()
	if _, err := conn.Do("HSET", "{scangate}:user:"+id, "sessions_ended_at", value); err != nil {
		t.Fatalf("HSET sessions_ended_at %q: %v", value, err)
	}
}

// damagedTimes are values of sessions_ended_at that are not microseconds since 1970.
var damagedTimes = []string{"", "yesterday", "1.5", "1700000000000000x", "99999999999999999999", "2024-01-01T00:00:00Z"}

// TestRedisDamagedSessionsEndedAt reads users whose times are damaged. Each read fails:
// a zero time would revive the sessions that were ended.
func TestRedisDamagedSessionsEndedAt(t *testing.T) {
	redisServers(t, func(t *testing.T, server func(*testing.T) string) {
		addr := server(t)
		store := newRedisStore(t, addr, "")
		who := scangate.NewUser{Identity: scangate.Identity{AppID: "app", OpenID: "o", UnionID: "u"}, Phone: mobile}
		user, err := store.Register(t.Context(), who)
		if err != nil {
			t.Fatalf("Register: %v, want no error", err)
		}
		find := map[string]func() (scangate.User, error){
			"FindByID":     func() (scangate.User, error) { return store.FindByID(t.Context(), user.ID) },
			"FindByWeChat": func() (scangate.User, error) { return store.FindByWeChat(t.Context(), who.Identity) },
			"FindByPhone":  func() (scangate.User, error) { return store.FindByPhone(t.Context(), mobile) },
		}
		for _, value := range damagedTimes {
			damageSessionsEndedAt(t, addr, user.ID, value)
			for method, call := range find {
				if got, err := call(); !isFailure(err) || got.ID != "" {
					t.Errorf("%s with sessions_ended_at %q: user %q, %v, want a failure", method, value, got.ID, err)
				}
			}
		}
		damageSessionsEndedAt(t, addr, user.ID, "1700000000123456")
		want := time.UnixMicro(1_700_000_000_123_456)
		for method, call := range find {
			if got, err := call(); err != nil || !got.SessionsEndedAt.Equal(want) {
				t.Errorf("%s after the repair: sessions ended at %v, %v, want %v", method, got.SessionsEndedAt, err, want)
			}
		}
	})
}

// TestGateOnDamagedSessionsEndedAt opens pages as a user whose record is damaged. The
// gate answers 503 and keeps the session.
func TestGateOnDamagedSessionsEndedAt(t *testing.T) {
	addr := miniredis.RunT(t).Addr()
	w := newWorld(t, onRedis(t, addr))
	phone := w.phone("lin")
	phone.open("/account")
	id := phone.user()
	damageSessionsEndedAt(t, addr, id, "yesterday")
	a := phone.get("/account")
	if a.StatusCode != http.StatusServiceUnavailable || sessionCookie(a) != nil {
		t.Errorf("GET /account: status = %d, session cookie %v, want %d and none", a.StatusCode, sessionCookie(a), http.StatusServiceUnavailable)
	}
	second := w.phone("lin")
	if a := second.open("/account"); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("login: status = %d, want %d", a.StatusCode, http.StatusServiceUnavailable)
	}
	damageSessionsEndedAt(t, addr, id, "0")
	if got := phone.user(); got != id {
		t.Errorf("GET /account after the repair: user %q, want %q", got, id)
	}
}
