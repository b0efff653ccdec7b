// Command example is a small web application that people log in to by scanning a
// QR code with WeChat:
//
//	cd example && go run .
//
// Without an account at WeChat it runs against the simulated WeChat of package
// wechattest, so that everything can be clicked through in one browser. With one
// (see the flags) it is what a real application looks like.
//
// Read it from main down: run puts the parts together, newGate configures the
// gate, and newApp, in app.go, is the application.
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
	slog.SetDefault(slog.New(requestLog{slog.NewTextHandler(os.Stderr, nil)}))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "example:", err)
		os.Exit(1)
	}
}

// run is the program. It ends when ctx does.
func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parseOptions(args, out)
	if err != nil {
		return err
	}
	// Listening comes first, because -addr may leave the choice of a port to the
	// system, and the gate has to know its public address.
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.addr)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // the server has done so, unless it never started
	if o.publicURL == "" {
		o.publicURL = "http://" + listener.Addr().String()
	}

	// The table of users. An application of yours may have one already, and
	// implements scangate.UserStore over it.
	users, closeUsers, err := openUsers(ctx, o)
	if err != nil {
		return err
	}
	defer closeUsers()
	if o.redis != nil {
		defer func() { _ = o.redis.Close() }()
	}

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
	fmt.Fprintln(out, "Stop with Ctrl-C")
	return serve(ctx, listener, gate, counts.around(newApp(gate), gate))
}

// newGate configures the gate: where the application is, and who it is at
// WeChat. The zero value of all else would do.
func newGate(o options, users scangate.UserStore, counts *metrics) (*scangate.Gate, error) {
	return scangate.New(scangate.Config{
		PublicURL:       o.publicURL,
		AppName:         "Example",
		OfficialAccount: o.official,
		Website:         o.website,
		Endpoint:        o.endpoint,
		FetchProfile:    o.fetchProfile,
		Registration:    scangate.Registration(o.registration),
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

// serve answers requests until ctx ends, and then lets those under way finish.
func serve(ctx context.Context, listener net.Listener, gate *scangate.Gate, app http.Handler) error {
	server := &http.Server{
		Handler: withRequestID(app),
		// Without limits a slow client could hold a connection forever. They may
		// be short: a browser that waits for its phone is exempt from them.
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	// The browsers that wait go first: Shutdown would wait for them.
	_ = gate.Close() // never fails
	// More than the 5 seconds that it gives a connection to send its first request.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return server.Shutdown(ctx)
}
