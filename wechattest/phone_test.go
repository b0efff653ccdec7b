package wechattest_test

import (
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

func TestPhone(t *testing.T) {
	w := newStrictWorld(t)
	phone := w.Phone("lin", w.rt, openURL)
	ctx := wechattest.WithRemoteAddr(t.Context(), "203.0.113.9:99")
	resp, err := phone.Open(ctx, authorize(official, callbackURL, wechat.ScopeBase, "s1"))
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, resp); len(w.callbacks) != 1 || got != w.callbacks[0].URL.RawQuery {
		t.Fatalf("Open: body = %q, callbacks = %d, want the query of 1 callback", got, len(w.callbacks))
	}
	if got := w.callbacks[0]; got.UserAgent() != wechattest.UserAgentPhone || got.RemoteAddr != "203.0.113.9:99" {
		t.Errorf("callback: User-Agent = %q, RemoteAddr = %q, want %q, 203.0.113.9:99", got.UserAgent(), got.RemoteAddr, wechattest.UserAgentPhone)
	}
	resp, err = phone.PostForm(ctx, callbackURL, url.Values{"a": {"b"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = read(t, resp)
	if got := w.callbacks[1]; got.Method != http.MethodPost || got.PostFormValue("a") != "b" || got.Header.Get("Origin") != "https://app.example.com" {
		t.Errorf("PostForm: method = %s, form = %v, header = %v, want POST, a=b and the callback's origin", got.Method, got.PostForm, got.Header)
	}
}

func TestPhoneTapOnQRCodePage(t *testing.T) {
	w := newStrictWorld(t)
	phone := w.Phone("wang", w.rt, openURL)
	resp, err := phone.Open(t.Context(), qrconnect(website, "s1"))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err = phone.Tap(t.Context(), resp, wechattest.Refuse); err != nil {
		t.Fatal(err)
	}
	if got := read(t, resp); got != "state=s1" {
		t.Errorf("callback after the refusal: query = %q, want state=s1", got)
	}
}

func TestDeliverTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		simulator := wechattest.NewStrict(t, official)
		var mu sync.Mutex
		var codes []string
		both := make(chan struct{})
		rt := wechattest.Transport(map[string]http.Handler{
			"open.weixin.qq.com": simulator,
			"app.example.com": http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				mu.Lock()
				if codes = append(codes, r.FormValue("code")); len(codes) == 2 {
					close(both)
				}
				mu.Unlock()
				// Two deliveries one after the other would block here, and synctest
				// would report a deadlock.
				<-both
			}),
		})
		simulator.DeliverTwice(true)
		phone := simulator.Phone("lin", rt, openURL)
		resp, err := phone.Open(t.Context(), authorize(official, callbackURL, wechat.ScopeBase, "s1"))
		if err != nil {
			t.Fatal(err)
		}
		_ = read(t, resp)
		if len(codes) != 2 || codes[0] != codes[1] || codes[0] == "" {
			t.Errorf("delivered codes = %q, want the same code twice", codes)
		}
	})
}

func TestDeliverTwiceAppliesToCallbacksOnly(t *testing.T) {
	w := newStrictWorld(t)
	w.DeliverTwice(true)
	phone := w.Phone("lin", w.rt, openURL)
	resp, err := phone.Open(t.Context(), callbackURL)
	if err != nil {
		t.Fatal(err)
	}
	_ = read(t, resp)
	if len(w.callbacks) != 1 {
		t.Errorf("requests after opening a page of the application = %d, want 1", len(w.callbacks))
	}
}
