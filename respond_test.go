package scangate_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

func TestUserStoreFails(t *testing.T) {
	w := newWorld(t)
	phone := w.phone("lin")
	phone.open("/account")
	w.users.failWith(errors.New("the database has gone"))
	for _, target := range []string{"/account", "/wechat/login", "/wechat/me"} {
		a := phone.get(target)
		if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || strings.Contains(a.body, "database") {
			t.Errorf("GET %s: status = %d, Retry-After = %q, want 503, a time and no cause\n%s", target, a.StatusCode, a.Header.Get("Retry-After"), a.body)
		}
	}
	w.users.failWith(nil)
	if phone.user() == "" {
		t.Error("after the store has recovered: no user, want the session to continue")
	}
}

func TestNoSecretInTheLog(t *testing.T) {
	w := newWorld(t, withProfile, func(c *scangate.Config) {
		c.OnLogin = func(context.Context, scangate.Login) error { return nil }
	})
	w.wechat.Fail(wechattest.OpExchange, 1, wechattest.Fault{Errcode: 40125, Errmsg: "invalid appsecret"})
	phone := w.phone("wang")
	phone.open("/account")
	callback := w.approvedCallback(phone, "wang", "/wechat/login")
	phone.open(callback)
	phone.get(callback + "x")
	u, _ := url.Parse(callback)
	secrets := []string{official.Secret, u.Query().Get("code"), u.Query().Get("state")}
	for _, c := range phone.client.Jar.Cookies(&url.URL{Scheme: "https", Host: "app.example.com", Path: "/"}) {
		secrets = append(secrets, c.Value)
	}
	for _, secret := range secrets {
		if secret == "" || strings.Contains(w.log.String(), secret) {
			t.Errorf("log of a failed and a successful login: got\n%s\nwant no secret; it contains %q", w.log, secret)
		}
	}
	if !strings.Contains(w.log.String(), "40125") {
		t.Errorf("log of a failed login: got\n%s\nwant WeChat's code 40125", w.log)
	}
}
