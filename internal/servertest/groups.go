package servertest

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// Groups tests an application with public and private routes and an access log. The
// application has the public page / and the private page /orders, which shows the user's ID.
func Groups(t *testing.T, build func(gate *scangate.Gate, log io.Writer) http.Handler) {
	official, _ := accounts()
	s := &site{wechat: wechattest.NewServer(t, wechattest.App{Account: official})}
	server := httptest.NewUnstartedServer(nil)
	t.Cleanup(server.Close)
	s.url = "http://" + server.Listener.Addr().String()
	gate, err := scangate.New(scangate.Config{
		PublicURL: s.url, OfficialAccount: official, WeChat: scangate.WeChat{Endpoint: s.wechat.Endpoint()}, Users: s.users(t), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gate.Close() })
	log := &syncBuffer{}
	server.Config.Handler = build(gate, log)
	server.Start()

	b := s.loggedOut(t)
	if got := b.open("/?word=hidden"); got.status != http.StatusOK {
		t.Errorf("public page without a login: status = %d, want 200\n%s", got.status, got.body)
	}
	if got := b.open("/orders?word=hidden"); got.status != http.StatusSeeOther || !strings.HasPrefix(got.location, "/wechat/login?return_to=") {
		t.Errorf("private page without a login: %d to %q, want 303 to the login page", got.status, got.location)
	}
	if got := b.get("/orders"); got.status != http.StatusUnauthorized || !strings.Contains(got.body, "login_required") {
		t.Errorf("private page for a script: %d %s, want 401 and login_required", got.status, got.body)
	}
	client := *b.client
	client.CheckRedirect = nil
	s.wechat.LogIn(t, &client, s.url+"/orders", "lin")
	if got := b.open("/orders?word=hidden"); got.status != http.StatusOK || !strings.Contains(got.body, "user ") {
		t.Errorf("private page of a user: %d %s, want 200 and the user", got.status, got.body)
	}
	text := log.String()
	for _, want := range []string{"/orders", "/wechat/callback", "303", "200"} {
		if !strings.Contains(text, want) {
			t.Errorf("access log: got\n%s\nwant %q in it", text, want)
		}
	}
	for _, secret := range []string{"code=", "state=", "hidden", "return_to", "?"} {
		if strings.Contains(text, secret) {
			t.Errorf("access log: got\n%s\nwant it without %q", text, secret)
		}
	}
}
