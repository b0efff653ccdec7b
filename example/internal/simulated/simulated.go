// Package simulated starts a simulated WeChat, so that the examples run without an
// account, a phone or a network. Your application does not need it.
package simulated

import (
	"net/http/httptest"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// WeChat is a simulated WeChat that listens on a free port.
type WeChat struct {
	// Account is the simulator's only account.
	Account wechat.Account
	// Endpoint is the simulator's address, for scangate.Config.
	Endpoint wechat.Endpoint

	server *httptest.Server
}

// Start starts a simulated WeChat. It panics if it cannot listen.
func Start() *WeChat {
	account := wechat.Account{AppID: "wx0000000000000001", Secret: "51a1a7ed51a1a7ed51a1a7ed51a1a7ed"}
	// nil selects the simulator's default persons.
	server := httptest.NewServer(wechattest.New(nil, wechattest.App{Account: account}))
	return &WeChat{Account: account, Endpoint: wechat.Endpoint{Open: server.URL, API: server.URL, MP: server.URL}, server: server}
}

// Close stops the simulator.
func (w *WeChat) Close() { w.server.Close() }
