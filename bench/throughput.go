package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/bench/internal/redisserver"
)

const (
	// A slice of throughput is this many of another contestant's: logins are long.
	throughputSlices = 20
	profileSlices    = 200
	// Who waits for Redis lets others go on.
	memoryBrowsers, redisBrowsers = 4, 32
)

// throughput measures whole scan logins.
type throughput struct{ profiles string }

// arena is a place for logins: one process, and what it keeps them in.
type arena struct {
	name     string
	browsers int                                         // at one time
	gate     func(context.Context) (http.Handler, error) // makes the application anew
	server   *redisserver.Server                         // nil in memory
	samples  []load
}

// load is what logins took in one round.
type load struct {
	logins                       int64
	perSecond                    float64
	cpu, redisCPU, bytes, allocs float64 // for each
}

func (t throughput) measure(ctx context.Context, out io.Writer, e effort, w *world) error {
	fmt.Fprint(out, "## 4. Whole scan logins\n\n"+
		"Nine requests each: login page, QR code, scan, callback, confirm page, answer, done, the page that names the account, finish.\n"+
		"One process, which is also the browsers, the phones and WeChat (in memory).\n\n")
	arenas := []*arena{{name: "in memory", browsers: memoryBrowsers, gate: w.memoryApplication}}
	server, err := startRedis(ctx, out)
	switch {
	case err == nil:
		defer server.Stop()
		pool := redisserver.Pool(server.Addr)
		defer func() { _ = pool.Close() }()
		arenas = append(arenas, &arena{
			name: "on Redis", browsers: redisBrowsers, server: server,
			gate: func(ctx context.Context) (http.Handler, error) { return w.redisApplication(ctx, pool) },
		})
	case !errors.Is(err, redisserver.ErrNone):
		return err
	}
	for range e.rounds {
		for _, a := range arenas {
			sample, err := a.run(ctx, w, throughputSlices*e.slice)
			if err != nil {
				return err
			}
			a.samples = append(a.samples, sample)
		}
	}
	reportLoads(out, arenas)
	if server != nil {
		if err := w.countCommands(ctx, out, server); err != nil {
			return err
		}
	}
	for _, a := range arenas {
		if err := t.profile(ctx, out, e, w, a); err != nil {
			return err
		}
	}
	return nil
}

// memoryApplication is a new application each time: MemoryStore is full after
// 65,536 logins.
func (w *world) memoryApplication(ctx context.Context) (http.Handler, error) {
	gate, err := w.gate(ctx, w.memory)
	if err != nil {
		return nil, err
	}
	return application("/wechat/", gate, gate.RequireWeChat), nil
}

// redisApplication is a new application on the Redis that the pool leads to.
func (w *world) redisApplication(ctx context.Context, pool *redis.Pool) (http.Handler, error) {
	gate, err := w.gate(ctx, w.memory, func(c *scangate.Config) { c.Redis = pool })
	if err != nil {
		return nil, err
	}
	return application("/wechat/", gate, gate.RequireWeChat), nil
}

// run logs browsers in for as long as d, each one at least once.
func (a *arena) run(ctx context.Context, w *world, d time.Duration) (load, error) {
	app, err := a.gate(ctx)
	if err != nil {
		return load{}, err
	}
	if err := scanLogin(ctx, w, desktopOf(app)); err != nil { // connections, and who is new
		return load{}, err
	}
	runtime.GC()
	before, err := a.usage(ctx)
	if err != nil {
		return load{}, err
	}
	begun := time.Now()
	logins, err := a.logIn(ctx, w, app, d)
	took := time.Since(begun)
	if err != nil {
		return load{}, err
	}
	after, err := a.usage(ctx)
	if err != nil {
		return load{}, err
	}
	each := func(total float64) float64 { return total / float64(logins) }
	return load{
		logins: logins, perSecond: float64(logins) / took.Seconds(),
		cpu: each(float64(after.cpu - before.cpu)), redisCPU: each(float64(after.redisCPU - before.redisCPU)),
		bytes: each(float64(after.bytes - before.bytes)), allocs: each(float64(after.allocs - before.allocs)),
	}, nil
}

func (a *arena) logIn(ctx context.Context, w *world, app http.Handler, d time.Duration) (int64, error) {
	var done atomic.Int64
	errs := make([]error, a.browsers)
	var all sync.WaitGroup
	until := time.Now().Add(d)
	for i := range a.browsers {
		all.Go(func() {
			for first := true; errs[i] == nil && (first || time.Now().Before(until)); first = false {
				errs[i] = scanLogin(ctx, w, desktopOf(app))
				done.Add(1)
			}
		})
	}
	all.Wait()
	return done.Load(), errors.Join(errs...)
}

// usage is what this process, and Redis, have taken so far.
type usage struct {
	cpu, redisCPU time.Duration
	bytes, allocs uint64
}

func (a *arena) usage(ctx context.Context) (usage, error) {
	var u usage
	if a.server != nil {
		stats, err := a.server.Stats(ctx)
		if err != nil {
			return u, err
		}
		u.redisCPU = stats.CPU
	}
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return u, err
	}
	u.cpu = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.bytes, u.allocs = m.TotalAlloc, m.Mallocs
	return u, nil
}

func reportLoads(out io.Writer, arenas []*arena) {
	t := table{{"scan logins", "logins/s", "CPU each, µs", "B each", "allocs each", "Redis's CPU each, µs"}}
	for _, a := range arenas {
		median := func(f func(load) float64) string {
			var values []float64
			for _, l := range a.samples {
				values = append(values, f(l))
			}
			return number(quantile(values, 0.5))
		}
		t = append(t, []string{
			a.name,
			median(func(l load) float64 { return l.perSecond }),
			median(func(l load) float64 { return l.cpu / 1e3 }),
			median(func(l load) float64 { return l.bytes }),
			median(func(l load) float64 { return l.allocs }),
			median(func(l load) float64 { return l.redisCPU / 1e3 }),
		})
	}
	t.print(out)
}

// profile names the five largest costs of an arena's logins.
func (t throughput) profile(ctx context.Context, out io.Writer, e effort, w *world, a *arena) error {
	var profiled bytes.Buffer
	if err := pprof.StartCPUProfile(&profiled); err != nil {
		return err
	}
	_, err := a.run(ctx, w, profileSlices*e.slice)
	pprof.StopCPUProfile()
	if err != nil {
		return err
	}
	if t.profiles != "" {
		file := filepath.Join(t.profiles, "scan-logins-"+map[string]string{"in memory": "memory", "on Redis": "redis"}[a.name]+".pprof")
		if err := os.WriteFile(file, profiled.Bytes(), 0o600); err != nil {
			return err
		}
	}
	return reportCosts(out, a.name, &profiled)
}
