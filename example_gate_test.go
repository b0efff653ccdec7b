package scangate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// account is the application's account at WeChat.
var account = wechat.Account{AppID: "wx0123456789abcdef", Secret: "0123456789abcdef0123456789abcdef"}

// newGate returns the gate of the examples below.
func newGate() *scangate.Gate {
	gate, err := scangate.New(scangate.Config{PublicURL: "https://app.example.com", OfficialAccount: account})
	if err != nil {
		log.Fatal(err)
	}
	return gate
}

// page is a handler behind RequireWeChat. It shows the user's ID.
var page http.HandlerFunc = func(w http.ResponseWriter, r *http.Request) {
	user, _ := scangate.UserFromContext(r.Context())
	fmt.Fprintln(w, "Hello, user", user.ID)
}

// A complete login without a network. A person opens a page of the application in WeChat.
// A simulator plays WeChat and the person. Tests can call LogIn of package wechattest
// instead.
func Example_simulated() {
	simulator := wechattest.New(nil, wechattest.App{Account: account})
	network := func(app http.Handler) http.RoundTripper {
		return wechattest.Transport(map[string]http.Handler{
			"open.weixin.qq.com": simulator, "api.weixin.qq.com": simulator, "app.example.com": app,
		})
	}
	gate, err := scangate.New(scangate.Config{
		PublicURL:       "https://app.example.com",
		OfficialAccount: account,
		WeChat:          scangate.WeChat{HTTPClient: &http.Client{Transport: network(nil)}},
		OnEvent:         func(_ context.Context, e scangate.Event) { fmt.Println(e.Name) },
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/wechat/", gate)
	mux.Handle("/account", gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "Welcome!")
	})))

	phone := simulator.Phone("lin", network(mux), "https://open.weixin.qq.com")
	resp, err := phone.Open(context.Background(), "https://app.example.com/account")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(string(body), err)
	// Output:
	// started
	// identified
	// registered
	// finished
	// Welcome! <nil>
}

// New returns an error that names the field at fault.
func ExampleNew() {
	_, err := scangate.New(scangate.Config{PublicURL: "http://app.example.com", OfficialAccount: account})
	fmt.Println(err)
	_, err = scangate.New(scangate.Config{PublicURL: "https://app.example.com"})
	fmt.Println(err)
	// Output:
	// scangate: Config.PublicURL: "http://app.example.com" is plain http on a host other than this machine: use https, or see InsecureHTTP
	// scangate: Config.OfficialAccount, Config.Website and Config.MiniProgram: one of them is required
}

// The gate redirects a browser to the login page, which leads back. It answers a program
// with 401.
func ExampleGate_RequireWeChat() {
	private := newGate().RequireWeChat(page)

	browser := httptest.NewRequest(http.MethodGet, "/account?tab=2", nil)
	browser.Header.Set("Accept", "text/html")
	answer := httptest.NewRecorder()
	private.ServeHTTP(answer, browser)
	fmt.Println(answer.Code, answer.Header().Get("Location"))

	program := httptest.NewRequest(http.MethodGet, "/api/account", nil)
	answer = httptest.NewRecorder()
	private.ServeHTTP(answer, program)
	fmt.Println(answer.Code, answer.Body)
	// Output:
	// 303 /wechat/login?return_to=%2Faccount%3Ftab%3D2
	// 401 {"status":401,"title":"Login required","code":"login_required","login_url":"/wechat/login","detail":"there is no session, or it has ended"}
}

// Check suits a public page that greets a logged-in user.
func ExampleGate_Check() {
	gate := newGate()
	home := func(w http.ResponseWriter, r *http.Request) {
		switch user, err := gate.Check(r); {
		case err == nil:
			fmt.Fprint(w, "Hello, user ", user.ID)
		case errors.Is(err, scangate.ErrLoginRequired), errors.Is(err, scangate.ErrPhoneRequired):
			fmt.Fprint(w, "Hello, stranger")
		default: // a store failed, so the user is unknown
			http.Error(w, "Try again in a moment.", http.StatusServiceUnavailable)
		}
	}
	answer := httptest.NewRecorder()
	home(answer, httptest.NewRequest(http.MethodGet, "/", nil))
	fmt.Println(answer.Body)
	// Output: Hello, stranger
}

// Admit adapts the gate to frameworks with another type of handler. These handlers return
// an error.
func ExampleGate_Admit() {
	gate := newGate()
	type handler func(http.ResponseWriter, *http.Request) error
	private := func(next handler) handler {
		return func(w http.ResponseWriter, r *http.Request) error {
			admitted, ok := gate.Admit(w, r)
			if !ok {
				return nil // Admit has answered
			}
			return next(w, admitted)
		}
	}
	account := private(func(w http.ResponseWriter, r *http.Request) error {
		user, _ := scangate.UserFromContext(r.Context())
		_, err := fmt.Fprint(w, "Hello, user ", user.ID)
		return err
	})
	answer := httptest.NewRecorder()
	err := account(answer, httptest.NewRequest(http.MethodGet, "/account", nil))
	fmt.Println(answer.Code, err)
	// Output: 401 <nil>
}

