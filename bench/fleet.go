package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/bench/internal/redisserver"
	"github.com/scangate/scangate/wechattest"
)

// fleet is the processes of one application: each has a gate, a pool and a subscription
// of its own. They run in this process, but their connections are real.
type fleet struct {
	w       *world
	apps    []http.Handler
	states  []scangate.StateStore
	close   []func()
	cancel  context.CancelFunc // ends the calls of Wait that idle holds
	idle    sync.WaitGroup
	servers []*redisserver.Server
}

// newFleet returns n processes. open makes the storage of one.
func newFleet(ctx context.Context, w *world, n int, servers []*redisserver.Server, open func() (storage, error)) (*fleet, error) {
	f := &fleet{w: w, servers: servers, cancel: func() {}}
	for range n {
		s, err := open()
		if err != nil {
			f.stop()
			return nil, err
		}
		f.close = append(f.close, s.close)
		gate, err := w.gate(ctx, w.memory, s.configure, func(c *scangate.Config) { c.State = s.state })
		if err != nil {
			f.stop()
			return nil, err
		}
		f.close = append(f.close, func() { _ = gate.Close() })
		f.apps = append(f.apps, application("/wechat/", gate, gate.RequireWeChat))
		f.states = append(f.states, s.state)
	}
	return f, nil
}

// stop ends all waiting requests and closes the connections.
func (f *fleet) stop() {
	f.cancel()
	f.idle.Wait()
	for i := len(f.close) - 1; i >= 0; i-- {
		f.close[i]()
	}
}

// warmUp logs in once at each process, and leaves one record with a waiter there. All
// connections, scripts and subscriptions are then in place.
func (f *fleet) warmUp(ctx context.Context) error {
	waiting, cancel := context.WithCancel(ctx)
	f.cancel = cancel
	return each(len(f.apps), warmUpWorkers, func(i int) error {
		if err := scanLogin(ctx, f.w, desktopOf(f.apps[i])); err != nil {
			return err
		}
		// Not a browser: it would poll again every 25 s during the measurement.
		key := "bench-" + rand.Text()
		if err := f.states[i].Create(ctx, key, []byte("waiting"), time.Hour); err != nil {
			return err
		}
		f.idle.Go(func() { _, _, _ = f.states[i].Wait(waiting, key, 1) })
		return nil
	})
}

// warmUpWorkers is the number of processes that warm up at the same time.
const warmUpWorkers = 8

