package scangate_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// TestLoginEndsDuringExchange ends a login while the gate exchanges its code. WeChat's
// answer comes too late.
func TestLoginEndsDuringExchange(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(desktop *browser, login scan) wechattest.Fault
		state string
	}{
		{"expires", func(*browser, scan) wechattest.Fault {
			return wechattest.Fault{Delay: 4 * time.Second}
		}, "expired"},
		{"is declined", func(desktop *browser, login scan) wechattest.Fault {
			return wechattest.Fault{Edit: func(map[string]any) { desktop.post(login.FinishURL, url.Values{"answer": {"deny"}}) }}
		}, "denied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(config *scangate.Config) { config.Limits.LoginTTL = time.Minute })
				desktop, phone := w.desktop(), w.phone("lin")
				login := desktop.start()
				pass(57 * time.Second)
				callback := phone.callback(login)
				w.wechat.Fail(wechattest.OpExchange, 1, c.fault(desktop, login))
				for _, which := range []string{"the callback", "the callback again"} {
					if a := phone.get(callback); a.StatusCode != http.StatusGone {
						t.Errorf("%s: status = %d to %q, want 410", which, a.StatusCode, a.location())
					}
				}
				if got := desktop.state(login); got != c.state {
					t.Errorf("after the callback: state = %q, want %q", got, c.state)
				}
				if a := phone.get(login.confirmURL()); strings.Contains(a.body, `value="approve"`) {
					t.Errorf("after the callback: the confirm page still offers to approve:\n%s", a.body)
				}
				if got := w.happened(); slices.Contains(got, "identified") {
					t.Errorf("after the callback: events = %v, want no identified", got)
				}
			})
		})
	}
}
