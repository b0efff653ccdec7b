package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// startSimulator starts a simulated WeChat on a port of its own and fills in the
// accounts and the address that go with it. What one has to know of it goes to out.
//
// There are two accounts, so that both ways in can be tried: with an official
// account the gate's login page shows its own QR code, and with a website
// application it also links to WeChat's page, which shows another. Either alone
// is enough for a real application.
func startSimulator(ctx context.Context, o *options, users scangate.UserStore, out io.Writer) (stop func(), err error) {
	o.official = wechat.Account{AppID: "wx0000000000000001", Secret: "simulated"}
	o.website = wechat.Account{AppID: "wx0000000000000002", Secret: "simulated"}
	sim := wechattest.New(nil,
		wechattest.App{Account: o.official},
		wechattest.App{Account: o.website, Website: true},
	)
	if err := errors.Join(registerRegular(ctx, sim, o, users), registerNumber(ctx, users)); err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: sim, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }() // until stop
	o.endpoint.Open = "http://" + listener.Addr().String()
	o.endpoint.API = o.endpoint.Open
	fmt.Fprintln(out, "No account given: WeChat is simulated, at", o.endpoint.Open)
	fmt.Fprintln(out, "For -registration phone, one number is known:", knownNumber)
	return func() { _ = server.Close() }, nil
}

// regular is the person whom the simulator calls "known already".
const regular = "lin"

// registerRegular makes a user of them, unless an earlier run has. The others are
// new.
func registerRegular(ctx context.Context, sim *wechattest.WeChat, o *options, users scangate.UserStore) error {
	at := func(account wechat.Account) scangate.Identity {
		return scangate.Identity{AppID: account.AppID, OpenID: sim.OpenID(regular, account.AppID), UnionID: sim.UnionID(regular)}
	}
	user, err := users.Register(ctx, scangate.NewUser{Identity: at(o.official), Nickname: "林小北"})
	if errors.Is(err, scangate.ErrIdentityTaken) {
		user, err = users.FindByWeChat(ctx, at(o.official))
	}
	if err != nil {
		return err
	}
	return users.LinkWeChat(ctx, user.ID, at(o.website))
}

// knownNumber is a number that may log in with -registration phone.
const knownNumber = "+8613900139000"

// registerNumber makes a user of somebody of whom the number alone is known, as
// applications know people who registered with them before there was a gate.
func registerNumber(ctx context.Context, users scangate.UserStore) error {
	// A UserStore knows nobody without a WeChat; this one is nobody's.
	nobody := scangate.Identity{AppID: "none", OpenID: "known by number"}
	user, err := users.Register(ctx, scangate.NewUser{Identity: nobody, Phone: knownNumber})
	if errors.Is(err, scangate.ErrIdentityTaken) || errors.Is(err, scangate.ErrPhoneTaken) {
		return nil // by an earlier run
	}
	if err != nil {
		return err
	}
	return users.UnlinkWeChat(ctx, user.ID, nobody)
}