func ExampleUserFromContext() {
	account := func(w http.ResponseWriter, r *http.Request) {
		user, ok := scangate.UserFromContext(r.Context())
		if !ok {
			fmt.Fprint(w, "This handler isn't behind RequireWeChat.")
			return
		}
		fmt.Fprint(w, "Hello, user ", user.ID)
	}
	answer := httptest.NewRecorder()
	account(answer, httptest.NewRequest(http.MethodGet, "/account", nil))
	fmt.Println(answer.Body)
	// Output: This handler isn't behind RequireWeChat.
}

// The application has a registration page of its own at Config.Registration.URL.
func ExampleGate_Pending() {
	users := scangate.NewMemoryStore() // or your own
	gate, err := scangate.New(scangate.Config{
		PublicURL:       "https://app.example.com",
		OfficialAccount: account,
		Users:           users,
		Registration:    scangate.Registration{Mode: scangate.RegisterClosed, URL: "/join"},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/wechat/", gate)
	mux.HandleFunc("POST /join", func(w http.ResponseWriter, r *http.Request) {
		who, err := gate.Pending(r) // reads the form's hidden field "login"
		if err != nil {
			http.Error(w, "Please log in again.", http.StatusForbidden)
			return
		}
		if r.FormValue("invitation") != "open sesame" {
			http.Error(w, "That is no invitation.", http.StatusForbidden)
			return
		}
		_, err = users.Register(r.Context(), scangate.NewUser{Identity: who.Identity, Nickname: who.Nickname})
		if err != nil && !errors.Is(err, scangate.ErrIdentityTaken) { // after a second tap on the button
			http.Error(w, "Try again in a moment.", http.StatusServiceUnavailable)
			return
		}
		http.Redirect(w, r, who.ContinueURL, http.StatusSeeOther) // continues the login
	})
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/join?login=made-up", nil))
	fmt.Println(answer.Code)
	// Output: 403
}

// The server shuts down at once, even while browsers wait.
func ExampleGate_Close() {
	gate := newGate()
	server := &http.Server{Addr: ":8080", Handler: gate, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	server.RegisterOnShutdown(func() { _ = gate.Close() })
	log.Fatal(server.ListenAndServe()) // until server.Shutdown is called
}

func ExampleGate_Waiting() {
	gate := newGate()
	http.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "scangate_waiting_browsers", gate.Waiting())
	})
	fmt.Println(gate.Waiting())
	// Output: 0
}

// Mount the gate at its full path. A single-page application starts a login with a JSON
// request.
func ExampleGate_ServeHTTP() {
	mux := http.NewServeMux()
	mux.Handle("/wechat/", newGate())

	r := httptest.NewRequest(http.MethodPost, "/wechat/login", strings.NewReader(`{"return_to": "/account"}`))
	r.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, r)
	var login struct {
		ScanURL     string `json:"scan_url"`
		StateURL    string `json:"state_url"`
		MatchNumber int    `json:"match_number"`
	}
	err := json.Unmarshal(answer.Body.Bytes(), &login)
	fmt.Println(answer.Code, login.MatchNumber > 9, err)
	fmt.Println(strings.HasPrefix(login.ScanURL, "https://app.example.com/wechat/scan/"), strings.HasSuffix(login.StateURL, "/state"))
	// Output:
	// 201 true <nil>
	// true true
}

// A page of the application's own offers the gate's login beside a password.
func ExampleGate_LoginURL() {
	gate := newGate()
	defer func() { _ = gate.Close() }()
	fmt.Println(gate.LoginURL("/account?tab=orders"))
	// Output: /wechat/login?return_to=%2Faccount%3Ftab%3Dorders
}

// The application's own logout handler, which refuses posts from other sites.
func ExampleGate_LogOut() {
	gate := newGate()
	defer func() { _ = gate.Close() }()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := gate.LogOut(w, r); err != nil {
			http.Error(w, "Try again in a moment.", http.StatusServiceUnavailable)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	handler := http.NewCrossOriginProtection().Handler(mux)
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/logout", nil))
	fmt.Println(answer.Code, answer.Header().Get("Location"))
	// Output: 303 /
}

// After a change of password, a user's other sessions must end, and so must the sessions
// of anyone who has stolen one.
func ExampleGate_EndSessions() {
	gate := newGate()
	defer func() { _ = gate.Close() }()
	err := gate.EndSessions(context.Background(), "no such user")
	fmt.Println(errors.Is(err, scangate.ErrNotFound))
	// Output: true
}

// The application's own login page continues at a page of the application, even if the link
// to it named another site.
func ExampleGate_ReturnTo() {
	gate := newGate()
	defer func() { _ = gate.Close() }()
	fmt.Println(gate.ReturnTo("/account?tab=orders"))
	fmt.Println(gate.ReturnTo("https://evil.example/"))
	// Output:
	// /account?tab=orders
	// /
}

// A readiness probe, which takes the process out of service while a store fails.
func ExampleGate_Ping() {
	gate := newGate()
	defer func() { _ = gate.Close() }()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := gate.Ping(ctx); err != nil {
			log.Print(err)
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ready")
	})
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/ready", nil))
	fmt.Println(answer.Code, answer.Body)
	// Output: 200 ready
}
