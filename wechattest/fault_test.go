package wechattest_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

func TestFaults(t *testing.T) {
	for name, test := range map[string]struct {
		fault wechattest.Fault
		want  error         // of the first exchange
		after time.Duration // duration of the first exchange
		again error         // of a second exchange of the same code
	}{
		"an errcode":                          {wechattest.Fault{Errcode: 40164}, wechat.ErrConfiguration, 0, nil},
		"a delay":                             {wechattest.Fault{Delay: 3 * time.Second}, nil, 3 * time.Second, wechat.ErrCodeUsed},
		"a delayed errcode":                   {wechattest.Fault{Delay: time.Second, Errcode: 45011}, wechat.ErrQuota, time.Second, nil},
		"a delay beyond the client's timeout": {wechattest.Fault{Delay: time.Minute}, wechat.ErrUnreachable, 5 * time.Second, wechat.ErrCodeUsed},
		"a status":                            {wechattest.Fault{Status: 502}, wechat.ErrResponse, 0, nil},
		"a body":                              {wechattest.Fault{Body: "<html>"}, wechat.ErrResponse, 0, nil},
		"a status and a body":                 {wechattest.Fault{Status: 500, Body: "{}"}, wechat.ErrResponse, 0, nil},
		"a redirect":                          {wechattest.Fault{Location: "https://evil.example/"}, wechat.ErrResponse, 0, nil},
		"no answer":                           {wechattest.Fault{Hang: true}, wechat.ErrUnreachable, 5 * time.Second, nil},
		"no answer, code used":                {wechattest.Fault{Hang: true, After: true}, wechat.ErrUnreachable, 5 * time.Second, wechat.ErrCodeUsed},
		"an edited answer":                    {wechattest.Fault{Edit: func(a map[string]any) { a["openid"] = "" }}, wechat.ErrResponse, 0, wechat.ErrCodeUsed},
		"an edit that cannot be encoded":      {wechattest.Fault{Edit: func(a map[string]any) { a["openid"] = func() {} }}, wechat.ErrResponse, 0, wechat.ErrCodeUsed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newStrictWorld(t)
				client, code := w.client(t, official), w.code(t, authorize(official, callbackURL, wechat.ScopeBase, "s1"), "lin")
				w.Fail(wechattest.OpExchange, 1, test.fault)
				start := time.Now()
				if _, err := client.Exchange(t.Context(), code); !errors.Is(err, test.want) || time.Since(start) != test.after {
					t.Errorf("first Exchange = %v after %v, want %v after %v", err, time.Since(start), test.want, test.after)
				}
				// After a timeout the simulator may still be at work on the call.
				synctest.Wait()
				if _, err := client.Exchange(t.Context(), code); !errors.Is(err, test.again) {
					t.Errorf("second Exchange = %v, want %v", err, test.again)
				}
			})
		})
	}
}

func TestFaultsApplyInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStrictWorld(t)
		client, code := w.client(t, official), w.code(t, authorize(official, callbackURL, wechat.ScopeBase, "s1"), "lin")
		w.Fail(wechattest.OpExchange, 2, wechattest.Fault{Errcode: -1})
		w.Fail(wechattest.OpExchange, 1, wechattest.Fault{Errcode: 40029, Errmsg: "no"})
		w.Fail(wechattest.OpVerify, 0, wechattest.Fault{Status: 500})
		// The client retries after -1, so this call uses the first two faults up.
		_, err := client.Exchange(t.Context(), code)
		var failed *wechat.Error
		if !errors.As(err, &failed) || failed.Message != "no" {
			t.Errorf("Exchange with three faults = %v, want the third with the message \"no\"", err)
		}
		token, err := client.Exchange(t.Context(), code)
		if err != nil || client.Verify(t.Context(), token.AccessToken, token.OpenID) != nil {
			t.Errorf("Exchange without a fault left = %v, want nil and a valid token", err)
		}
		for op, want := range map[wechattest.Op]int{wechattest.OpExchange: 4, wechattest.OpVerify: 1, wechattest.OpUserInfo: 0} {
			if got := w.Calls(op); got != want {
				t.Errorf("Calls(%s) = %d, want %d", op, got, want)
			}
		}
		if got := w.TotalCalls(); got != 5 {
			t.Errorf("TotalCalls() = %d, want 5", got)
		}
	})
}

func TestEditLeavesErrorsAlone(t *testing.T) {
	w := newStrictWorld(t)
	w.Fail(wechattest.OpVerify, 1, wechattest.Fault{Edit: func(map[string]any) { t.Error("Edit was called for an error") }})
	if err := w.client(t, official).Verify(t.Context(), "x", "oX"); !errors.Is(err, wechat.ErrTokenInvalid) {
		t.Errorf("Verify of an unknown token = %v, want %v", err, wechat.ErrTokenInvalid)
	}
}
