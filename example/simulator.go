package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// simulatedSecret is the AppSecret of accounts at the simulated WeChat. It has the form
// of a real one, because scangate.New refuses any other.
const simulatedSecret = "51a1a7ed51a1a7ed51a1a7ed51a1a7ed"

// startSimulator starts a simulated WeChat on a free port. It sets the accounts and
// the endpoint in o, and prints the simulator's address to out.
func startSimulator(ctx context.Context, o *options, users scangate.UserStore, out io.Writer) (sim *wechattest.WeChat, stop func(), err error) {
	// Two accounts, to show both kinds of login: the official account makes the
	// login page show the gate's own QR code, and the website application adds a
	// link to WeChat's page with another QR code. A real application needs only
	// one of them.
	o.official = wechat.Account{AppID: "wx0000000000000001", Secret: simulatedSecret}
	o.website = wechat.Account{AppID: "wx0000000000000002", Secret: simulatedSecret}
	apps := slices.AppendSeq([]wechattest.App{
		{Account: o.official, Name: "Example"},
		{Account: o.website, Website: true},
	}, maps.Values(tryApps()))
	sim = wechattest.New(nil, apps...)
	if err := registerKnownPerson(ctx, sim, o, users); err != nil {
		return nil, nil, err
	}
	if err := registerKnownNumber(ctx, users); err != nil {
		return nil, nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	server := &http.Server{Handler: sim, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }() // returns after stop
	o.endpoint.Open = "http://" + listener.Addr().String()
	o.endpoint.API = o.endpoint.Open
	simulateChat(sim, o)
	if o.verbose {
		fmt.Fprintln(out, "WeChat is simulated at", o.endpoint.Open)
	}
	if o.registration == string(scangate.RegisterByPhone) {
		fmt.Fprintln(out, "This number can log in:", knownNumber)
	}
	return sim, func() { _ = server.Close() }, nil
}

// simulateChat lets the simulator's persons chat with the official account, if -scan selects
// a way that needs it. It sets the push settings in o.
func simulateChat(sim *wechattest.WeChat, o *options) {
	// The codes of the account lead to the simulator's chat, so that a click opens it.
	sim.CodesAt(o.endpoint.Open)
	if mode := scangate.ScanMode(o.scan); mode != scangate.ScanFollow && mode != scangate.ScanMessage {
		return
	}
	o.push = pushTo(sim, o.official, o.publicURL+"/wechat/push")
}

// pushTo makes the simulator send an account's messages to a URL. It returns the settings
// for the gate there.
func pushTo(sim *wechattest.WeChat, account wechat.Account, address string) scangate.Push {
	push := scangate.Push{
		// Random, because the program receives pushes from the network too.
		Token:          rand.Text(),
		EncodingAESKey: (rand.Text() + rand.Text())[:43],
		AccountQR:      sim.AccountCode(account.AppID),
	}
	sim.SetPush(account.AppID, wechattest.PushServer{URL: address, Token: push.Token, EncodingAESKey: push.EncodingAESKey})
	return push
}

// knownPerson is the ID of the person whom the simulator's pages call "known
// already".
const knownPerson = "lin"

// registerKnownPerson registers that person as a user with both accounts, unless an
// earlier run has. The simulator's other persons are new to the application.
func registerKnownPerson(ctx context.Context, sim *wechattest.WeChat, o *options, users scangate.UserStore) error {
	identity := func(account wechat.Account) scangate.Identity {
		return scangate.Identity{AppID: account.AppID, OpenID: sim.OpenID(knownPerson, account.AppID), UnionID: sim.UnionID(knownPerson)}
	}
	// With -redis the user is still there after a restart.
	user, err := users.Register(ctx, scangate.NewUser{Identity: identity(o.official), Nickname: "林小北"})
	if errors.Is(err, scangate.ErrIdentityTaken) {
		user, err = users.FindByWeChat(ctx, identity(o.official))
	}
	if err != nil {
		return err
	}
	return users.LinkWeChat(ctx, user.ID, identity(o.website))
}

// knownNumber is a phone number that can log in with -registration phone.
const knownNumber = "+8613900139000"

// registerKnownNumber registers a user with a phone number and no WeChat identity,
// like the users of an application that adds scangate later.
func registerKnownNumber(ctx context.Context, users scangate.UserStore) error {
	// Register requires an identity. This one belongs to no person, and is
	// unlinked again below.
	placeholder := scangate.Identity{AppID: "none", OpenID: "known by number"}
	user, err := users.Register(ctx, scangate.NewUser{Identity: placeholder, Phone: knownNumber})
	if errors.Is(err, scangate.ErrIdentityTaken) || errors.Is(err, scangate.ErrPhoneTaken) {
		return nil // an earlier run has registered the user
	}
	if err != nil {
		return err
	}
	return users.UnlinkWeChat(ctx, user.ID, placeholder)
}
