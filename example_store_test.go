package scangate_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
)

// The methods of a UserStore return these errors. This store keeps its users in memory.
func ExampleUserStore() {
	ctx := context.Background()
	var users scangate.UserStore = scangate.NewMemoryStore()
	lin := scangate.Identity{AppID: "wx0123456789abcdef", OpenID: "o-lin"}

	_, err := users.FindByWeChat(ctx, lin)
	fmt.Println(errors.Is(err, scangate.ErrNotFound)) // not a failure: there is no such user

	user, err := users.Register(ctx, scangate.NewUser{Identity: lin, Phone: "+8613800138000"})
	if err != nil {
		log.Fatal(err)
	}
	_, err = users.Register(ctx, scangate.NewUser{Identity: lin})
	fmt.Println(errors.Is(err, scangate.ErrIdentityTaken))

	found, err := users.FindByPhone(ctx, "+8613800138000")
	fmt.Println(found.ID == user.ID, err)
	// Output:
	// true
	// true
	// true <nil>
}

// EndSessions ends all sessions of a user, such as one whose phone was stolen.
func ExampleUserStore_endSessions() {
	ctx := context.Background()
	users := scangate.NewMemoryStore()
	user, err := users.Register(ctx, scangate.NewUser{Identity: scangate.Identity{AppID: "wx0123456789abcdef", OpenID: "o-lin"}})
	if err != nil {
		log.Fatal(err)
	}
	now := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	fmt.Println(users.EndSessions(ctx, user.ID, now))
	user, err = users.FindByID(ctx, user.ID)
	fmt.Println(user.SessionsEndedAt.Equal(now), err)
	// Output:
	// <nil>
	// true <nil>
}

// Two gates share one store in memory. They have the same users, but separate logins.
func ExampleNewMemoryStore() {
	store := scangate.NewMemoryStore()
	for _, base := range []string{"/wechat", "/staff/wechat"} {
		_, err := scangate.New(scangate.Config{
			PublicURL: "https://app.example.com", BasePath: base, OfficialAccount: account, Users: store, State: store,
		})
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// <nil>
}

// A record changes by compare-and-set. An update with an old version changes nothing.
func ExampleStateStore() {
	ctx := context.Background()
	var state scangate.StateStore = scangate.NewMemoryStore()
	fmt.Println(state.Create(ctx, "key", []byte("waiting"), time.Minute))
	fmt.Println(state.Update(ctx, "key", 1, []byte("scanned"), time.Minute))
	fmt.Println(state.Update(ctx, "key", 1, []byte("denied"), time.Minute))
	value, version, err := state.Wait(ctx, "key", 1) // returns at once: the version is no longer 1
	fmt.Println(string(value), version, err)
	// Output:
	// <nil>
	// <nil>
	// scangate: the record has changed
	// scanned 2 <nil>
}

// An application that has its members' openids registers them as users of the gate. It
// keeps each user's ID beside the member. A second run changes nothing.
func Example_import() {
	type member struct{ openID, name, id string }
	members := []member{{openID: "o-lin", name: "林小北"}, {openID: "o-wang", name: "Wang Wei"}}
	ctx, users := context.Background(), scangate.NewMemoryStore()
	for i, m := range members {
		who := scangate.Identity{AppID: account.AppID, OpenID: m.openID}
		user, err := users.Register(ctx, scangate.NewUser{Identity: who, Nickname: m.name})
		if errors.Is(err, scangate.ErrIdentityTaken) { // by an earlier run
			user, err = users.FindByWeChat(ctx, who)
		}
		if err != nil {
			log.Fatal(err)
		}
		members[i].id = user.ID
	}
	fmt.Println(members[0].id != "", members[0].id != members[1].id)
	// Output: true true
}

// Sessions of an old login stay valid until they end. All other requests must pass the
// gate.
func Example_sideBySide() {
	sessions := scs.New()
	sessions.Cookie.Secure = true
	gate, err := scangate.New(scangate.Config{PublicURL: "https://app.example.com", OfficialAccount: account, Session: scangate.Session{Manager: sessions}})
	if err != nil {
		log.Fatal(err)
	}
	either := func(private http.Handler) http.Handler {
		gated := gate.RequireWeChat(private)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch _, err := gate.Check(r); {
			case err == nil:
				sessions.Remove(r.Context(), "openid") // set by the old login
			case errors.Is(err, scangate.ErrLoginRequired) && sessions.Exists(r.Context(), "openid"):
				private.ServeHTTP(w, r)
				return
			}
			gated.ServeHTTP(w, r)
		})
	}
	mux := http.NewServeMux()
	mux.Handle("/wechat/", gate)
	mux.Handle("/account", sessions.LoadAndSave(either(page)))

	r := httptest.NewRequest(http.MethodGet, "/account", nil)
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, r)
	fmt.Println(answer.Code)

	ctx, err := sessions.Load(context.Background(), "") // the old login started a session
	if err != nil {
		log.Fatal(err)
	}
	sessions.Put(ctx, "openid", "o-lin")
	token, _, err := sessions.Commit(ctx)
	if err != nil {
		log.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: sessions.Cookie.Name, Value: token})
	answer = httptest.NewRecorder()
	mux.ServeHTTP(answer, r)
	fmt.Println(answer.Code)
	// Output:
	// 401
	// 200
}
