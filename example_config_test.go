package scangate_test

import (
	"context"
	"errors"
	"expvar"
	"fmt"
	"html/template"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/scscodec"
)

// Behind a proxy, read only the header that the proxy sets. A client can send any other
// header with any value.
func ExampleConfig_clientIP() {
	config := scangate.Config{
		PublicURL:       "https://app.example.com",
		OfficialAccount: account,
		ClientIP: func(r *http.Request) netip.Addr {
			address, _ := netip.ParseAddr(r.Header.Get("X-Real-IP"))
			return address
		},
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Real-IP", "203.0.113.9")
	fmt.Println(config.ClientIP(r))
	// Output: 203.0.113.9
}

// Redis stores logins, sessions and, unless Users is set, users. Any number of processes
// can share it.
func ExampleConfig_redis() {
	pool := &redis.Pool{
		DialContext: func(ctx context.Context) (redis.Conn, error) {
			return redis.DialContext(ctx, "tcp", "10.0.0.1:6379", redis.DialConnectTimeout(2*time.Second),
				redis.DialReadTimeout(2*time.Second), redis.DialWriteTimeout(2*time.Second))
		},
		TestOnBorrow: func(conn redis.Conn, lastUsed time.Time) error {
			if time.Since(lastUsed) < time.Second {
				return nil
			}
			_, err := conn.Do("PING") // finds connections that a restart of Redis has cut
			return err
		},
		MaxIdle:     64,
		MaxActive:   256,
		IdleTimeout: 5 * time.Minute,
	}
	gate, err := scangate.New(scangate.Config{Redis: pool, PublicURL: "https://app.example.com", OfficialAccount: account})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _, _ = gate.Close(), pool.Close() }()
	// Output:
}

// The gate and the rest of the application share one session manager.
func ExampleConfig_sessions() {
	sessions := scs.New()
	sessions.Lifetime = 30 * 24 * time.Hour
	sessions.Cookie.Secure = true
	sessions.Codec = scscodec.Codec{} // several times as fast as gob; reads existing sessions too
	gate, err := scangate.New(scangate.Config{
		PublicURL:       "https://app.example.com",
		OfficialAccount: account,
		Session:         scangate.Session{Manager: sessions},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/wechat/", gate)
	mux.Handle("/cart", gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sessions.Put(r.Context(), "items", sessions.GetInt(r.Context(), "items")+1) // RequireWeChat saves the session
	})))
	// Output:
}

// Every user must prove a phone number. SendCode calls a provider of text messages.
func ExampleConfig_sendCode() {
	var provider interface {
		Send(ctx context.Context, to, text string) error
	}
	gate, err := scangate.New(scangate.Config{ // requires a phone number from every user
		PublicURL:       "https://app.example.com",
		OfficialAccount: account,
		Phone: scangate.Phone{Require: true, SendCode: func(ctx context.Context, phone, code string) error {
			return provider.Send(ctx, phone, code+" is your code for Example. It is good for 5 minutes.")
		}},
	})
	fmt.Println(gate != nil, err)
	// Output: true <nil>
}

// The application has accounts with passwords. Their users add a WeChat at /wechat/link.
func ExampleConfig_currentUser() {
	sessions := scs.New()
	sessions.Cookie.Secure = true
	_, err := scangate.New(scangate.Config{
		PublicURL:       "https://app.example.com",
		OfficialAccount: account,
		Registration:    scangate.Registration{Mode: scangate.RegisterClosed}, // a login by WeChat creates no user
		Session:         scangate.Session{Manager: sessions},
		CurrentUser: func(r *http.Request) (id string, ok bool) {
			ctx, err := sessions.Load(r.Context(), cookieValue(r, sessions.Cookie.Name))
			if err != nil {
				return "", false
			}
			id = sessions.GetString(ctx, "member") // set by the application's own login
			return id, id != ""
		},
	})
	fmt.Println(err)
	// Output: <nil>
}

// cookieValue returns the value of a cookie, or "" if the request does not have it.
func cookieValue(r *http.Request, name string) string {
	cookie, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// The gate redirects a person without a user to a page of the application. See Gate.Pending.
func ExampleRegistration() {
	_, err := scangate.New(scangate.Config{
		PublicURL:       "https://app.example.com",
		OfficialAccount: account,
		Registration:    scangate.Registration{Mode: scangate.RegisterClosed, URL: "/join"},
	})
	fmt.Println(err)
	// Output: <nil>
}

// WeChat redirects to a relay on the host that is registered there. See Relay.
func ExampleWeChat() {
	_, err := scangate.New(scangate.Config{
		PublicURL:       "https://shop.example.com",
		OfficialAccount: account,
		WeChat: scangate.WeChat{
			HTTPClient:  &http.Client{Timeout: 3 * time.Second}, // for one call with its retries
			CallbackURL: "https://login.example.com/relay/shop",
		},
	})
	fmt.Println(err)
	// Output: <nil>
}

// OnLogin can refuse a login, and receives WeChat's token.
func ExampleConfig_onLogin() {
	_, err := scangate.New(scangate.Config{
		PublicURL:       "https://app.example.com",
		OfficialAccount: account,
		OnLogin: func(_ context.Context, login scangate.Login) error {
			if login.User.Phone == "" && time.Now().Weekday() == time.Sunday {
				return errors.New("on Sundays only users with a phone number can log in")
			}
			return nil // wechat.Client can use login.Token for other calls
		},
	})
	fmt.Println(err)
	// Output: <nil>
}

// OnEvent logs an audit trail and counts refusals by reason.
func ExampleConfig_onEvent() {
	refused := new(expvar.Map) // requests emit events concurrently
	audit := func(ctx context.Context, e scangate.Event) {
		slog.InfoContext(ctx, "login: "+string(e.Name), "login", e.Login, "user", e.UserID, "reason", e.Reason, "address", e.Address)
		if e.Name == scangate.EventRefused {
			refused.Add(e.Reason, 1)
		}
	}
	gate, err := scangate.New(scangate.Config{PublicURL: "https://app.example.com", OfficialAccount: account, OnEvent: audit})
	if err != nil {
		log.Fatal(err)
	}
	gate.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/wechat/scan/nonsense", nil))
	fmt.Println(refused)
	// Output: {"unknown": 1}
}

// A template gets a PageData. Its method T returns texts in the page's language.
func ExamplePageData() {
	pages := template.Must(template.New("").Parse(`{{define "message.html"}}{{.Name}}: {{.T ".heading"}} ({{.Lang}}, {{.App}}){{with .NextURL}}<a href="{{.}}">{{$.T ".again"}}</a>{{end}}{{end}}`))
	gate, err := scangate.New(scangate.Config{
		PublicURL: "https://app.example.com", OfficialAccount: account, AppName: "Example", Pages: scangate.Pages{Languages: []string{"en"}, Templates: pages},
	})
	if err != nil {
		log.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/wechat/scan/nonsense", nil)
	r.Header.Set("Accept", "text/html")
	answer := httptest.NewRecorder()
	gate.ServeHTTP(answer, r)
	fmt.Println(answer.Body)
	// Output: error.unknown: No such login (en, Example)
}

// WeChat requests this file to check that the host of PublicURL belongs to the account.
func Example_verifyFile() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /MP_verify_0123456789abcdef.txt", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "0123456789abcdef") // the content of the file
	})
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/MP_verify_0123456789abcdef.txt", nil))
	fmt.Println(answer.Body)
	// Output: 0123456789abcdef
}
