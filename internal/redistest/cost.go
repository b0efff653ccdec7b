package redistest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/state"
)

// polls is how many polls of a login end without a change.
const polls = 10

// Cost is what a server has spent.
type Cost struct {
	CPU time.Duration
	Out float64 // bytes
}

// per returns the cost since before for each login.
func (c Cost) per(before Cost, logins int) Cost {
	return Cost{(c.CPU - before.CPU) / time.Duration(logins), (c.Out - before.Out) / float64(logins)}
}

// testCostOfProcesses measures a login while more and more processes listen. Most of
// them never have to do with it.
func testCostOfProcesses(t *testing.T, b Backend) {
	WallClock(t)
	counts, logins := []int{1, 20}, 20
	if LargeCrowd() {
		counts, logins = []int{1, 10, 100, 1000}, 200
	}
	server := Start(t)
	var processes []scangate.StateStore
	for len(processes) < 4 { // which the requests reach
		store := b.New(t, Options{Addr: server.Addr, Ping: time.Hour})
		Listen(t, server, store)
		processes = append(processes, store)
	}
	var first Cost
	listening := 1
	for i, count := range counts {
		for ; listening < count; listening++ {
			Listen(t, server, b.New(t, Options{Addr: server.Addr, Ping: time.Hour}))
		}
		run := processes[:min(count, len(processes))]
		got := costOf(t, server, run, fmt.Sprint("warm up ", count), logins)
		for try := range Crowd(1, 3) { // the least, because other programs only add to it
			again := costOf(t, server, run, fmt.Sprint("login ", count, " ", try), logins)
			got = Cost{min(got.CPU, again.CPU), min(got.Out, again.Out)}
		}
		t.Logf("%d processes: %v of Redis's CPU and %.0f bytes out for each login", count, got.CPU, got.Out)
		if i == 0 {
			first = got
			continue
		}
		if got.Out > 1.3*first.Out {
			t.Errorf("bytes out for a login with %d processes = %.0f, want at most 1.3 times the %.0f with one", count, got.Out, first.Out)
		}
		if LargeCrowd() && got.CPU > first.CPU*13/10 {
			t.Errorf("CPU for a login with %d processes = %v, want at most 1.3 times the %v with one", count, got.CPU, first.CPU)
		}
	}
}

// costOf runs logins and returns the cost of each at the server.
func costOf(t *testing.T, server *Server, processes []scangate.StateStore, name string, logins int) Cost {
	t.Helper()
	before := server.Spent()
	RunLogins(t, processes, name, logins, func(last string) {
		polled := time.Now()
		gone := func() bool {
			return time.Since(polled) > 1500*time.Millisecond && registered(t, server, "{scangate}:state:"+last) == ""
		}
		if !Within(Patience, gone) {
			t.Fatal("registrations after the polls = some, want none")
		}
	})
	return server.Spent().per(before, logins)
}

// RunLogins does with records what gates do with logins, 16 at a time. Each request
// reaches another process. A real poll ends long before the phone scans. Therefore
// between, which gets the last key, runs after all polls and waits until nothing is left
// of them.
func RunLogins(t *testing.T, processes []scangate.StateStore, name string, logins int, between func(last string)) {
	t.Helper()
	each := func(do func(t *testing.T, process func() scangate.StateStore, key string)) {
		var work sync.WaitGroup
		var next atomic.Int64
		for range 16 {
			work.Go(func() {
				for i := next.Add(1); i <= int64(logins); i = next.Add(1) {
					request := i
					do(t, func() scangate.StateStore {
						request++
						return processes[request%int64(len(processes))]
					}, fmt.Sprint(name, " ", i))
				}
			})
		}
		work.Wait()
	}
	each(pollLogin)
	between(fmt.Sprint(name, " ", logins))
	each(finishLogin)
}

// pollLogin does with a record what a gate does until the phone scans.
func pollLogin(t *testing.T, process func() scangate.StateStore, key string) {
	if err := process().Create(t.Context(), key, loginValue(), time.Hour); err != nil {
		t.Error(err)
	}
	for range polls {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		_, _, _ = process().Wait(ctx, key, 1)
		cancel()
	}
}

// finishLogin does with a record what a gate does from the scan on: two changes that the
// browser waits for, and three that it does not see.
func finishLogin(t *testing.T, process func() scangate.StateStore, key string) {
	version := int64(1)
	update := func(ctx context.Context) {
		if err := process().Update(ctx, key, version, loginValue(), time.Hour); err != nil {
			t.Error(err)
		}
		version++
	}
	quiet := state.Quietly(t.Context())
	for range 2 {
		update(quiet)
		woken := make(chan error, 1)
		waits, seen := process(), version
		go func() {
			_, _, err := waits.Wait(t.Context(), key, seen)
			woken <- err
		}()
		update(t.Context())
		if err := <-woken; err != nil {
			t.Error(err)
		}
	}
	update(quiet)
}

// loginValue is about as long as the record of a login.
func loginValue() []byte { return []byte(strings.Repeat("x", 500)) }

// Spent returns the CPU time and the bytes sent since the server's start.
func (s *Server) Spent() Cost {
	s.t.Helper()
	info, _ := redis.String(s.Do("INFO", "everything"), nil)
	number := func(name string) float64 {
		_, rest, _ := strings.Cut(info, "\r\n"+name+":")
		text, _, _ := strings.Cut(rest, "\r\n")
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			s.t.Fatalf("INFO: %s = %q, want a number", name, text)
		}
		return n
	}
	seconds := number("used_cpu_sys") + number("used_cpu_user")
	return Cost{time.Duration(seconds * float64(time.Second)), number("total_net_output_bytes")}
}
