// Command sql is a small application with a WeChat login, whose users are in a SQL
// database. Run it in this folder with: go run .
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	weChat := wechattest.Serve("127.0.0.1:0") // a simulated WeChat; in your application: leave it out
	err := run(ctx, os.Args[1:], os.Stdout, weChat.Account(), weChat.Endpoint())
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "sql:", err)
		os.Exit(1)
	}
}

// run runs the program until ctx ends. It prints the address to open to out.
func run(ctx context.Context, args []string, out io.Writer, account wechat.Account, weChat wechat.Endpoint) error {
	f := flag.NewFlagSet("sql", flag.ContinueOnError)
	f.SetOutput(out)
	addr := f.String("addr", "127.0.0.1:8080", "the `address` to listen on")
	dsn := f.String("db", "", "the `database`: a file name for SQLite, mysql://user:password@host/name or postgres://user:password@host/name; if it contains a password, safer in the environment variable EXAMPLE_DB (default example.db)")
	if err := f.Parse(args); err != nil {
		return err
	}
	users, err := openUsers(ctx, *dsn)
	if err != nil {
		return err
	}
	defer func() { _ = users.Close() }()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *addr)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	publicURL := "http://" + listener.Addr().String()
	gate, err := scangate.New(scangate.Config{
		PublicURL:       publicURL,
		OfficialAccount: account,
		WeChat:          scangate.WeChat{Endpoint: weChat},
		Users:           users,
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Open", publicURL+"/account")
	return serve(ctx, listener, gate)
}

// serve answers requests until ctx ends.
func serve(ctx context.Context, listener net.Listener, gate *scangate.Gate) error {
	server := &http.Server{Handler: newApp(gate), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	server.RegisterOnShutdown(func() { _ = gate.Close() })
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		// Not ctx itself, which is done.
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		stopped <- server.Shutdown(limit)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// newApp returns the application: the gate, and a page that requires a login.
func newApp(gate *scangate.Gate) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/wechat/", gate)
	mux.Handle("GET /account", gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := scangate.UserFromContext(r.Context())
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `Hello, user %s of the database! <form method="post" action="/wechat/logout"><button>Log out</button></form>`, user.ID)
	})))
	return mux
}
