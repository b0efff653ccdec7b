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

// Behind a proxy, read the header that this proxy sets, and no other: what a
// client sends may say anything.
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

// Logins, sessions and, unless Users is set, users in Redis: any number of
// processes are one.
func ExampleConfig_redis() {
	pool := &redis.Pool{
		DialContext: func(ctx context.Context) (redis.Conn, error) {
			return redis.DialContext(ctx, "tcp", "10.0.0.1:6379", redis.DialConnectTimeout(2*time.Second),
				redis.DialReadTimeout(2*time.Second), redis.DialWriteTimeout(2*time.Second))
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

// The application's own session manager, which other parts of it use as well.
func ExampleConfig_sessions() {
	sessions := scs.New()
	sessions.Lifetime = 30 * 24 * time.Hour
	sessions.Cookie.Secure = true
	sessions.Codec = scscodec.Codec{} // several times as fast, and reads what was there
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
		sessions.Put(r.Context(), "items", sessions.GetInt(r.Context(), "items")+1) // RequireWeChat saves it
	})))
	// Output:
}

// A phone number from everybody. SendCode calls a provider of text messages.
func ExampleConfig_sendCode() {
	var provider interface {
		Send(ctx context.Context, to, text string) error
	}
	gate, err := scangate.New(scangate.Config{ // asks everybody for a number
		PublicURL:       "https://app.example.com",
		OfficialAccount: account,
		Phone: scangate.Phone{Require: true, SendCode: func(ctx context.Context, phone, code string) error {
			return provider.Send(ctx, phone, code+" is your code for Example. It is good for 5 minutes.")
		}},
	})
	fmt.Println(gate != nil, err)
	// Output: true <nil>
}

// Accounts with a password of their own add a WeChat at /wechat/link.
func ExampleConfig_currentUser() {
	sessions := scs.New()
	sessions.Cookie.Secure = true
	_, err := scangate.New(scangate.Config{
		PublicURL:       "https://app.example.com",
		OfficialAccount: account,
		Registration:    scangate.RegisterClosed, // nobody new comes by WeChat
		Session:         scangate.Session{Manager: sessions},
		CurrentUser: func(r *http.Request) (id string, ok bool) {
			ctx, err := sessions.Load(r.Context(), cookieValue(r, sessions.Cookie.Name))
			if err != nil {
				return "", false
			}
			id = sessions.GetString(ctx, "member") // what the application's own login put there
			return id, id != ""
		},
	})
	fmt.Println(err)
	// Output: <nil>
}

// cookieValue is a cookie's, or empty.
func cookieValue(r *http.Request, name string) string {
	cookie, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// Strangers are sent to a page of the application's own; see Gate.Pending.
func ExampleConfig_registerURL() {
	_, err := scangate.New(scangate.Config{
		PublicURL:       "https://app.example.com",
		OfficialAccount: account,
		Registration:    scangate.RegisterClosed,
		RegisterURL:     "/join",
	})
	fmt.Println(err)
	// Output: <nil>
}

// OnLogin has the last word, and is where WeChat's token is at hand.
func ExampleConfig_onLogin() {
	_, err := scangate.New(scangate.Config{
		PublicURL:       "https://app.example.com",
		OfficialAccount: account,
		OnLogin: func(_ context.Context, login scangate.Login) error {
			if login.User.Phone == "" && time.Now().Weekday() == time.Sunday {
				return errors.New("on Sundays only people with a number get in")
			}
			return nil // login.Token goes on to WeChat's API, by wechat.Client
		},
	})
	fmt.Println(err)
	// Output: <nil>
}

// An audit trail, and a count of what is refused.
func ExampleConfig_onEvent() {
	refused := new(expvar.Map) // events come from many requests at once
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

// A template gets a PageData, and its texts in the page's language from T.
func ExamplePageData() {
	pages := template.Must(template.New("").Parse(`{{define "message.html"}}{{.Name}}: {{.T ".heading"}} ({{.Lang}}, {{.App}}){{end}}`))
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

// The file by which WeChat checks that the host of PublicURL is the account's.
func Example_verifyFile() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /MP_verify_0123456789abcdef.txt", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "0123456789abcdef") // what the file holds
	})
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/MP_verify_0123456789abcdef.txt", nil))
	fmt.Println(answer.Body)
	// Output: 0123456789abcdef
}
