package wechattest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/scangate/scangate/wechat"
)

// Serve starts a simulated WeChat for an application under development, which then needs
// neither an account at WeChat nor a phone:
//
//	weChat := wechattest.Serve("127.0.0.1:9000")
//	gate, err := scangate.New(scangate.Config{
//		PublicURL:       "http://127.0.0.1:8080",
//		OfficialAccount: weChat.Account(),
//		WeChat:          scangate.WeChat{Endpoint: weChat.Endpoint()},
//	})
//
// The address is a host and a port, as for [net.Listen]. Browsers open the simulator's pages,
// where the developer chooses the person who scans and plays the phone. With port 0 the
// system chooses a free port. Serve prints the simulator's address to standard error.
//
// Without apps the simulator has one official account, with an AppID and a secret that are
// made up. [Server.Account] returns the first account. Its persons are the default ones, see [People].
//
// For logins in a chat, the accounts' codes lead to a simulated chat. Pass the application's
// push settings to [WeChat.SetPush], and [WeChat.AccountCode] to scangate.Push.AccountQR.
//
// The simulator lets each browser log in as any person. Never call Serve in production.
//
// Like [net/http/httptest.NewServer], Serve panics if it cannot listen, so that one line is
// enough. The server stops with the program, or at [Server.Close].
func Serve(addr string, apps ...App) *Server {
	if len(apps) == 0 {
		apps = []App{{
			Account: wechat.Account{AppID: "wx0000000000000001", Secret: "51a1a7ed51a1a7ed51a1a7ed51a1a7ed"},
			Name:    "Example",
		}}
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if err != nil {
		panic(fmt.Sprintf("wechattest: Serve: %v", err))
	}
	s := &Server{WeChat: New(nil, apps...), URL: baseURL(listener.Addr()), account: apps[0].Account}
	s.CodesAt(s.URL)
	s.stop = start(s.WeChat, listener)
	fmt.Fprintf(os.Stderr, "WeChat is simulated at %s, for development only\n", s.URL)
	return s
}

// baseURL returns the URL at which browsers on this machine reach a listener.
func baseURL(addr net.Addr) string {
	// The listener of ":9000" has the address "[::]:9000", which some browsers refuse.
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("http://localhost:%d", tcp.Port)
	}
	return "http://" + addr.String()
}

// start serves a handler on a listener. The returned function stops the server and waits
// until it has stopped. Further calls do nothing.
func start(handler http.Handler, listener net.Listener) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // always returns ErrServerClosed, after Close
	return sync.OnceFunc(func() {
		// Cancel first: calls that hang (Fault.Hang) wait for their context.
		cancel()
		_ = server.Close()
		serving.Wait()
	})
}

// Account returns the first account, for scangate.Config.OfficialAccount. It is the zero
// value if there is none.
func (s *Server) Account() wechat.Account { return s.account }

// Close stops the server. A server of [NewServer] also stops when its test ends. Further calls
// do nothing.
func (s *Server) Close() { s.stop() }
