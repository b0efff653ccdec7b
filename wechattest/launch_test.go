package wechattest_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// linked is a mini program with a rule for plain links.
var linked = wechattest.App{
	Account: mini.Account, MiniProgram: true,
	Links: []wechattest.LinkRule{{Prefix: "https://app.example.com/wechat/scan/", Page: "pages/login/login"}},
}

func TestOpenLink(t *testing.T) {
	w := worldOf(wechattest.NewStrict(t, linked, official))
	phone := w.Phone("lin", w.rt, openURL)
	link := "https://app.example.com/wechat/scan/ABC?a=b c"
	for reading, scene := range map[wechattest.Reading]int{wechattest.Scanning: 1011, wechattest.LongPress: 1012, wechattest.FromAlbum: 1013} {
		launch, err := phone.OpenLink(link, reading)
		if err != nil || launch.AppID != mini.AppID || launch.Scene != scene || launch.Page != "pages/login/login" || launch.Query["scancode_time"] == "" {
			t.Errorf("OpenLink by %d = %+v, %v, want the login page with scene %d", reading, launch, err, scene)
		}
		if got, err := url.PathUnescape(launch.Query["q"]); err != nil || got != link || strings.ContainsAny(launch.Query["q"], ":/? +") {
			t.Errorf("OpenLink by %d: q = %q, want the link, encoded once", reading, launch.Query["q"])
		}
	}
	for _, foreign := range []string{"https://evil.example/wechat/scan/ABC", "http://app.example.com/wechat/scan/ABC", "https://app.example.com/wechat/login", ""} {
		if launch, err := phone.OpenLink(foreign, wechattest.Scanning); err == nil {
			t.Errorf("OpenLink(%q) = %+v, want an error", foreign, launch)
		}
	}
}

func TestOpenPicture(t *testing.T) {
	w := worldOf(wechattest.NewStrict(t, linked))
	phone, code := w.Phone("lin", w.rt, openURL), wechat.MiniProgramCode{Scene: "a=1&b", Page: "pages/login/login"}
	for range 2 { // the same code is the same picture
		picture, err := w.client(t, linked).MiniProgramCode(t.Context(), code)
		if err != nil {
			t.Fatalf("MiniProgramCode: %v", err)
		}
		for reading, scene := range map[wechattest.Reading]int{wechattest.Scanning: 1047, wechattest.LongPress: 1048, wechattest.FromAlbum: 1049} {
			launch, err := phone.OpenPicture(picture.Data, reading)
			if err != nil || launch.Scene != scene || launch.Page != code.Page || launch.Query["scene"] != "a%3D1%26b" {
				t.Errorf("OpenPicture by %d = %+v, %v, want scene %d and the code's own, encoded", reading, launch, err, scene)
			}
		}
	}
	if launch, err := phone.OpenPicture([]byte("x"), wechattest.Scanning); err == nil {
		t.Errorf("OpenPicture of another picture = %+v, want an error", launch)
	}
}

func TestOpenCard(t *testing.T) {
	w := worldOf(wechattest.NewStrict(t, linked, official))
	phone := w.Phone("lin", w.rt, openURL)
	launch, err := phone.OpenCard(mini.AppID, "pages/login/login?scene=ABC&q=x&=y")
	if err != nil || launch.Scene != 1007 || launch.Page != "pages/login/login" || len(launch.Query) != 2 || launch.Query["scene"] != "ABC" {
		t.Errorf("OpenCard = %+v, %v, want scene 1007 with the sender's query", launch, err)
	}
	for _, appID := range []string{official.AppID, "wx0000000000000000"} {
		if launch, err := phone.OpenCard(appID, "pages/login/login"); err == nil {
			t.Errorf("OpenCard of %s = %+v, want an error", appID, launch)
		}
	}
}

// failingTB notes whether a test failed.
type failingTB struct {
	testing.TB
	text string
}

func (f *failingTB) Helper() {}
func (f *failingTB) Fatalf(format string, args ...any) {
	f.text = format
	panic(f) // as Fatalf ends the test
}

func TestLogInByMiniProgram(t *testing.T) {
	simulator := wechattest.NewStrict(t, linked)
	answer, status := `{"session":"s","cookie":"__Host-session"}`, http.StatusOK
	application := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Type") != "application/json" || r.Method != http.MethodPost {
			t.Errorf("request = %s with %q, want a POST of JSON", r.Method, r.Header.Get("Content-Type"))
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatalf("make a cookie jar: %v", err)
	}
	client := &http.Client{Jar: jar, Transport: wechattest.Transport(map[string]http.Handler{"app.example.com": application})}
	const address = "https://app.example.com/wechat/mini/login"
	simulator.LogInByMiniProgram(t, client, address, linked.AppID, "lin")
	u, err := url.Parse("https://app.example.com/account")
	if err != nil {
		t.Fatalf("parse a URL: %v", err)
	}
	if got := jar.Cookies(u); len(got) != 1 || got[0].Name != "__Host-session" || got[0].Value != "s" {
		t.Errorf("cookies = %v, want the session", got)
	}
	fails := func(name, appID, person string) {
		f := &failingTB{TB: t}
		defer func() {
			if reason := recover(); reason != any(f) {
				t.Errorf("%s: got %v, want the test to fail", name, reason)
			}
		}()
		simulator.LogInByMiniProgram(f, client, address, appID, person)
	}
	fails("an unknown person", linked.AppID, "x")
	fails("an unknown mini program", "wx0000000000000000", "lin")
	answer = `{"step":"phone","token":"t"}`
	fails("a login with more steps", linked.AppID, "lin")
	answer, status = `{"code":"not_registered"}`, http.StatusForbidden
	fails("a refusal", linked.AppID, "lin")
	client.Jar = nil
	fails("a client without a Jar", linked.AppID, "lin")
}

// TestLogInByMiniProgramExample runs the test that the example shows.
func TestLogInByMiniProgramExample(t *testing.T) { testMiniProgram(t) }
