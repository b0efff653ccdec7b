package scangate_test

// Case A19: the answer of a handler that waits for others arrives, even if the server's
// limits are shorter.

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// readmeServer has the limits of the server in the README.
func readmeServer() *http.Server {
	return &http.Server{ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
}

// shortServer has limits below the time for which the gate waits for others.
func shortServer() *http.Server {
	return &http.Server{ReadTimeout: 2 * time.Second, WriteTimeout: 2 * time.Second}
}

// behind puts the application behind the server. WeChat stays without one.
func (w *world) behind(server *http.Server) {
	weChat := w.hosts
	w.serve(server)
	app := w.hosts
	w.hosts = roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "app.example.com" {
			return app.RoundTrip(r)
		}
		return weChat.RoundTrip(r)
	})
}

// lateSender fails a moment after its context has ended.
func lateSender(c *scangate.Config) {
	c.Phone.Require = true
	c.Phone.SendCode = func(ctx context.Context, _, _ string) error {
		<-ctx.Done()
		pass(300 * time.Millisecond)
		return ctx.Err()
	}
}

// TestCaseA19SlowSender: Config.Phone.SendCode returns after its context has ended. The
// phone gets the page that offers another try.
func TestCaseA19SlowSender(t *testing.T) {
	for name, server := range map[string]func() *http.Server{"the README's limits": readmeServer, "short limits": shortServer} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, lateSender)
				w.behind(server())
				phone := w.phone("lin")
				page := phone.open("/account")
				begun := time.Now()
				a := phone.sendCode(page, "13800138000")
				if a.StatusCode != http.StatusBadGateway || !strings.Contains(a.body, "could not be sent") {
					t.Errorf("send a code: status = %d, want %d and a page with %q in\n%s", a.StatusCode, http.StatusBadGateway, "could not be sent", a.body)
				}
				if got, want := time.Since(begun), 8*time.Second+300*time.Millisecond; got != want {
					t.Errorf("send a code: answered after %v, want %v", got, want)
				}
			})
		})
	}
}

// hangingWeChat never answers the server's calls.
func hangingWeChat(c *scangate.Config) {
	c.WeChat.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})}
}

// TestCaseA19SlowCallback: WeChat hangs while the phone sends the callback three times at
// once. Each gets a page: of the exchange that failed, or after 5 seconds that another
// callback is under way.
func TestCaseA19SlowCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hangingWeChat)
		desktop, phone := w.desktop(), w.phone("lin")
		callback := phone.callback(desktop.start())
		w.behind(shortServer())
		slow := w.phone("lin")
		slow.client.Jar = phone.client.Jar
		var round sync.WaitGroup
		for range 3 {
			round.Go(func() {
				a, err := slow.try(t.Context(), false, http.MethodGet, callback, "")
				if err != nil {
					t.Errorf("callback while WeChat hangs: error = %v, want a page", err)
				} else if a.StatusCode != http.StatusBadGateway && a.StatusCode != http.StatusConflict || !strings.Contains(a.body, "<h1>") {
					t.Errorf("callback while WeChat hangs: status = %d, want 502 or 409 and a page, got\n%s", a.StatusCode, a.body)
				}
			})
		}
		round.Wait()
	})
}

// slowOnLogin allows every login after 5 seconds.
func slowOnLogin(c *scangate.Config) {
	c.OnLogin = func(ctx context.Context, _ scangate.Login) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Second):
			return nil
		}
	}
}

// TestCaseA19SlowOnLogin: Config.OnLogin takes longer than the server's limits. Both ends
// of a login arrive: the callback of a same-device login, and the desktop's finish.
func TestCaseA19SlowOnLogin(t *testing.T) {
	t.Run("callback", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, slowOnLogin)
			w.behind(shortServer())
			phone := w.phone("lin")
			if a := phone.open("/account"); !strings.HasPrefix(a.body, "user ") {
				t.Errorf("login inside WeChat: status = %d, want the account page, got\n%s", a.StatusCode, a.body)
			}
		})
	})
	t.Run("finish", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, slowOnLogin)
			w.behind(shortServer())
			w.scanLogin(w.desktop(), w.phone("lin"))
		})
	})
}

// TestCaseA19MiniPrograms: WeChat hangs while it is asked for a mini program. Each of the gate's
// routes answers with a problem.
func TestCaseA19MiniPrograms(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		send   func(w *world, desktop *browser, s scan) answer
	}{
		{"enter", http.StatusBadGateway, func(w *world, _ *browser, s scan) answer { return w.mini("lin").enter(s).answer }},
		{"its own login", http.StatusBadGateway, func(w *world, _ *browser, _ scan) answer {
			phone := w.mini("lin")
			return phone.post("/wechat/mini/login", map[string]any{"code": phone.loginCode()}).answer
		}},
		{"WeChat's code", http.StatusBadGateway, func(_ *world, desktop *browser, s scan) answer {
			return desktop.get(strings.TrimPrefix(s.QRURL, appURL))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, showsMiniCode, hangingWeChat)
				w.behind(shortServer())
				desktop := w.desktop()
				if a := c.send(w, desktop, desktop.start()); a.StatusCode != c.status {
					t.Errorf("status = %d, want %d, got\n%s", a.StatusCode, c.status, a.body)
				}
			})
		})
	}
}

// TestCaseA19MiniProgramsNumber is TestCaseA19MiniPrograms for the number of a person whom
// WeChat has identified before.
func TestCaseA19MiniProgramsNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := false
		w := newWorld(t, miniOnly, (&texts{}).withPhone, func(c *scangate.Config) {
			next := c.WeChat.HTTPClient.Transport
			c.WeChat.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				if hangs {
					<-r.Context().Done()
					return nil, r.Context().Err()
				}
				return next.RoundTrip(r)
			})}
		})
		w.behind(shortServer())
		phone, s := w.mini("lin"), w.desktop().start()
		wantStep(t, "scan", phone.enter(s), "phone")
		code := phone.numberCode(mobile)
		hangs = true
		if a := phone.number(s, "code", code); a.StatusCode != http.StatusBadGateway {
			t.Errorf("number: status = %d, want %d, got\n%s", a.StatusCode, http.StatusBadGateway, a.body)
		}
	})
}

// TestThreat26GuessWhileSending: the attacker guesses a code while it is being sent. A
// sender that fails has its quotas refunded, so these guesses would come on top of those
// that the quotas allow. A code counts only once it was delivered.
func TestThreat26GuessWhileSending(t *testing.T) {
	var attacker *browser
	var page answer
	w := newWorld(t, func(c *scangate.Config) {
		c.Phone.Require = true
		c.Phone.SendCode = func(_ context.Context, _, code string) error {
			form := url.Values{"token": {page.find(t, tokenPattern)}, "code": {code}}
			if got := attacker.post(page.Request.URL.Path, form).StatusCode; got != http.StatusForbidden {
				t.Errorf("the right code before it was delivered: status = %d, want %d", got, http.StatusForbidden)
			}
			return errors.New("no credit")
		}
	})
	attacker = w.phone("lin")
	page = attacker.open("/account")
	attacker.sendCode(page, mobile)
	if got := attacker.user(); got != "" {
		t.Errorf("the right code before it was delivered: user = %q, want none", got)
	}
}
