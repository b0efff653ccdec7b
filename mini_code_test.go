package scangate_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate/wechattest"
)

func TestMiniProgramCodeOfWeChat(t *testing.T) {
	w := newWorld(t, showsMiniCode)
	desktop, phone := w.desktop(), w.mini("lin")
	s := desktop.start()
	if want := "/wechat/login/" + s.ID + "/qr.png"; s.QRURL != want {
		t.Errorf("qr_url = %q, want %q", s.QRURL, want)
	}
	if got := w.wechat.Calls(wechattest.OpMiniProgramCode); got != 0 {
		t.Errorf("calls before the picture is asked for = %d, want none", got)
	}
	a := desktop.get(s.QRURL)
	if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "image/jpeg" {
		t.Fatalf("picture: status = %d, type = %q, want 200 and image/jpeg", a.StatusCode, a.Header.Get("Content-Type"))
	}
	launch, err := phone.phone.OpenPicture([]byte(a.body), wechattest.Scanning)
	if err != nil || launch.Scene != 1047 || launch.Page != "pages/login/login" || launch.Query["scene"] != s.ID {
		t.Errorf("scan of the picture: %+v, %v, want pages/login/login with the ID", launch, err)
	}
	var requests sync.WaitGroup
	for range 10 {
		requests.Go(func() {
			if again := desktop.get("/wechat/login/" + s.ID + "/qr.svg"); again.body != a.body {
				t.Errorf("picture again: status = %d, want the same picture", again.StatusCode)
			}
		})
	}
	requests.Wait()
	if got := w.wechat.Calls(wechattest.OpMiniProgramCode); got != 1 {
		t.Errorf("calls for one login = %d, want 1", got)
	}
	if a := w.desktop().get(s.QRURL); a.StatusCode != http.StatusNotFound {
		t.Errorf("picture for another browser: status = %d, want 404", a.StatusCode)
	}
	wantStep(t, "scan", phone.enter(s), "confirm")
	approved(t, desktop, s, phone.answer(s, "approve"))
	if a := desktop.get(s.QRURL); a.StatusCode == http.StatusOK {
		t.Error("picture of a finished login: status = 200, want an error")
	}
}

// A picture costs a call: the calls of an address, the size and the time are bounded, and a
// failure is not kept.
func TestMiniProgramCodeLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, showsMiniCode)
		desktop := w.desktop()
		s := desktop.start()
		for name, fault := range map[string]wechattest.Fault{
			"a page that is not published": {Errcode: 41030},
			"no picture":                   {Body: "<html>"},
			"a large picture":              {Body: "\xff\xd8\xff\xe0" + strings.Repeat("a", 300<<10)},
		} {
			w.wechat.Fail(wechattest.OpMiniProgramCode, 1, fault)
			if a := desktop.get(s.QRURL); a.StatusCode != http.StatusBadGateway || len(a.body) > 10_000 {
				t.Errorf("%s: status = %d, want 502", name, a.StatusCode)
			}
		}
		begun := time.Now()
		w.wechat.Fail(wechattest.OpMiniProgramCode, 1, wechattest.Fault{Hang: true})
		if a := desktop.get(s.QRURL); a.StatusCode != http.StatusBadGateway || time.Since(begun) > 6*time.Second {
			t.Errorf("no answer: status = %d after %v, want 502 within 6s", a.StatusCode, time.Since(begun))
		}
		if a := desktop.get(s.QRURL); a.StatusCode != http.StatusOK {
			t.Errorf("after the failures: status = %d, want 200", a.StatusCode)
		}
		pass(time.Minute)
		before, limited := w.wechat.Calls(wechattest.OpMiniProgramCode), 0
		for range 60 {
			desktop := w.desktop()
			if a := desktop.get(desktop.start().QRURL); a.StatusCode == http.StatusTooManyRequests {
				limited++
			}
		}
		if got := w.wechat.Calls(wechattest.OpMiniProgramCode) - before; got != 20 || limited != 40 {
			t.Errorf("60 logins of one address: %d calls and %d refusals, want 20 and 40", got, limited)
		}
	})
}

func TestMiniProgramLoginPage(t *testing.T) {
	w := newWorld(t, miniOnly)
	desktop := w.desktop()
	a := desktop.get("/wechat/login")
	for _, part := range []string{"confirm in the mini program", "qr.svg", "data-number"} {
		if !strings.Contains(a.body, part) {
			t.Errorf("login page: %q is missing\n%s", part, a.body)
		}
	}
	if strings.Contains(a.body, "follow") || strings.Contains(a.body, `<a class="qr"`) {
		t.Errorf("login page mentions the chat, or links to the code's URL:\n%s", a.body)
	}
	a = w.phone("lin").get("/wechat/login")
	if a.StatusCode != http.StatusOK || !strings.Contains(a.body, "scan its own screen. Open this page on a computer") || strings.Contains(a.body, "Copy the link") {
		t.Errorf("login page on a phone: status = %d, want 200 with a way that works\n%s", a.StatusCode, a.body)
	}
}
