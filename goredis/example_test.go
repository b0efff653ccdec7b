package goredis_test

import (
	"log"
	"net/http"
	"os"

	"github.com/redis/go-redis/v9"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/goredis"
	"github.com/scangate/scangate/wechat"
)

// On one server, or with Sentinels, the store keeps users too.
func ExampleNew() {
	store, err := goredis.New(goredis.Options{
		Redis: redis.UniversalOptions{
			Addrs:    []string{"10.0.0.1:6379"}, // with MasterName: the addresses of Sentinels
			Password: os.Getenv("REDIS_PASSWORD"),
			PoolSize: 100,
		},
		Prefix: "myapp",
	})
	if err != nil {
		log.Fatal(err)
	}
	const publicURL = "https://app.example.com"
	sessions, err := store.SessionManager(publicURL, "")
	if err != nil {
		log.Fatal(err)
	}
	gate, err := scangate.New(scangate.Config{
		PublicURL:       publicURL,
		OfficialAccount: wechat.Account{AppID: "wx0123456789abcdef", Secret: os.Getenv("WECHAT_SECRET")},
		Users:           store,
		State:           store,
		Session:         scangate.Session{Manager: sessions},
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/wechat/", gate)
	// When the application ends, after the last request: gate.Close and store.Close.
}

// users is the application's table, for example of package sqlstore.
var users scangate.UserStore

// On a Cluster the store keeps logins and sessions. Users are in SQL.
func ExampleNew_cluster() {
	store, err := goredis.New(goredis.Options{
		Redis: redis.UniversalOptions{Addrs: []string{"10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.3:6379"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	const publicURL = "https://app.example.com"
	sessions, err := store.SessionManager(publicURL, "")
	if err != nil {
		log.Fatal(err)
	}
	gate, err := scangate.New(scangate.Config{
		PublicURL:       publicURL,
		OfficialAccount: wechat.Account{AppID: "wx0123456789abcdef", Secret: os.Getenv("WECHAT_SECRET")},
		Users:           users,
		State:           store,
		Session:         scangate.Session{Manager: sessions},
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/wechat/", gate)
}
