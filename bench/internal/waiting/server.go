package waiting

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
	// serverVariable is an environment variable with a serverConfig in JSON. If it
	// is set, this program runs as a server.
	serverVariable = "SCANGATE_BENCH_WAITING_SERVER"
	// publicURL is the public URL of all processes, as behind a load balancer.
	publicURL = "http://localhost"
	// addressHeader is a request header with the address that the server uses as the
	// browser's.
	addressHeader = "X-Bench-Address"
	statsPath     = "/bench/stats"
)

// serverConfig is the configuration of a server process.
type serverConfig struct {
	WeChat     string // URL of the simulator
	Account    account
	Redis      string // address of the redis-server; empty for in memory
	Bare       bool   // the handler bare in place of the gate
	Protocol   protocol
	MaxWaiting int
}

// account is a wechat.Account that can be encoded with its secret. A wechat.Account
// hides the secret.
type account struct{ AppID, Secret string }

// RunAsServer runs a server until its standard input is closed, if the environment asks for
// one. It reports whether it does. Every program that measures calls it first.
func RunAsServer() (bool, error) {
	text := os.Getenv(serverVariable)
	if text == "" {
		return false, nil
	}
	var c serverConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return true, err
	}
	// A server also needs an open file for each browser.
	if _, err := raiseLimit(); err != nil {
		return true, err
	}
	return true, serve(c)
}

// serve runs a server until its standard input is closed.
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
	// Statistics have a port of their own: it needs neither TLS nor HTTP/2.
	admin, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr(), admin.Addr()) // startProcess reads them
	var waiting counter
	statistics := &http.Server{Handler: http.HandlerFunc(waiting.serveStats), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = statistics.Serve(admin) }()
	mux := http.NewServeMux()
	mux.Handle("/wechat/", waiter)
	// Only the long polls count as waiting.
	mux.Handle("GET /wechat/login/{id}/state", waiting.count(waiter))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	if l, err = c.Protocol.listen(server, l); err != nil {
		return err
	}
	// Standard input is a pipe. The system also closes it if the parent process dies.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = waiter.Close() // ends the waiting requests
		_ = server.Close()
		_ = statistics.Close()
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

// bare is a handler that only waits. Its costs are those of net/http for a waiting
// request.
type bare struct {
	closed chan struct{}
	close  func()
}

// newBare returns a bare handler.
func newBare() *bare {
	closed := make(chan struct{})
	return &bare{closed, sync.OnceFunc(func() { close(closed) })}
}

// ServeHTTP implements [http.Handler]. Its answers have the form of the gate's.
func (b *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		_, _ = io.WriteString(w, `{"id":"ABCDEFGHIJKLMNOPQRSTUVWXYZ"}`)
		return
	}
	// As in the gate: a poll takes longer than the server's WriteTimeout.
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

// newGate returns a gate for the configuration.
func newGate(c serverConfig) (*scangate.Gate, error) {
	config := scangate.Config{
		PublicURL:       publicURL,
		OfficialAccount: wechat.Account(c.Account),
		WeChat:          scangate.WeChat{Endpoint: wechat.Endpoint{Open: c.WeChat, API: c.WeChat}},
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

// stats holds the resource use of a server process.
type stats struct {
	RSS     int64         // bytes
	Live    int64         // bytes of heap and stacks, after a collection
	CPU     time.Duration // since the start
	Waiting int64         // requests in progress
}

// counter counts the requests in progress.
type counter struct{ now atomic.Int64 }

// count returns a handler that counts the requests to next.
func (c *counter) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.now.Add(1)
		defer c.now.Add(-1)
		next.ServeHTTP(w, r)
	})
}

// serveStats serves this process's statistics as JSON. Live is set only for requests
// with the parameter collect.
func (c *counter) serveStats(w http.ResponseWriter, r *http.Request) {
	s := stats{Waiting: c.now.Load(), RSS: rss()}
	if r.FormValue("collect") != "" {
		// After the RSS was read: a collection can change it.
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		s.Live = int64(m.HeapAlloc + m.StackInuse)
	}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.CPU = time.Duration(used.Utime.Nano() + used.Stime.Nano())
	_ = json.NewEncoder(w).Encode(s) // fails only if the client has disconnected
}

// rss returns this process's resident memory in bytes, or 0 if /proc does not
// provide it.
func rss() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	// proc(5): the fields are in pages, and the second is the resident set.
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// process is a server process that this process has started.
type process struct {
	address string // for browsers
	admin   string // address for statistics
	cmd     *exec.Cmd
	stdin   io.Closer
}

// startProcess runs this program as a server and reads its address.
func startProcess(ctx context.Context, c serverConfig) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self) //nolint:gosec // the path is this program's own
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
	// serve prints its addresses once it listens.
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("reading the address of a server process: %w", err)
	}
	p.address, p.admin, _ = strings.Cut(strings.TrimSpace(line), " ")
	return p, nil
}

// stop closes the standard input of the process, and kills it after 5 seconds.
func (p *process) stop() {
	_ = p.stdin.Close()
	timer := time.AfterFunc(5*time.Second, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait()
	timer.Stop()
}

// stats requests the statistics of the process.
func (p *process) stats(ctx context.Context, query string) (stats, error) {
	var s stats
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.admin+statsPath+query, nil)
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
