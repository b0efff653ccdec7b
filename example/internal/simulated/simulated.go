// Package simulated starts a WeChat that is not there, so that the examples run
// with no account, no phone and no network. An application of yours has nothing
// of the kind.
package simulated

import (
	"net/http/httptest"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// WeChat is a simulated WeChat that listens on a port of its own.
type WeChat struct {
	// Account is the official account that it knows.
	Account wechat.Account
	// Endpoint is where it listens.
	Endpoint wechat.Endpoint

	server *httptest.Server
}

// Start starts a simulated WeChat. It panics if there is no port to listen on.
func Start() *WeChat {
	account := wechat.Account{AppID: "wx0000000000000001", Secret: "simulated"}
	server := httptest.NewServer(wechattest.New(nil, wechattest.App{Account: account}))
	return &WeChat{Account: account, Endpoint: wechat.Endpoint{Open: server.URL, API: server.URL}, server: server}
}

// Close stops it.
func (w *WeChat) Close() { w.server.Close() }
