package scangate_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/scangate/scangate"
)

// lines returns the lines of the world's log that contain the text.
func (w *world) lines(text string) []string {
	var found []string
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// demandLine fails the test unless the log soon has exactly one line with the text, at
// that level.
func (w *world) demandLine(level, text string) {
	w.t.Helper()
	within(patience, func() bool { return len(w.lines(text)) > 0 })
	if got := w.lines(text); len(got) != 1 || !strings.Contains(got[0], "level="+level) {
		w.t.Errorf("lines with %q = %q, want one at level %s", text, got, level)
	}
}

// Redis goes away and comes back. The log shows each once, and the failures of 128
// requests in a few lines that name Redis.
func TestCaseE07OutageOfRedisInTheLog(t *testing.T) {
	server := miniredis.RunT(t)
	w := newWorld(t, onRedis(t, server.Addr()))
	phone := w.phone("lin")
	phone.open("/account")
	s := w.desktop().start()
	waiting, leave := context.WithCancel(t.Context())
	var poll sync.WaitGroup
	desktop := w.desktop()
	own := desktop.start()
	poll.Go(func() { _, _ = desktop.try(waiting, false, http.MethodGet, own.StateURL+"?seen=waiting", "") })
	defer poll.Wait()
	defer leave()
	if !within(patience, func() bool { return server.PubSubNumSub("{scangate}:wake:all")["{scangate}:wake:all"] == 1 }) {
		t.Fatal("the store has not subscribed")
	}
	server.Close()
	for range 128 {
		if got := phone.get("/account").StatusCode; got != http.StatusServiceUnavailable {
			t.Fatalf("GET /account while Redis is down: status = %d, want %d", got, http.StatusServiceUnavailable)
		}
	}
	phone.get(s.ScanURL)
	w.demandLine("ERROR", "Redis went away")
	w.demandLine("ERROR", "subscription to Redis broke")
	refused := w.lines("request refused")
	if len(refused) > 5 {
		t.Errorf("lines for 129 failures = %d, want at most 5:\n%s", len(refused), strings.Join(refused, ""))
	}
	for _, line := range refused {
		if !strings.Contains(line, "Redis: ") {
			t.Errorf("line of a failure = %q, want one that names Redis", line)
		}
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if !within(patience, func() bool { return phone.get("/account").StatusCode == http.StatusOK }) {
		t.Fatal("after the outage the phone is not logged in")
	}
	w.demandLine("INFO", "Redis is back")
	w.demandLine("INFO", "subscription to Redis was restored")
	if err := w.gate.Close(); err != nil {
		t.Fatal(err)
	}
	if got := w.lines("more requests refused"); len(got) == 0 || !strings.Contains(strings.Join(got, ""), "count=") {
		t.Errorf("lines with the number of failures = %q, want at least one", got)
	}
}

func TestCaseE07StartedWithoutRedis(t *testing.T) {
	server := miniredis.RunT(t)
	addr := server.Addr()
	server.Close()
	w := newWorld(t, onRedis(t, addr))
	w.demandLine("ERROR", "started without Redis")
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	w.desktop().start()
	w.demandLine("INFO", "Redis is back")
	if got := w.lines("went away"); len(got) != 0 {
		t.Errorf("lines with \"went away\" = %q, want none", got)
	}
}

// A store of the application's own logs too.
func TestCaseE07OwnRedisStoreInTheLog(t *testing.T) {
	server := miniredis.RunT(t)
	store := newRedisStore(t, server.Addr(), "")
	w := newWorld(t, func(c *scangate.Config) { c.State = store.RedisStore })
	w.desktop().start()
	server.Close()
	w.desktop().get("/wechat/login")
	w.desktop().get("/wechat/login")
	w.demandLine("ERROR", "Redis went away")
}

// A client that goes away does not count as a failure, nor does the end of the process.
func TestCaseE07CancelledAndClosingAreNoErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := &interceptedUsers{}
		w := newWorld(t, users.wrap)
		phone, desktop := w.phone("lin"), w.desktop()
		phone.open("/account")
		s := desktop.start()
		ctx, leave := context.WithCancel(t.Context())
		users.before = func(ctx context.Context, _ string) error {
			leave()
			<-ctx.Done()
			return ctx.Err()
		}
		_, _ = phone.try(ctx, false, http.MethodGet, "/account", "") // the client may still get the answer
		synctest.Wait()
		if err := w.gate.Close(); err != nil {
			t.Fatal(err)
		}
		if got := desktop.get(s.StateURL + "?seen=waiting").StatusCode; got != http.StatusServiceUnavailable {
			t.Errorf("a poll at a closed gate: status = %d, want %d", got, http.StatusServiceUnavailable)
		}
		if got := w.lines("request refused"); len(got) != 2 {
			t.Errorf("lines of refused requests = %q, want 2", got)
		}
		if got := w.lines("level=ERROR"); len(got) != 0 {
			t.Errorf("lines at level ERROR = %q, want none", got)
		}
	})
}

// A callback that waits for another one is released when the gate is closed.
func TestCaseE07CallbackAtClosingIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := &interceptedUsers{}
		w := newWorld(t, users.wrap)
		phone := w.phone("lin")
		callback := phone.callback(w.desktop().start())
		users.before = func(context.Context, string) error {
			pass(3 * time.Second)
			return nil
		}
		var callbacks sync.WaitGroup
		for range 2 {
			callbacks.Go(func() { phone.tryGet(callback) })
			synctest.Wait()
		}
		if err := w.gate.Close(); err != nil {
			t.Fatal(err)
		}
		callbacks.Wait()
		if got := w.lines("level=ERROR"); len(got) != 0 {
			t.Errorf("lines at level ERROR = %q, want none", got)
		}
	})
}
