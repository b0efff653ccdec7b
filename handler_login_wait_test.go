package scangate_test

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

func TestWaitEndsWithTheNextState(t *testing.T) {
	w := newWorld(t)
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	news := make(chan string)
	for _, step := range []struct {
		seen, want string
		do         func()
	}{
		{"waiting", "scanned", func() { phone.scan(s) }},
		{"scanned", "approved", func() { phone.answer(s, "approve") }},
	} {
		go func() { news <- desktop.stateSince(s, step.seen) }()
		step.do()
		if got := <-news; got != step.want {
			t.Errorf("wait after %s: state = %q, want %q", step.seen, got, step.want)
		}
	}
}

func TestWaitEndsAfter25Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		desktop := w.desktop()
		s := desktop.start()
		began := time.Now()
		if got := desktop.stateSince(s, "waiting"); got != "waiting" || time.Since(began) != 25*time.Second {
			t.Errorf("wait without a change: state = %q after %v, want waiting after 25s", got, time.Since(began))
		}
	})
}

func TestWaitsPerLoginAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 5
		w := newWorld(t)
		desktop := w.desktop()
		s := desktop.start()
		var waits sync.WaitGroup
		for range limit {
			waits.Go(func() { desktop.stateSince(s, "waiting") })
		}
		synctest.Wait()
		if got := w.gate.Waiting(); got != limit {
			t.Errorf("Waiting() = %d, want %d", got, limit)
		}
		a := desktop.get(s.StateURL + "?seen=waiting")
		if a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" {
			t.Errorf("wait over the limit: status = %d, Retry-After = %q, want 429 and a time", a.StatusCode, a.Header.Get("Retry-After"))
		}
		waits.Wait()
		if got := desktop.stateSince(s, "waiting"); got != "waiting" {
			t.Errorf("wait after the others have ended: state = %q, want waiting", got)
		}
	})
}

func TestWaitsPerProcessAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *scangate.Config) { c.Limits.Waiting = 1 })
		one, two := w.desktop(), w.desktop()
		first, second := one.start(), two.start()
		var waits sync.WaitGroup
		waits.Go(func() { one.stateSince(first, "waiting") })
		synctest.Wait()
		a := two.get(second.StateURL + "?seen=waiting")
		if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
			t.Errorf("second wait with Limits.Waiting 1: status = %d, Retry-After = %q, want 503 and a time", a.StatusCode, a.Header.Get("Retry-After"))
		}
		waits.Wait()
	})
}

func TestWaitEndsWithClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		desktop := w.desktop()
		s := desktop.start()
		began := time.Now()
		news := make(chan string)
		go func() { news <- desktop.stateSince(s, "waiting") }()
		synctest.Wait()
		_ = w.gate.Close()
		if got := <-news; got != "waiting" || time.Since(began) != 0 {
			t.Errorf("wait when the gate closes: state = %q after %v, want waiting at once", got, time.Since(began))
		}
		if a := desktop.get(s.StateURL + "?seen=waiting"); a.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("wait after Close: status = %d, want 503", a.StatusCode)
		}
	})
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		desktop, phone := w.desktop(), w.phone("lin")
		s := desktop.start()
		waiting := make(chan string, 1)
		go func() { waiting <- desktop.stateSince(s, "waiting") }()
		for range 12 { // 12 waits of 25 s are the login's 5 minutes
			if got := <-waiting; got == "expired" {
				break
			}
			go func() { waiting <- desktop.stateSince(s, "waiting") }()
		}
		if got := desktop.state(s); got != "expired" {
			t.Errorf("after 5 minutes: state = %q, want expired", got)
		}
		for name, a := range map[string]answer{"scan": phone.get(s.ScanURL), "finish": desktop.finish(s), "GET the QR code": desktop.get(s.QRURL)} {
			if a.StatusCode != http.StatusGone {
				t.Errorf("%s after 5 minutes: status = %d, want 410", name, a.StatusCode)
			}
		}
		pass(time.Hour)
		if a := phone.get(s.ScanURL); a.StatusCode != http.StatusNotFound {
			t.Errorf("scan an hour later: status = %d, want 404", a.StatusCode)
		}
	})
}

func TestExpiryOnceIdentified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		desktop, phone := w.desktop(), w.phone("lin")
		s := desktop.start()
		pass(4 * time.Minute)
		phone.scan(s)
		pass(9 * time.Minute)
		if got := desktop.state(s); got != "scanned" {
			t.Fatalf("9 minutes after the scan: state = %q, want scanned", got)
		}
		page := phone.get(s.confirmURL())
		pass(2 * time.Minute)
		if a := phone.post(s.confirmURL(), decision(t, page, "approve")); a.StatusCode != http.StatusGone {
			t.Errorf("approve 11 minutes after the scan: status = %d, want 410", a.StatusCode)
		}
		if a := phone.get(s.confirmURL()); a.StatusCode != http.StatusGone {
			t.Errorf("GET the confirm page 11 minutes after the scan: status = %d, want 410", a.StatusCode)
		}
	})
}

func TestCaseA12PollsAsShortAsTheBrowserAsks(t *testing.T) {
	for _, c := range []struct {
		wait string
		want time.Duration
	}{
		{"4", 4 * time.Second},
		{"1", time.Second},
		{"25", 25 * time.Second},
		{"0", time.Second},
		{"-3", time.Second},
		{"3600", 25 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			desktop := w.desktop()
			s := desktop.start()
			began := time.Now()
			if a := desktop.get(s.StateURL + "?seen=waiting&wait=" + c.wait); a.StatusCode != http.StatusOK || time.Since(began) != c.want {
				t.Errorf("poll with wait=%s: status = %d after %v, want 200 after %v", c.wait, a.StatusCode, time.Since(began), c.want)
			}
		})
	}
	w := newWorld(t)
	desktop := w.desktop()
	s := desktop.start()
	if a := desktop.get(s.StateURL + "?seen=waiting&wait=4s"); a.StatusCode != http.StatusBadRequest {
		t.Errorf("poll with wait=4s: status = %d, want 400", a.StatusCode)
	}
}
