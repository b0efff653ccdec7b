package redisconn_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate/internal/redisconn"
)

// errTimeout is a time limit of a connection.
type errTimeout struct{}

func (errTimeout) Error() string   { return "i/o timeout" }
func (errTimeout) Timeout() bool   { return true }
func (errTimeout) Temporary() bool { return true }

// deafConn is a subscribed connection that answers PINGs until it goes deaf. Neither end
// notices that.
type deafConn struct {
	replies chan any
	deaf    chan struct{}
	closed  chan struct{}
}

func newDeafConn() *deafConn {
	c := &deafConn{make(chan any, 10), make(chan struct{}), make(chan struct{})}
	c.replies <- []any{[]byte("subscribe"), []byte("channel"), int64(1)}
	return c
}

func (c *deafConn) Close() error {
	select {
	case <-c.closed:
	default:
		close(c.closed)
	}
	return nil
}
func (c *deafConn) Err() error                     { return nil }
func (c *deafConn) Do(string, ...any) (any, error) { return nil, errors.New("not used") }
func (c *deafConn) Flush() error                   { return nil }
func (c *deafConn) Receive() (any, error)          { return nil, errors.New("not used") }
func (c *deafConn) DoWithTimeout(time.Duration, string, ...any) (any, error) {
	return nil, errors.New("not used")
}

func (c *deafConn) Send(command string, _ ...any) error {
	select {
	case <-c.deaf:
	default:
		if command == "PING" {
			c.replies <- []any{[]byte("pong"), []byte("")}
		}
	}
	return nil
}

func (c *deafConn) ReceiveWithTimeout(limit time.Duration) (any, error) {
	select {
	case reply := <-c.replies:
		return reply, nil
	case <-time.After(limit):
		return nil, errTimeout{}
	case <-c.closed:
		return nil, errors.New("closed")
	}
}

// A subscribed connection that has died without a sign is noticed within 8 seconds,
// whenever it dies. A silent one that works is kept.
func TestCaseE05DeadSubscriptionIsNoticed(t *testing.T) {
	for _, after := range []time.Duration{0, time.Millisecond, 5*time.Second - 1, 5*time.Second + 1, 62 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			conn := newDeafConn()
			client := &redisconn.Client{Pool: &redis.Pool{DialContext: func(context.Context) (redis.Conn, error) { return conn, nil }}}
			subscribed, ended := make(chan struct{}), make(chan error, 1)
			go func() {
				ended <- client.Subscribe(t.Context(), []string{"channel"}, func() { close(subscribed) }, func(string) {})
			}()
			<-subscribed
			<-time.After(after)
			select {
			case err := <-ended:
				t.Fatalf("Subscribe after %v on a connection that works: error = %v, want it to go on", after, err)
			default:
			}
			close(conn.deaf)
			died := time.Now()
			if err := <-ended; err == nil {
				t.Error("Subscribe on a dead connection: error = nil, want an error")
			}
			if took := time.Since(died); took > 8*time.Second {
				t.Errorf("a connection that died after %v was noticed after %v, want at most 8s", after, took)
			}
		})
	}
}
