// Command example is a small web application. Its users log in by scanning a QR code
// with WeChat:
//
//	cd example && go run .
//
// Without an AppID it runs against the simulated WeChat of package wechattest. Then
// the whole login can be clicked through in one browser. With an AppID (see the
// flags) it uses WeChat itself, as a real application does.
//
// Read it from main downwards: run creates the parts, newGate configures the gate,
// and newApp, in app.go, returns the application.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

func main() {
	// The gate logs to slog's default logger too, because Config.Logger is nil.
	slog.SetDefault(slog.New(requestLog{slog.NewTextHandler(os.Stderr, nil)}))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	// The flag package has printed the help already, so ErrHelp is not a failure.
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "example:", err)
		os.Exit(1)
	}
}

// run runs the program until ctx ends. It prints the program's addresses to out.
func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parseOptions(args, out)
	if err != nil {
		return err
	}
	// Listen before anything else: with -addr and port 0 the system chooses the
	// port, and newGate needs the address for Config.PublicURL.
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.addr)
	if err != nil {
		return err
	}
	// The server closes the listener. This one is for the returns before serve.
	defer func() { _ = listener.Close() }()
	if o.publicURL == "" {
		o.publicURL = "http://" + listener.Addr().String()
	}

	// The users are in memory, or in Redis with -redis. An application that has a table of
	// users gives it to sqlstore instead: see the folder sql.
	users, closeUsers, err := openUsers(o)
	if err != nil {
		return err
	}
	defer closeUsers()

	// The simulator sets the accounts and the endpoint, so newGate comes after it.
	var sim *wechattest.WeChat
	if o.simulated() {
		var stopSimulator func()
		if sim, stopSimulator, err = startSimulator(ctx, &o, users, out); err != nil {
			return err
		}
		defer stopSimulator()
	}
	gate, err := newGate(o, users)
	if err != nil {
		return err
	}
	handler, closeAll, err := newHandler(ctx, o, gate, sim)
	if err != nil {
		return err
	}
	if o.verbose {
		fmt.Fprintln(out, "Listening on", listener.Addr())
	}
	fmt.Fprintln(out, "Open", o.publicURL)
	return serve(ctx, listener, handler, closeAll)
}

// newHandler returns the application with, beside a simulator, the page /try. The second result
// releases the waiting requests of both.
func newHandler(ctx context.Context, o options, gate *scangate.Gate, sim *wechattest.WeChat) (http.Handler, func(), error) {
	app, closeGate := newApp(gate), func() { _ = gate.Close() } // never fails
	if sim == nil {
		return app, closeGate, nil
	}
	t, err := newTry(ctx, o, sim)
	if err != nil {
		return nil, nil, err
	}
	return withTry(app, t), func() { closeGate(); t.close() }, nil
}

// newGate configures the gate. PublicURL and one account are required; the zero
// value of every other field works too.
func newGate(o options, users scangate.UserStore) (*scangate.Gate, error) {
	return scangate.New(scangate.Config{
		PublicURL:       o.publicURL,
		AppName:         "Example",
		OfficialAccount: o.official,
		Scan:            scangate.ScanMode(o.scan),
		Push:            o.push,
		Website:         o.website,
		MiniProgram:     o.mini,
		WeChat:          scangate.WeChat{Endpoint: o.endpoint},
		Registration:    scangate.Registration{Mode: scangate.RegistrationMode(o.registration), FetchProfile: o.fetchProfile},
		Phone:           scangate.Phone{Require: o.requirePhone, SendCode: sendCode},
		Users:           users,
		Redis:           o.redis,
		OnEvent:         logEvent,
		ClientIP:        o.clientIP(),
		InsecureHTTP:    o.insecureHTTP,
	})
}

// serve answers requests until ctx ends. Then it gives the requests in progress 10
// seconds to finish.
func serve(ctx context.Context, listener net.Listener, app http.Handler, closeGates func()) error {
	server := &http.Server{
		Handler: withRequestID(app),
		// Without timeouts a slow client could hold a connection forever. Short
		// ones are fine: the gate lifts them for browsers that wait for a phone.
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	// Buffered: after a shutdown nothing receives Serve's error.
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	// closeGates answers the browsers that wait for a phone. Otherwise Shutdown would
	// wait for those requests, up to 25 seconds.
	closeGates()
	// 10 seconds, because Shutdown itself waits 5 seconds for a new connection to
	// send its first request.
	// Not ctx itself, which is done.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return server.Shutdown(ctx)
}
