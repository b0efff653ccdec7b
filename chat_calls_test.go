package scangate_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// messageLogin logs the desktop in by digits that the person sends and confirms.
func (w *chatWorld) messageLogin(desktop *browser, person string) {
	w.t.Helper()
	s := desktop.start()
	w.say(person, s.Digits)
	if got := w.say(person, "1"); got != textApproved {
		w.t.Fatalf("reply to 1: %q, want %q", got, textApproved)
	}
	if a := desktop.finish(s); a.StatusCode != http.StatusSeeOther {
		w.t.Fatalf("finish: status = %d, want %d\n%s", a.StatusCode, http.StatusSeeOther, a.body)
	}
}

// The calls to WeChat that a login costs. The account's token, which lasts two hours, is
// one more call for all of them.
func TestCallsOfALoginInAChat(t *testing.T) {
	t.Parallel()
	follow := func(w *chatWorld, desktop *browser, person string) { w.login(desktop, person) }
	for _, c := range []struct {
		name          string
		mode          scangate.ScanMode
		options       []func(*scangate.Config)
		login         func(*chatWorld, *browser, string)
		first, second map[wechattest.Op]int // calls of a new person's login, and of a known user's
	}{
		{"follow", scangate.ScanFollow, nil, follow, map[wechattest.Op]int{wechattest.OpCreateQRCode: 1}, map[wechattest.Op]int{wechattest.OpCreateQRCode: 1}},
		{
			"follow, with a website", scangate.ScanFollow,
			[]func(*scangate.Config){withWebsite},
			follow,
			map[wechattest.Op]int{wechattest.OpCreateQRCode: 1, wechattest.OpFollower: 1},
			map[wechattest.Op]int{wechattest.OpCreateQRCode: 1},
		},
		{"message", scangate.ScanMessage, []func(*scangate.Config){withoutSecret}, (*chatWorld).messageLogin, nil, nil},
		{"message, with a Secret", scangate.ScanMessage, nil, (*chatWorld).messageLogin, nil, nil},
		{
			"message, with a website", scangate.ScanMessage,
			[]func(*scangate.Config){withWebsite},
			(*chatWorld).messageLogin,
			map[wechattest.Op]int{wechattest.OpFollower: 1},
			nil,
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newChatWorld(t, c.mode, c.options...)
			followAccount(t, w, "lin")
			for i, want := range []map[wechattest.Op]int{c.first, c.second, c.second} {
				before, beforeToken := w.wechat.TotalCalls(), w.wechat.Calls(wechattest.OpStableToken)
				counts := map[wechattest.Op]int{}
				for op := range c.first {
					counts[op] = w.wechat.Calls(op)
				}
				desktop := w.desktop()
				c.login(w, desktop, "lin")
				synctest.Wait() // for calls after the reply
				total := 0
				for op, n := range want {
					total += n
					if got := w.wechat.Calls(op) - counts[op]; got != n {
						t.Errorf("%s, login %d: %d calls of %s, want %d", c.name, i+1, got, op, n)
					}
				}
				tokens := w.wechat.Calls(wechattest.OpStableToken) - beforeToken
				if got := w.wechat.TotalCalls() - before - tokens; got != total || i > 0 && tokens > 0 {
					t.Errorf("%s, login %d: %d calls and %d of the token, want %d and the token once at most", c.name, i+1, got, tokens, total)
				}
				if desktop.user() == "" {
					t.Errorf("%s, login %d: no user, want one", c.name, i+1)
				}
			}
		})
	}
}

// An application with a central token service: the gate fetches no token of its own.
func TestTokensOfACentralService(t *testing.T) {
	var service *wechat.Client
	asked := 0
	w := newChatWorld(t, scangate.ScanFollow, func(c *scangate.Config) {
		c.Push.TokenSource = func(ctx context.Context) (wechat.AccountToken, error) {
			asked++
			return service.AccessToken(ctx)
		}
	})
	var err error
	if service, err = wechat.NewClient(official, wechat.Endpoint{}, &http.Client{Transport: w.hosts}); err != nil {
		t.Fatal(err)
	}
	w.login(w.desktop(), "lin")
	w.login(w.desktop(), "lin")
	if calls := w.wechat.Calls(wechattest.OpStableToken); asked != 1 || calls != 1 {
		t.Errorf("two logins: the source was called %d times and fetched %d tokens, want 1 and 1", asked, calls)
	}
}
