package scangate_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechattest"
)

// TestEventsCarryTheLoginsStart finishes a login in another process than it started in.
func TestEventsCarryTheLoginsStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := scangate.NewMemoryStore()
		sharing := func(c *scangate.Config) { c.Users, c.State = shared, shared }
		first, second := newWorld(t, sharing), newWorld(t, sharing)
		desktop, phone := first.desktop(), first.phone("lin")
		began := time.Now()
		s := desktop.start()
		pass(7 * time.Second)
		phone.scan(s)
		phone.answer(s, "approve")
		pass(4 * time.Second)
		desktop.client.Transport = second.hosts
		desktop.finish(s)
		events := append(first.events, second.events...)
		if n := len(second.events); n != 1 || second.events[0].Name != scangate.EventFinished {
			t.Fatalf("finish in the second process: events = %v, want one finished", second.happened())
		}
		for _, e := range events {
			if !e.Started.Equal(began) || e.Login != s.ID[:8] {
				t.Errorf("event %s: login = %q, started = %v, want %q, %v", e.Name, e.Login, e.Started, s.ID[:8], began)
			}
		}
		if took := events[len(events)-1].Time.Sub(began); took != 11*time.Second {
			t.Errorf("last event: %v after the start, want 11s", took)
		}
	})
}

func TestEventsWithoutALogin(t *testing.T) {
	w := newWorld(t)
	desktop := w.desktop()
	w.scanLogin(desktop, w.phone("lin"))
	s := desktop.start()
	attacker := w.desktop() // not logged in, unlike the desktop
	attacker.get("/wechat/callback?code=c0de&state=" + s.ID + "0" + strings.Repeat("A", 32))
	desktop.get("/wechat/login/short/state")
	desktop.post("/wechat/logout", nil)
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.events[len(w.events)-3:]
	for i, want := range []scangate.Event{
		{Name: scangate.EventRefused, Reason: "bad_state", Login: s.ID[:8]},
		{Name: scangate.EventRefused, Reason: "unknown"},
		{Name: scangate.EventLoggedOut, UserID: last[2].UserID},
	} {
		want.Time, want.Address = last[i].Time, "192.0.2.1"
		if last[i] != want {
			t.Errorf("event %d of the last 3: got %+v, want %+v", i+1, last[i], want)
		}
	}
}

// tagKey is the key of a request's ID in its context.
type tagKey struct{}

// tagged puts an ID in the context of each request.
func tagged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tagKey{}, "r-17")))
	})
}

// tagHandler is a slog.Handler that logs the request's ID, as applications' handlers do.
type tagHandler struct{ slog.Handler }

func (h tagHandler) Handle(ctx context.Context, r slog.Record) error {
	if id, ok := ctx.Value(tagKey{}).(string); ok {
		r.AddAttrs(slog.String("request", id))
	}
	return h.Handler.Handle(ctx, r)
}

// TestLogsCarryTheRequest provokes one log line of each kind. The gate must log each with
// its request's context, and a refusal with the route and, if there is one, the login.
func TestLogsCarryTheRequest(t *testing.T) {
	log, s := &syncBuffer{}, &texts{fail: errors.New("no credit")}
	logging := func(c *scangate.Config) { c.Logger = slog.New(tagHandler{slog.NewTextHandler(log, nil)}) }
	broken := withTemplates(t, required+`{{define "login.html"}}{{template "required" .}}{{if .QRURL | len | lt 40}}{{index .QRURL 1000}}{{end}}{{end}}`, nil) // New tries shorter URLs
	sessions := scs.New()
	sessions.IdleTimeout, sessions.Cookie.Secure = time.Hour, true
	w := newWorld(t, logging, s.withPhone, broken, func(c *scangate.Config) { c.Session.Manager = sessions })
	desktop, phone := w.desktop(), w.phone("lin")
	hosts := wechattest.Transport(map[string]http.Handler{"app.example.com": tagged(application(w.gate)), "open.weixin.qq.com": w.wechat})
	desktop.client.Transport, phone.client.Transport = hosts, hosts
	login := desktop.start()
	desktop.get("/wechat/login")
	phone.sendCode(phone.scan(login), mobile)
	desktop.get("/wechat/callback?code=c0de&state=" + login.ID + "0" + strings.Repeat("A", 32))
	tagged(sessions.LoadAndSave(w.gate)).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/wechat/me", nil))

	text := log.String()
	for line := range strings.Lines(text) {
		if !strings.Contains(line, " request=r-17\n") {
			t.Errorf("log line: got %s\nwant request=r-17 at its end", line)
		}
	}
	short := login.ID[:8]
	for _, want := range []string{
		`msg="scangate: rendering a page"`,
		`msg="scangate: Config.Phone.SendCode failed"`,
		`code=send_failed`, `route="POST /wechat/phone/{id}/code" login=` + short,
		`code=bad_state`, `route="GET /wechat/callback" login=` + short,
		`LoadAndSave`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("log: got\n%s\nwant it to contain %s", text, want)
		}
	}
	if strings.Contains(text, login.ID) || strings.Contains(text, "c0de") {
		t.Errorf("log: got\n%s\nwant 8 characters of the login ID %s and no code", text, login.ID)
	}
}
