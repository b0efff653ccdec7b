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

	// An application that has a table of users gives it to sqlstore instead: see package
	// ownusers.
	users, closeUsers, err := openUsers(ctx, o)
	if err != nil {
		return err
	}
	defer closeUsers()
	if o.redis != nil {
		defer func() { _ = o.redis.Close() }()
	}

	// The simulator sets the accounts and the endpoint, so newGate comes after it.
	if o.simulated() {
		stopSimulator, err := startSimulator(ctx, &o, users, out)
		if err != nil {
			return err
		}
		defer stopSimulator()
	}
	counts := newMetrics()
	gate, err := newGate(o, users, counts)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Listening on", listener.Addr())
	fmt.Fprintln(out, "Open", o.publicURL)
	fmt.Fprintln(out, "Press Ctrl-C to stop")
	return serve(ctx, listener, gate, counts.handler(newApp(gate), gate))
}

// newGate configures the gate. PublicURL and one account are required; the zero
// value of every other field works too.
func newGate(o options, users scangate.UserStore, counts *metrics) (*scangate.Gate, error) {
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
		Phone:           scangate.Phone{Require: o.requirePhone, SendCode: sendCode, Normalize: normalizePhone},
		Users:           users,
		Redis:           o.redis,
		OnEvent: func(ctx context.Context, e scangate.Event) {
			logEvent(ctx, e)
			counts.count(e)
		},
		ClientIP:     o.clientIP(),
		InsecureHTTP: o.insecureHTTP,
	})
}

// serve answers requests until ctx ends. Then it gives the requests in progress 10
// seconds to finish.
func serve(ctx context.Context, listener net.Listener, gate *scangate.Gate, app http.Handler) error {
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
	// Close answers the browsers that wait for a phone. Otherwise Shutdown would
	// wait for those requests, up to 25 seconds.
	_ = gate.Close() // never fails
	// 10 seconds, because Shutdown itself waits 5 seconds for a new connection to
	// send its first request.
	// Not ctx itself, which is done.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return server.Shutdown(ctx)
}
