package redistest

import (
	"context"
	"fmt"
	"slices"
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

// fleet is a server with processes that listen, most of which no request reaches.
type fleet struct {
	count   int
	server  *Server
	reached []scangate.StateStore
	idle    float64 // share of a core that the server uses without logins; 0 unless measured
}

// startFleet starts a server with that many processes.
func startFleet(t *testing.T, b Backend, count int) *fleet {
	t.Helper()
	f := &fleet{count: count, server: Start(t)}
	for len(f.reached) < count {
		store := b.New(t, Options{Addr: f.server.Addr, Limit: Patience, Ping: time.Hour})
		Listen(t, f.server, store)
		f.reached = append(f.reached, store)
	}
	f.reached = f.reached[:min(count, 4)]
	costOf(t, f.server, f.reached, "warm up", 20)
	if !LargeCrowd() {
		return f // only a large crowd has a limit for the CPU
	}
	before, begun := f.server.Spent(), time.Now()
	Within(Patience, func() bool { return time.Since(begun) > 2*time.Second })
	f.idle = float64(f.server.Spent().CPU-before.CPU) / float64(time.Since(begun))
	return f
}

// testCostOfProcesses measures a login with different numbers of processes that listen.
// The rounds alternate between them, so that other programs disturb all alike.
func testCostOfProcesses(t *testing.T, b Backend) {
	WallClock(t)
	counts, logins := []int{1, 20}, 20
	if LargeCrowd() {
		counts, logins = []int{1, 10, 100, 1000}, 200
	}
	var fleets []*fleet
	for _, count := range counts {
		fleets = append(fleets, startFleet(t, b, count))
	}
	least := make([]float64, len(fleets))    // of each fleet's CPU, as part of the first one's
	leastOut := make([]float64, len(fleets)) // and of its bytes
	for round := range Crowd(3, 5) {
		if round > 0 && !LargeCrowd() && slices.Max(leastOut) <= 1.3 {
			break // the first round was not disturbed
		}
		var first Cost
		for i, f := range fleets {
			begun := time.Now()
			got := costOf(t, f.server, f.reached, fmt.Sprint("login ", round), logins)
			got.CPU -= time.Duration(f.idle * float64(time.Since(begun)) / float64(logins))
			if i == 0 {
				first = got
			}
			share := float64(got.CPU) / float64(first.CPU)
			if round == 0 || share < least[i] {
				least[i] = share
			}
			out := got.Out / first.Out
			if round == 0 || out < leastOut[i] {
				leastOut[i] = out
			}
			if LargeCrowd() && out > 1.3 {
				t.Errorf("bytes out for a login with %d processes = %.2f times those with one, want at most 1.3", f.count, out)
			}
			t.Logf("%d processes: %v of Redis's CPU (%.2f) and %.0f bytes (%.2f) out for each login", f.count, got.CPU, share, got.Out, out)
		}
	}
	for i, f := range fleets {
		if !LargeCrowd() && leastOut[i] > 1.3 {
			t.Errorf("bytes out for a login with %d processes = %.2f times those with one, want at most 1.3", f.count, leastOut[i])
		}
		if LargeCrowd() && least[i] > 1.3 {
			t.Errorf("CPU for a login with %d processes = %.2f times that with one, want at most 1.3", f.count, least[i])
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
		// On a busy machine the script of a poll may run after the one that ends its
		// registration. The registration then lasts until the next change, which costs one
		// message.
		if !Within(Patience, gone) {
			t.Log("a registration is left after the polls")
		}
	})
	return server.Spent().per(before, logins)
}

// RunLogins changes records as gates change logins, 16 at a time. Each request
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

// pollLogin creates a record and polls it, as a gate does until the phone scans.
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

// finishLogin changes a record as a gate does from the scan on: two changes that the
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
			ctx, cancel := context.WithTimeout(t.Context(), Patience)
			defer cancel()
			_, _, err := waits.Wait(ctx, key, seen)
			woken <- err
		}()
		<-time.After(5 * time.Millisecond) // for the poll to reach Redis
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