// each calls do for 0 to n-1 with several workers, and returns their errors.
func each(n, workers int, do func(i int) error) error {
	errs := make([]error, workers)
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			for i := worker; i < n && errs[worker] == nil; i += workers {
				errs[worker] = do(i)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// polledLogin is a login whose browser polls, as the login page does.
type polledLogin struct {
	desktop, phone *visitor
	id             string
	form           string // approves the login
	polled         chan error
}

// logIn performs n logins, each with a browser at one process and a phone at the next.
// Each browser waits before its phone acts, as outside of benchmarks. There is one worker
// for each server: commands that Redis handles at the same time cost less each, and how
// many those are would otherwise depend on the number of servers and on other load.
func (f *fleet) logIn(ctx context.Context, n int) error {
	logins := make([]*polledLogin, n)
	steps := []func(i int) error{
		func(i int) (err error) { logins[i], err = f.begin(ctx, i); return err },
		func(i int) error { return logins[i].scan(ctx, f.w) },
		func(i int) error { return logins[i].approve(ctx) },
		func(i int) error { return finishLogin(ctx, logins[i].desktop, logins[i].id) },
	}
	for _, step := range steps {
		if err := each(n, len(f.servers), step); err != nil {
			return err
		}
		if err := f.settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// begin opens the login page of login i and lets its browser poll.
func (f *fleet) begin(ctx context.Context, i int) (*polledLogin, error) {
	l := &polledLogin{
		desktop: desktopOf(f.apps[i%len(f.apps)]),
		phone:   &visitor{handler: f.apps[(i+1)%len(f.apps)], agent: wechattest.UserAgentPhone, address: addressOf(1<<20 + i)},
		polled:  make(chan error, 1),
	}
	l.desktop.address = addressOf(i)
	var err error
	if l.id, err = openLoginPage(ctx, l.desktop); err != nil {
		return nil, err
	}
	if _, err := l.desktop.get(ctx, "/wechat/login/"+l.id+"/qr.svg"); err != nil {
		return nil, err
	}
	go func() { l.polled <- pollUntil(ctx, l.desktop, l.id, "approved") }()
	return l, nil
}

// scan performs the phone's requests up to the confirm page.
func (l *polledLogin) scan(ctx context.Context, w *world) (err error) {
	l.form, err = openConfirmPage(ctx, w, l.phone, l.id)
	return err
}

// approve approves the login, and returns when its browser has read that.
func (l *polledLogin) approve(ctx context.Context) error {
	if err := answerConfirmPage(ctx, l.phone, l.id, l.form); err != nil {
		return err
	}
	timer := time.NewTimer(messageTimeout)
	defer timer.Stop()
	select {
	case err := <-l.polled:
		return err
	case <-timer.C:
		return fmt.Errorf("the browser did not read the approval within %v", messageTimeout)
	}
}

// settle returns when the servers have run no command for a moment: all polls wait then.
func (f *fleet) settle(ctx context.Context) error {
	for before := int64(-1); ; {
		if err := pause(ctx); err != nil {
			return err
		}
		calls := int64(0)
		for _, server := range f.servers {
			stats, err := server.Stats(ctx)
			if err != nil {
				return err
			}
			calls += countCalls(stats.Calls)
		}
		if calls == before {
			return nil
		}
		before = calls
	}
}

// countCalls returns the number of commands, without those that keep connections alive
// or read the statistics.
func countCalls(calls map[string]int64) int64 {
	total := int64(0)
	for name, n := range calls {
		if name != "ping" && name != "info" && name != "cluster|slots" {
			total += n
		}
	}
	return total
}

// loginCost is what each server did for one login.
type loginCost []figures

// total returns what all servers did.
func (c loginCost) total() figures {
	total := figures{}
	for _, f := range c {
		for name, v := range f {
			total[name] += v
		}
	}
	return total
}

// busiest returns the work of the server with the most CPU time.
func (c loginCost) busiest() figures {
	return slices.MaxFunc(c, func(a, b figures) int { return cmp.Compare(a[redisColumn], b[redisColumn]) })
}

// idleTime is how long a fleet does nothing, to measure its cost at rest.
const idleTime = time.Second

// measure performs logins and returns the work of the servers for each, without the work that
// they do anyway while browsers wait.
func (f *fleet) measure(ctx context.Context, logins int) (loginCost, error) {
	if err := f.warmUp(ctx); err != nil {
		return nil, err
	}
	if err := f.settle(ctx); err != nil {
		return nil, err
	}
	idleBegan := time.Now()
	idle, err := f.used(ctx, func() error { return sleep(ctx, idleTime) })
	if err != nil {
		return nil, err
	}
	idleTook := time.Since(idleBegan)
	began := time.Now()
	did, err := f.used(ctx, func() error { return f.logIn(ctx, logins) })
	if err != nil {
		return nil, err
	}
	passed := time.Since(began).Seconds() / idleTook.Seconds()
	each := func(total float64) float64 { return total / float64(logins) }
	var cost loginCost
	for i, s := range did {
		cost = append(cost, figures{
			// A smoke test is so short that the subtraction may leave less than nothing.
			redisColumn:    max(0, each(float64(s.CPU)-passed*float64(idle[i].CPU))/1e3),
			commandsColumn: each(float64(countCalls(s.Calls))),
			outColumn:      max(0, each(float64(s.Out)-passed*float64(idle[i].Out))),
		})
	}
	return cost, nil
}

// used returns what each server did while do ran.
func (f *fleet) used(ctx context.Context, do func() error) ([]redisserver.Stats, error) {
	before := make([]redisserver.Stats, len(f.servers))
	after := make([]redisserver.Stats, len(f.servers))
	var err error
	for i, s := range f.servers {
		if before[i], err = s.Stats(ctx); err != nil {
			return nil, err
		}
	}
	if err := do(); err != nil {
		return nil, err
	}
	for i, s := range f.servers {
		if after[i], err = s.Stats(ctx); err != nil {
			return nil, err
		}
		after[i] = after[i].Since(before[i])
	}
	return after, nil
}
