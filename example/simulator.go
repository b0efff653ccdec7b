package main

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// startSimulator starts a simulated WeChat on a port of its own and fills in the
// accounts and the address that go with it.
//
// There are two accounts, so that both ways in can be tried: with an official
// account the gate's login page shows its own QR code, and with a website
// application it also links to WeChat's page, which shows another. Either alone
// is enough for a real application.
func startSimulator(ctx context.Context, o *options, users scangate.UserStore) (stop func(), err error) {
	o.official = wechat.Account{AppID: "wx0000000000000001", Secret: "simulated"}
	o.website = wechat.Account{AppID: "wx0000000000000002", Secret: "simulated"}
	sim := wechattest.New(nil,
		wechattest.App{Account: o.official},
		wechattest.App{Account: o.website, Website: true},
	)
	if err := registerRegular(ctx, sim, o, users); err != nil {
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
	return func() { _ = server.Close() }, nil
}

// registerRegular makes a user of the one person whom the simulator calls "known
// already". The others are new.
func registerRegular(ctx context.Context, sim *wechattest.WeChat, o *options, users scangate.UserStore) error {
	const regular = "lin"
	at := func(account wechat.Account) scangate.Identity {
		return scangate.Identity{AppID: account.AppID, OpenID: sim.OpenID(regular, account.AppID), UnionID: sim.UnionID(regular)}
	}
	user, err := users.Register(ctx, scangate.NewUser{Identity: at(o.official), Nickname: "林小北"})
	if err != nil {
		return err
	}
	return users.LinkWeChat(ctx, user.ID, at(o.website))
}
