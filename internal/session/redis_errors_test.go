package session_test

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate/internal/session"
)

// brokenConn is a connection on which every command fails.
type brokenConn struct {
	redis.ConnWithTimeout
	err error
}

func (c brokenConn) DoWithTimeout(time.Duration, string, ...any) (any, error) { return nil, c.err }
func (c brokenConn) Do(string, ...any) (any, error)                           { return nil, c.err }
func (c brokenConn) Send(string, ...any) error                                { return nil }
func (c brokenConn) Err() error                                               { return c.err }
func (c brokenConn) Close() error                                             { return nil }

func TestCaseE07SessionErrorsNameRedis(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{io.EOF, "EOF"},
		{syscall.ECONNRESET, "connection reset by peer"},
		{redis.Error("ERR unknown command 'GET', with args beginning with: 'app:session:token'"), "ERR unknown command"},
	} {
		store := session.NewRedis(&redis.Pool{Dial: func() (redis.Conn, error) { return brokenConn{err: c.err}, nil }}, "app", "site")
		_, _, find := store.Find("token")
		for doing, err := range map[string]error{
			"reading": find, "writing": store.Commit("token", nil, time.Now().Add(time.Hour)), "deleting": store.Delete("token"),
		} {
			if want := "scangate: Redis: " + doing + " a session: " + c.want; err == nil || err.Error() != want {
				t.Errorf("%s a session: error = %v, want %q", doing, err, want)
			}
			if err != nil && strings.Contains(err.Error(), "token") {
				t.Errorf("%s a session: error = %v, want one without the token", doing, err)
			}
		}
	}
}

// After an outage all idle connections are broken. No session is lost to that.
func TestCaseE07SessionsSurviveBrokenConnections(t *testing.T) {
	server := miniredis.RunT(t)
	pool := &redis.Pool{
		Dial:         func() (redis.Conn, error) { return redis.Dial("tcp", server.Addr()) },
		TestOnBorrow: func(redis.Conn, time.Time) error { return nil },
	}
	store := session.NewRedis(pool, "app", "site")
	for name, call := range map[string]func() error{
		"Commit": func() error { return store.Commit("token", []byte("value"), time.Now().Add(time.Hour)) },
		"Find": func() error {
			_, found, err := store.Find("token")
			if err == nil && !found {
				return errors.New("not found")
			}
			return err
		},
		"Delete": func() error { return store.Delete("none") },
	} {
		if err := store.Commit("token", []byte("value"), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		server.Close()
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
		if err := call(); err != nil {
			t.Errorf("%s on a broken connection: error = %v, want none", name, err)
		}
	}
}
