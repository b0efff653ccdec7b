package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/bench/internal/redisserver"
	"github.com/scangate/scangate/wechat"
)

const (
	// serverVariable makes this program a server: it holds a serverConfig.
	serverVariable = "SCANGATE_BENCH_WAITING_SERVER"
	// publicURL is what both processes are to the browsers.
	publicURL = "http://localhost"
	// addressHeader is the address that a browser seems to come from.
	addressHeader = "X-Bench-Address"
	statsPath     = "/bench/stats"
	nothingPath   = "/bench/nothing"
)

// serverConfig is what a server process is told.
type serverConfig struct {
	WeChat     string // where the simulated one listens
	Account    account
	Redis      string // empty: in memory
	Bare       bool   // a handler that only waits, in the gate's place
	MaxWaiting int
}

// account is a wechat.Account that can be told: that one's secret is never
// written.
type account struct{ AppID, Secret string }

// serveIfAsked is a server process's main. It reports whether this is one.
func serveIfAsked() (bool, error) {
	text := os.Getenv(serverVariable)
	if text == "" {
		return false, nil
	}
	var c serverConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return true, err
	}
	if _, err := raiseLimit(); err != nil {
		return true, err
	}
	return true, serve(c)
}

// serve serves until whoever started it closes its standard input, or ends.
func serve(c serverConfig) error {
	var waiter waiter = newBare()
	if !c.Bare {
		gate, err := newGate(c)
		if err != nil {
			return err
		}
		waiter = gate
	}
	var config net.ListenConfig
	l, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	var waiting counter
	mux := http.NewServeMux()
	mux.Handle("/wechat/", waiter)
	mux.Handle("GET /wechat/login/{id}/state", waiting.count(waiter))
	mux.HandleFunc("GET "+statsPath, waiting.serveStats)
	mux.HandleFunc("GET "+nothingPath, func(http.ResponseWriter, *http.Request) {})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = waiter.Close()
		_ = server.Close()
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// waiter is a handler whose requests wait until it is closed.
type waiter interface {
	http.Handler
	io.Closer
}

// bare is a handler that waits and does nothing else: what net/http itself takes
// for a request that waits.
type bare struct {
	closed chan struct{}
	close  func()
}

func newBare() *bare {
	closed := make(chan struct{})
	return &bare{closed, sync.OnceFunc(func() { close(closed) })}
}

// ServeHTTP implements [http.Handler].
func (b *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		_, _ = io.WriteString(w, `{"id":"ABCDEFGHIJKLMNOPQRSTUVWXYZ"}`)
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	timer := time.NewTimer(25 * time.Second)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.closed:
	case <-r.Context().Done():
	}
	_, _ = io.WriteString(w, `{"state":"waiting"}`)
}

// Close implements [io.Closer].
func (b *bare) Close() error {
	b.close()
	return nil
}

func newGate(c serverConfig) (*scangate.Gate, error) {
	config := scangate.Config{
		PublicURL:       publicURL,
		OfficialAccount: wechat.Account(c.Account),
		Endpoint:        wechat.Endpoint{Open: c.WeChat, API: c.WeChat},
		Limits:          scangate.Limits{Waiting: c.MaxWaiting, Address: 1 << 20},
		Logger:          slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		ClientIP: func(r *http.Request) netip.Addr {
			addr, _ := netip.ParseAddr(r.Header.Get(addressHeader))
			return addr
		},
	}
	if c.Redis != "" {
		config.Redis = redisserver.Pool(c.Redis)
	}
	return scangate.New(config)
}

// stats is what a server process takes.
type stats struct {
	RSS     int64         // bytes
	Live    int64         // bytes of heap and stacks, after a collection
	CPU     time.Duration // so far
	Waiting int64         // requests
}

// counter counts the requests that a handler is at work on.
type counter struct{ now atomic.Int64 }

func (c *counter) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.now.Add(1)
		defer c.now.Add(-1)
		next.ServeHTTP(w, r)
	})
}

// serveStats says what this process takes; with collect=1 it looks for what is
// live, after the RSS.
func (c *counter) serveStats(w http.ResponseWriter, r *http.Request) {
	s := stats{Waiting: c.now.Load(), RSS: rss()}
	if r.FormValue("collect") != "" {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		s.Live = int64(m.HeapAlloc + m.StackInuse) //nolint:gosec // far from the limit
	}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.CPU = time.Duration(used.Utime.Nano() + used.Stime.Nano())
	_ = json.NewEncoder(w).Encode(s) // who has gone needs no answer
}

// rss is this process's resident memory, or 0 where /proc doesn't say.
func rss() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// process is a server process, as the one that started it sees it.
type process struct {
	address string
	cmd     *exec.Cmd
	stdin   io.Closer
}

// startProcess runs this program as a server.
func startProcess(ctx context.Context, c serverConfig) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self) //nolint:gosec // this program
	cmd.Env = append(os.Environ(), serverVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, stdin: stdin}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("a server process ended at once: %w", err)
	}
	p.address = strings.TrimSpace(line)
	return p, nil
}

func (p *process) stop() {
	_ = p.stdin.Close()
	timer := time.AfterFunc(5*time.Second, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait()
	timer.Stop()
}

// stats asks the process.
func (p *process) stats(ctx context.Context, query string) (stats, error) {
	var s stats
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+statsPath+query, nil)
	if err != nil {
		return s, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return s, err
	}
	defer func() { _ = resp.Body.Close() }()
	return s, json.NewDecoder(resp.Body).Decode(&s)
}
