package scangate_test

import (
	"context"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// waysOf is the way of each event of a login, and the way that OnLogin got.
type waysOf struct{ onLogin scangate.Way }

// note is an option of newWorld.
func (o *waysOf) note(c *scangate.Config) {
	c.OnLogin = func(_ context.Context, l scangate.Login) error {
		o.onLogin = l.Way
		return nil
	}
}

// check compares the ways of all events since the world was made, and that of OnLogin.
// Events of requests that were refused belong to no login.
func (o *waysOf) check(t *testing.T, w *world, want scangate.Way, names string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var got []string
	for _, e := range w.events {
		if e.Name == scangate.EventRefused {
			continue
		}
		got = append(got, string(e.Name))
		if e.Way != want {
			t.Errorf("event %s: way = %q, want %q", e.Name, e.Way, want)
		}
	}
	if strings.Join(got, " ") != names {
		t.Errorf("events = %q, want %q", got, names)
	}
	if o.onLogin != want {
		t.Errorf("OnLogin: way = %q, want %q", o.onLogin, want)
	}
}

// Every event of a login, and OnLogin, have the way of the login.
func TestEventsHaveTheWayOfTheLogin(t *testing.T) {
	t.Run("web by a scan", func(t *testing.T) {
		ways := &waysOf{}
		w := newWorld(t, ways.note)
		w.scanLogin(w.desktop(), w.phone("lin"))
		ways.check(t, w, scangate.WayWeb, "started scanned identified registered approved finished")
	})
	t.Run("web in WeChat", func(t *testing.T) {
		ways := &waysOf{}
		w := newWorld(t, ways.note)
		w.phone("lin").open("/wechat/login")
		ways.check(t, w, scangate.WayWeb, "started identified registered finished")
	})
	t.Run("website", func(t *testing.T) {
		ways := &waysOf{}
		w := newWorld(t, withWebsiteOnly, ways.note)
		desktop := w.desktop()
		desktop.get(w.approvedCallback(desktop, "lin", "/wechat/login"))
		ways.check(t, w, scangate.WayWebsite, "started identified registered finished")
	})
	t.Run("follow", func(t *testing.T) {
		ways := &waysOf{}
		w := newChatWorld(t, scangate.ScanFollow, ways.note)
		w.login(w.desktop(), "lin")
		ways.check(t, w.world, scangate.WayFollow, "started scanned identified registered approved finished")
	})
	t.Run("message", func(t *testing.T) {
		ways := &waysOf{}
		w := newChatWorld(t, scangate.ScanMessage, withoutSecret, ways.note)
		desktop := w.desktop()
		s := desktop.start()
		question := w.pusher.Text("lin", s.Digits)
		w.push(question)
		w.push(question) // a repeated message adds no event
		w.say("lin", "1")
		desktop.finish(s)
		ways.check(t, w.world, scangate.WayMessage, "started scanned identified registered approved finished")
	})
}

// A refusal in a chat has the way. That of a request has only what the request names.
func TestRefusedEventsHaveTheWayInAChat(t *testing.T) {
	w := newChatWorld(t, scangate.ScanFollow, func(c *scangate.Config) { c.Registration.Mode = scangate.RegisterClosed })
	s := w.desktop().start()
	w.scanCode("wang", s)
	w.desktop().get(s.StateURL)
	w.mu.Lock()
	defer w.mu.Unlock()
	var got []string
	for _, e := range w.events {
		if e.Name == scangate.EventRefused {
			got = append(got, e.Reason+" "+string(e.Way))
		}
	}
	if want := "not_registered follow, unknown "; strings.Join(got, ", ") != want {
		t.Errorf("refused events = %q, want %q", strings.Join(got, ", "), want)
	}
}
