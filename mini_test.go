package scangate_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

func TestMiniProgramLogsTheDesktopIn(t *testing.T) {
	w := newWorld(t, miniOnly, func(c *scangate.Config) {
		c.Locate = func(netip.Addr) string { return "Beijing" }
	})
	desktop, phone := w.desktop(), w.mini("lin")
	s := desktop.start()
	if want := appURL + "/wechat/scan/" + s.ID; s.ScanURL != want || s.QRURL == "" {
		t.Errorf("login: scan_url = %q, qr_url = %q, want %q and a picture", s.ScanURL, s.QRURL, want)
	}
	a := phone.enter(s)
	wantStep(t, "scan", a, "confirm")
	if a.App != "Example" || a.Browser != "Chrome" || a.System != "Windows" || a.Place != "Beijing" || a.Number != s.MatchNumber || len(a.Token) != 26 {
		t.Errorf("scan: %s, want the application, the browser, its place and the number", a.body)
	}
	if got := desktop.state(s); got != "scanned" {
		t.Errorf("state after the scan = %q, want scanned", got)
	}
	if a := phone.answer(s, "approve"); a.State != "approved" {
		t.Errorf("approve: %s, want the state approved", a.body)
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther || desktop.user() == "" {
		t.Errorf("finish: status = %d, want 303 and a session", a.StatusCode)
	}
	want := []string{"started", "scanned", "identified", "registered", "approved", "finished"}
	if got := w.happened(); !slices.Equal(got, want) {
		t.Errorf("events = %v, want %v", got, want)
	}
}

func TestMiniProgramCostsOneCallForAKnownUser(t *testing.T) {
	w := newWorld(t, miniOnly)
	for range 2 {
		desktop, phone := w.desktop(), w.mini("lin")
		before := w.wechat.Calls(wechattest.OpSession)
		s := desktop.start()
		phone.enter(s)
		phone.answer(s, "approve")
		desktop.finish(s)
		if got := w.wechat.Calls(wechattest.OpSession) - before; got != 1 || desktop.user() == "" {
			t.Errorf("login: %d exchanges, user %q, want 1 and a user", got, desktop.user())
		}
	}
	for _, op := range []wechattest.Op{wechattest.OpStableToken, wechattest.OpToken, wechattest.OpExchange, wechattest.OpUserInfo, wechattest.OpMiniProgramCode} {
		if got := w.wechat.Calls(op); got != 0 {
			t.Errorf("%s: %d calls, want none", op, got)
		}
	}
}

func TestMiniProgramLogsItselfIn(t *testing.T) {
	w := newWorld(t, miniOnly)
	phone := w.mini("lin")
	code := phone.loginCode()
	a := phone.post("/wechat/mini/login", map[string]any{"code": code})
	var keys map[string]any
	if err := json.Unmarshal([]byte(a.body), &keys); err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("login: status = %d, body = %s, want 200", a.StatusCode, a.body)
	}
	if got, want := slices.Sorted(maps.Keys(keys)), []string{"cookie", "expires_at", "session"}; !slices.Equal(got, want) {
		t.Errorf("login: keys = %v, want %v", got, want)
	}
	if got := w.openSession(a).user(); got == "" || a.Cookie != "__Host-session" {
		t.Errorf("request with the session: user %q with the cookie %q, want a user with __Host-session", got, a.Cookie)
	}
	again := phone.post("/wechat/mini/login", map[string]any{"code": code})
	if again.Session != a.Session || w.wechat.Calls(wechattest.OpSession) != 1 {
		t.Errorf("the same request again: another session, or %d calls to WeChat, want the same and 1", w.wechat.Calls(wechattest.OpSession))
	}
	if got, want := w.happened(), []string{"started", "identified", "registered", "finished"}; !slices.Equal(got, want) {
		t.Errorf("events = %v, want %v", got, want)
	}
	if strings.Contains(w.log.String(), code) || strings.Contains(w.log.String(), a.Session) {
		t.Errorf("log contains the code or the session:\n%s", w.log.String())
	}
}
