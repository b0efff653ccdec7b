package redistest

import (
	"crypto/rand"
	"testing"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/storetest"
)

func testStoreDelete(t *testing.T, b Backend) {
	Servers(t, b, func(t *testing.T, addr func(*testing.T) string) {
		storetest.Delete(t, func(t *testing.T) storetest.UserDeleter {
			return b.New(t, Options{Addr: addr(t), Prefix: rand.Text(), Limit: Patience})
		})
	})
}

// testDeleteLeavesNothing deletes a user with two identities, a UnionID and a number. An
// AppID with a colon must not confuse the names of the keys.
func testDeleteLeavesNothing(t *testing.T, b Backend) {
	server := Start(t)
	store := b.New(t, Options{Addr: server.Addr})
	ctx := t.Context()
	user, err := store.Register(ctx, scangate.NewUser{Identity: scangate.Identity{AppID: "a:b", OpenID: "c", UnionID: "u"}, Phone: "+8613800138000"})
	if err != nil {
		t.Fatalf("Register: %v, want no error", err)
	}
	if err := store.LinkWeChat(ctx, user.ID, scangate.Identity{AppID: "a", OpenID: "b:c", UnionID: "u"}); err != nil {
		t.Fatalf("LinkWeChat: %v, want no error", err)
	}
	if err := store.Delete(ctx, user.ID); err != nil {
		t.Errorf("Delete: %v, want no error", err)
	}
	if keys, err := redis.Strings(server.Do("KEYS", "*"), nil); err != nil || len(keys) != 0 {
		t.Errorf("keys after Delete = %q, %v, want none", keys, err)
	}
}
