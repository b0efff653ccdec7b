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

	"github.com/scangate/scangate/internal/state"
)

// polls is how many polls of a login end without a change.
const polls = 10

// cost is what logins cost Redis, for each.
type cost struct {
	cpu time.Duration
	out float64 // bytes
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
	var processes []*Store
	for len(processes) < 4 { // which the requests reach
		processes = append(processes, b.New(t, Options{Addr: server.Addr, Ping: time.Hour}))
		Listen(t, server, processes[len(processes)-1])
	}
	var first cost
	listening := 1
	for i, count := range counts {
		for ; listening < count; listening++ {
			Listen(t, server, b.New(t, Options{Addr: server.Addr, Ping: time.Hour}))
		}
		run := processes[:min(count, len(processes))]
		got := costOf(t, server, run, fmt.Sprint("warm up ", count), logins)
		for try := range Crowd(1, 3) { // the least, because other programs only add to it
			again := costOf(t, server, run, fmt.Sprint("login ", count, " ", try), logins)
			got = cost{min(got.cpu, again.cpu), min(got.out, again.out)}
		}
		t.Logf("%d processes: %v of Redis's CPU and %.0f bytes out for each login", count, got.cpu, got.out)
		if i == 0 {
			first = got
			continue
		}
		if got.out > 1.3*first.out {
			t.Errorf("bytes out for a login with %d processes = %.0f, want at most 1.3 times the %.0f with one", count, got.out, first.out)
		}
		if LargeCrowd() && got.cpu > first.cpu*13/10 {
			t.Errorf("CPU for a login with %d processes = %v, want at most 1.3 times the %v with one", count, got.cpu, first.cpu)
		}
	}
}

// costOf runs logins and returns what each cost Redis.
func costOf(t *testing.T, server *Server, processes []*Store, name string, logins int) cost {
	t.Helper()
	before := server.spent()
	each := func(do func(t *testing.T, process func() *Store, key string)) {
		var work sync.WaitGroup
		var next atomic.Int64
		for range 16 {
			work.Go(func() {
				for i := next.Add(1); i <= int64(logins); i = next.Add(1) {
					request := i
					do(t, func() *Store { // each request reaches another process
						request++
						return processes[request%int64(len(processes))]
					}, fmt.Sprint(name, " ", i))
				}
			})
		}
		work.Wait()
	}
	each(pollLogin)
	polled := time.Now()
	// A real poll ends long before the phone scans, so that its registration is gone.
	gone := func() bool {
		return time.Since(polled) > 1500*time.Millisecond && registered(t, server, fmt.Sprint("{scangate}:state:", name, " ", logins)) == ""
	}
	if !Within(Patience, gone) {
		t.Fatal("registrations after the polls = some, want none")
	}
	each(finishLogin)
	after := server.spent()
	return cost{(after.cpu - before.cpu) / time.Duration(logins), (after.out - before.out) / float64(logins)}
}

// pollLogin does with a record what a gate does until the phone scans.
func pollLogin(t *testing.T, process func() *Store, key string) {
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
func finishLogin(t *testing.T, process func() *Store, key string) {
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

// spent returns what the server has used since its start.
func (s *Server) spent() cost {
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
	return cost{time.Duration(seconds * float64(time.Second)), number("total_net_output_bytes")}
}
