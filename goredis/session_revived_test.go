package goredis_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/scangate/scangate/internal/redistest"
	"github.com/scangate/scangate/wechattest"
)

// TestThreat32SlowHandlerRevivesNoSession: a handler changes a session that a logout has
// ended meanwhile.
func TestThreat32SlowHandlerRevivesNoSession(t *testing.T) {
	servers := map[string]func() string{
		"miniredis":    func() string { return miniredis.RunT(t).Addr() },
		"redis-server": func() string { return redistest.Start(t).Addr },
	}
	changes := map[string]func(m *scs.SessionManager, ctx context.Context) error{
		"Put":        func(m *scs.SessionManager, ctx context.Context) error { m.Put(ctx, "k", "v"); return nil },
		"RenewToken": func(m *scs.SessionManager, ctx context.Context) error { return m.RenewToken(ctx) },
	}
	for server, addr := range servers {
		o := redis.UniversalOptions{Addrs: []string{addr()}}
		for name, change := range changes {
			t.Run(server+" "+name, func(t *testing.T) { testSlowHandler(t, o, change) })
		}
	}
}

func testSlowHandler(t *testing.T, o redis.UniversalOptions, change func(m *scs.SessionManager, ctx context.Context) error) {
	simulator := wechattest.NewStrict(t, wechattest.App{Account: account, Hosts: []string{"app.example.com"}})
	p := newProcess(t, o, nil, simulator)
	entered, released := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.Handle("/", p.app)
	mux.Handle("/slow", p.gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-released
		if err := change(p.manager, r.Context()); err != nil {
			t.Errorf("changing the session: error = %v, want none", err)
		}
		_, _ = io.WriteString(w, "slow")
	})))
	p.app = mux
	phone := simulator.Phone("lin", p.network(simulator), "https://open.weixin.qq.com")
	resp, err := phone.Open(t.Context(), publicURL+"/account")
	body(t, resp, err, http.StatusOK)

	slow := make(chan *http.Response, 1)
	go func() {
		defer close(slow)
		resp, err := phone.Open(t.Context(), publicURL+"/slow")
		if err != nil {
			t.Errorf("GET /slow: error = %v, want none", err)
			return
		}
		_ = resp.Body.Close()
		slow <- resp
	}()
	<-entered
	resp, err = request(t, phone.Client, http.MethodPost, "/wechat/logout", "")
	body(t, resp, err, http.StatusNoContent)
	close(released)
	if resp := <-slow; resp == nil || len(resp.Cookies()) != 0 {
		t.Errorf("GET /slow, after a logout: answer = %v, want one without cookies", resp)
	}
	resp, err = request(t, phone.Client, http.MethodGet, "/account", "")
	body(t, resp, err, http.StatusUnauthorized)
}
