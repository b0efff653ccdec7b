package main

import (
	"bytes"
	"context"
	"errors"
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
	// A login takes far longer than a contestant's other operations, so a
	// measurement takes this many slices, and a profile even more.
	throughputSlices = 20
	profileSlices    = 200
	// Number of browsers that log in at a time. On Redis most of them wait for its
	// answers, so it takes more of them to use all cores.
	memoryBrowsers, redisBrowsers = 4, 32
)

// throughput measures whole scan logins. profiles is the directory for CPU profiles,
// or "".
type throughput struct{ profiles string }

// backend is an application with one kind of store, and its measurements.
type backend struct {
	name     string
	browsers int                                         // that log in at a time
	gate     func(context.Context) (http.Handler, error) // returns a new application
	server   *redisserver.Server                         // nil in memory
	samples  []load
}

// load holds the costs of the logins in one round.
type load struct {
	logins                       int64
	perSecond                    float64
	cpu, redisCPU, bytes, allocs float64 // of one login; CPU time in nanoseconds
}

// measure measures logins in memory and, if redis-server is installed, on Redis.
func (t throughput) measure(ctx context.Context, s *sheet, e effort, w *world) error {
	s.note("nine requests: login page, QR code, scan, callback, confirm page, answer, page after the answer, page with the account, finish; " +
		"no long polls; one process runs the gate, the browsers, the phones and WeChat")
	backends := []*backend{{name: "in memory", browsers: memoryBrowsers, gate: w.memoryApplication}}
	server, err := startRedis(ctx)
	switch {
	case err == nil:
		defer server.Stop()
		pool := redisserver.Pool(server.Addr)
		defer func() { _ = pool.Close() }()
		backends = append(backends, &backend{
			name: "on Redis", browsers: redisBrowsers, server: server,
			gate: func(ctx context.Context) (http.Handler, error) { return w.redisApplication(ctx, pool) },
		})
	case errors.As(err, new(skippedError)):
		s.note("only in memory, because %v", err)
	default:
		return err
	}
	// Take turns, so that other load on the machine affects both equally.
	for range e.rounds {
		for _, b := range backends {
			sample, err := b.run(ctx, w, throughputSlices*e.slice)
			if err != nil {
				return err
			}
			b.samples = append(b.samples, sample)
		}
	}
	s.reportLoads(backends)
	if server != nil {
		if err := w.countCommands(ctx, s, server); err != nil {
			return err
		}
	}
	// Profiles come last: profiling itself costs CPU time.
	for _, b := range backends {
		if err := t.profile(ctx, s, e, w, b); err != nil {
			return err
		}
	}
	return nil
}

// memoryApplication returns a new application in memory. Each round gets a new one, so
// that no round finds the logins of another.
func (w *world) memoryApplication(ctx context.Context) (http.Handler, error) {
	gate, err := w.gate(ctx, w.memory)
	if err != nil {
		return nil, err
	}
	return application("/wechat/", gate, gate.RequireWeChat), nil
}

// redisApplication returns a new application on the Redis server of the pool.
func (w *world) redisApplication(ctx context.Context, pool *redis.Pool) (http.Handler, error) {
	gate, err := w.gate(ctx, w.memory, func(c *scangate.Config) { c.Redis = pool })
	if err != nil {
		return nil, err
	}
	return application("/wechat/", gate, gate.RequireWeChat), nil
}

// run measures logins for the duration d. Each browser logs in at least once.
func (b *backend) run(ctx context.Context, w *world, d time.Duration) (load, error) {
	app, err := b.gate(ctx)
	if err != nil {
		return load{}, err
	}
	// Warm up: the first login opens connections and registers the user.
	if err := scanLogin(ctx, w, desktopOf(app)); err != nil {
		return load{}, err
	}
	runtime.GC() // so that the logins do not pay for the garbage of the last round
	before, err := b.usage(ctx)
	if err != nil {
		return load{}, err
	}
	start := time.Now()
	logins, err := b.logIn(ctx, w, app, d)
	took := time.Since(start)
	if err != nil {
		return load{}, err
	}
	after, err := b.usage(ctx)
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

// logIn logs browsers in until d has passed, and returns the number of logins.
func (b *backend) logIn(ctx context.Context, w *world, app http.Handler, d time.Duration) (int64, error) {
	var done atomic.Int64
	errs := make([]error, b.browsers)
	var all sync.WaitGroup
	// A browser stops at its first error, the others continue.
	until := time.Now().Add(d)
	for i := range b.browsers {
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

// usage holds what this process and Redis have used since they started.
type usage struct {
	cpu, redisCPU time.Duration
	bytes, allocs uint64
}

// usage returns the current usage. Redis's part is zero in memory.
func (b *backend) usage(ctx context.Context) (usage, error) {
	var u usage
	if b.server != nil {
		stats, err := b.server.Stats(ctx)
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

// reportLoads adds rows with the medians of all rounds.
func (s *sheet) reportLoads(backends []*backend) {
	for _, b := range backends {
		median := func(f func(load) float64) float64 {
			var values []float64
			for _, l := range b.samples {
				values = append(values, f(l))
			}
			return quantile(values, 0.5)
		}
		f := figures{
			rateColumn:   median(func(l load) float64 { return l.perSecond }),
			cpuColumn:    median(func(l load) float64 { return l.cpu / 1e3 }),
			bytesColumn:  median(func(l load) float64 { return l.bytes }),
			allocsColumn: median(func(l load) float64 { return l.allocs }),
		}
		if b.server != nil {
			f[redisColumn] = median(func(l load) float64 { return l.redisCPU / 1e3 })
		}
		s.add("scan login "+b.name, f)
	}
}

// profile profiles a backend's logins and adds rows with the five largest costs.
func (t throughput) profile(ctx context.Context, s *sheet, e effort, w *world, b *backend) error {
	var profiled bytes.Buffer
	if err := pprof.StartCPUProfile(&profiled); err != nil {
		return err
	}
	_, err := b.run(ctx, w, profileSlices*e.slice)
	pprof.StopCPUProfile()
	if err != nil {
		return err
	}
	if t.profiles != "" {
		file := filepath.Join(t.profiles, "scan-logins-"+map[string]string{"in memory": "memory", "on Redis": "redis"}[b.name]+".pprof")
		if err := os.WriteFile(file, profiled.Bytes(), 0o600); err != nil {
			return err
		}
	}
	return s.reportCosts(b.name, &profiled)
}
