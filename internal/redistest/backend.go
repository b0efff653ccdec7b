// Package redistest tests stores in Redis against real servers, which it starts. The
// root package runs its suites on RedisStore, and the module goredis on its store.
package redistest

import (
	"context"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scangate/scangate"
)

// Options describe the store that a test needs.
type Options struct {
	Addr   string // of the server
	Prefix string // empty means the default

	Username, Password string

	// Dial makes the connections instead of a dial to Addr.
	Dial func(ctx context.Context) (net.Conn, error)
	// Limit bounds one call, and Ping is the interval between PINGs on the listening
	// connection. Zero means the default.
	Limit, Ping time.Duration
	// NoIdle makes the pool keep no idle connection, or as good as none.
	NoIdle bool
}

// Dialer returns the function that makes the connections.
func (o *Options) Dialer() func(ctx context.Context) (net.Conn, error) {
	if o.Dial != nil {
		return o.Dial
	}
	return dialTo(o.Addr)
}

// dialTo returns a function that dials the address.
func dialTo(addr string) func(ctx context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		dialer := net.Dialer{Timeout: 2 * time.Second}
		return dialer.DialContext(ctx, "tcp", addr)
	}
}

// countDials makes the options count the connections made.
func countDials(o *Options) *atomic.Int64 {
	var dials atomic.Int64
	dial := o.Dialer()
	o.Dial = func(ctx context.Context) (net.Conn, error) {
		dials.Add(1)
		return dial(ctx)
	}
	return &dials
}

// Store is a store under test, with a view of its connections.
type Store struct {
	Keeper
	// Idle reports whether no call of the store holds a connection.
	Idle func() bool
	// IdleConns returns the number of idle connections in the pool.
	IdleConns func() int
	// Fill makes n idle connections.
	Fill func(n int)
}

// Keeper is a store with all methods.
type Keeper interface {
	scangate.UserStore
	scangate.StateStore
	Delete(ctx context.Context, id string) error
	Close() error
}

// Backend is an implementation under test.
type Backend struct {
	// New returns a store on a pool of its own, like that of another process. The pool
	// keeps 100 idle connections. The end of the test closes the store.
	New func(t *testing.T, o Options) *Store
	// Permissions are what a Redis user of the store needs besides the permissions of
	// RedisStore, beginning with a space.
	Permissions string
	// NoticesCuts reports that the pool drops connections that the server has closed.
	NoticesCuts bool
	// RealOnly keeps the suites of storetest to redis-server. They also run on miniredis
	// otherwise, which machines without redis-server have.
	RealOnly bool
	// StaysOpen reports that a closed store still works, except Wait.
	StaysOpen bool
}

// run runs the tests as subtests.
func run(t *testing.T, b Backend, tests map[string]func(t *testing.T, b Backend)) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, b) })
	}
}

// Patience is ten times the two seconds within which a waiting call has to notice a
// change, also after Redis was unavailable.
const Patience = 20 * time.Second

// largeVariable is the environment variable that, set to 1, makes tests that need many
// concurrent requests use as many as production has. One step of .ci/run sets it. By
// default those tests use a small crowd, so that they also pass on a small or busy
// machine.
const largeVariable = "SCANGATE_LARGE"

// LargeCrowd reports whether tests use large crowds.
func LargeCrowd() bool { return os.Getenv(largeVariable) == "1" }

// Crowd returns the size of a test's crowd.
func Crowd(small, large int) int {
	if LargeCrowd() {
		return large
	}
	return small
}

// WallClock marks a test that measures real time, which -short skips. Such a test
// allows ten times the time that it should take.
func WallClock(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("measures real time, which synctest cannot replace for real connections; -short skips it")
	}
}
