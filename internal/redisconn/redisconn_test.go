package redisconn_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate/internal/redisconn"
)

// newClient returns a client of the server, whose pool keeps every connection.
func newClient(t *testing.T, server *miniredis.Miniredis) *redisconn.Client {
	t.Helper()
	pool := &redis.Pool{
		MaxIdle:     100,
		DialContext: func(ctx context.Context) (redis.Conn, error) { return redis.DialContext(ctx, "tcp", server.Addr()) },
	}
	t.Cleanup(func() { _ = pool.Close() })
	return &redisconn.Client{Pool: pool}
}

func TestReadHash(t *testing.T) {
	server := miniredis.RunT(t)
	server.HSet("hash", "a", "1", "b", "2")
	client := newClient(t, server)
	for _, c := range []struct {
		key    string
		fields []string
		want   string
	}{
		{"hash", []string{"b", "none", "a"}, `["2" nil "1"]`},
		{"hash", nil, `["a" "1" "b" "2"]`},
		{"missing", []string{"a"}, `[nil]`},
		{"missing", nil, `[]`},
	} {
		reply, err := client.ReadHash(t.Context(), c.key, c.fields...)
		if got := show(reply); err != nil || got != c.want {
			t.Errorf("ReadHash(%q, %q) = %s, %v, want %s", c.key, c.fields, got, err, c.want)
		}
	}
}

// show returns a reply as text.
func show(reply any) string {
	switch reply := reply.(type) {
	case nil:
		return "nil"
	case []byte:
		return fmt.Sprintf("%q", reply)
	case []any:
		var all []string
		for _, r := range reply {
			all = append(all, show(r))
		}
		return fmt.Sprint(all)
	}
	return fmt.Sprintf("%T(%v)", reply, reply)
}

// A hash that Redis refuses to read does not keep the others from being read.
func TestReadHashesReturnsRefusals(t *testing.T) {
	server := miniredis.RunT(t)
	server.HSet("hash", "a", "1")
	if err := server.Set("text", "secret"); err != nil {
		t.Fatal(err)
	}
	client := newClient(t, server)
	replies, err := client.ReadHashes(t.Context(), []string{"hash", "text", "missing", "hash"}, "a")
	if err != nil || len(replies) != 4 {
		t.Fatalf("ReadHashes = %s, %v, want 4 replies", show(replies), err)
	}
	for i, want := range map[int]string{0: `["1"]`, 2: `[nil]`, 3: `["1"]`} {
		if got := show(replies[i]); got != want {
			t.Errorf("reply %d = %s, want %s", i, got, want)
		}
	}
	if refusal, ok := replies[1].(redisconn.Refusal); !ok || refusal.Code() != "WRONGTYPE" {
		t.Errorf("reply of a key that is not a hash = %s, want a Refusal with the code WRONGTYPE", show(replies[1]))
	}
	if replies, err := client.ReadHashes(t.Context(), nil, "a"); err != nil || len(replies) != 0 {
		t.Errorf("ReadHashes of no keys = %s, %v, want no replies", show(replies), err)
	}
}

func TestScriptsRunOnServersThatLostThem(t *testing.T) {
	server := miniredis.RunT(t)
	client := newClient(t, server)
	script := redisconn.NewScript(`return redis.call('INCRBY', KEYS[1], ARGV[1])`)
	for i, want := range []int64{2, 4, 6} {
		reply, err := client.WriteScript(t.Context(), script, []string{"counter"}, 2)
		if err != nil || reply != want {
			t.Errorf("run %d = %s, %v, want %d", i+1, show(reply), err, want)
		}
		if i == 1 {
			if _, err := client.Pool.Get().Do("SCRIPT", "FLUSH"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// breakConnections fills the pool with idle connections and closes them at the server.
func breakConnections(t *testing.T, client *redisconn.Client, server *miniredis.Miniredis, n int) {
	t.Helper()
	var conns []redis.Conn
	for range n {
		conn := client.Pool.Get()
		if _, err := conn.Do("PING"); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
	server.Close()
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
}

func TestReadsAreRetried(t *testing.T) {
	server := miniredis.RunT(t)
	client := newClient(t, server)
	breakConnections(t, client, server, 10)
	if _, err := client.ReadHash(t.Context(), "hash"); err != nil {
		t.Errorf("ReadHash with 10 broken connections: error = %v, want none", err)
	}
	breakConnections(t, client, server, 10)
	if _, err := client.ReadScript(t.Context(), redisconn.NewScript("return 1"), nil); err != nil {
		t.Errorf("ReadScript with 10 broken connections: error = %v, want none", err)
	}
}

// A second try could make the same change twice.
func TestWritesAreNotRetried(t *testing.T) {
	server := miniredis.RunT(t)
	client := newClient(t, server)
	breakConnections(t, client, server, 2)
	script := redisconn.NewScript(`return redis.call('INCR', KEYS[1])`)
	for try := range 2 {
		if reply, err := client.WriteScript(t.Context(), script, []string{"counter"}); err == nil {
			t.Errorf("try %d on a broken connection = %s, want an error", try+1, show(reply))
		}
	}
	if reply, err := client.WriteScript(t.Context(), script, []string{"counter"}); err != nil || reply != int64(1) {
		t.Errorf("WriteScript on a new connection = %s, %v, want 1", show(reply), err)
	}
}

func TestConnectionToAReplicaIsDropped(t *testing.T) {
	server := miniredis.RunT(t)
	client := newClient(t, server)
	server.SetError("READONLY You can't write against a read only replica.")
	_, err := client.WriteScript(t.Context(), redisconn.NewScript("return 1"), nil)
	var refusal redisconn.Refusal
	if !errors.As(err, &refusal) || refusal.Code() != "READONLY" {
		t.Errorf("write at a replica: error = %v, want a Refusal with the code READONLY", err)
	}
	if n := client.Pool.ActiveCount(); n != 0 {
		t.Errorf("connections after a write at a replica = %d, want 0", n)
	}
}

// A server that cannot be reached is not the caller's deadline, on both kinds of
// connections.
func TestDialTakesItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := &redis.Pool{DialContext: func(ctx context.Context) (redis.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		client := &redisconn.Client{Pool: pool}
		for name, call := range map[string]func(context.Context) error{
			"ReadHash": func(ctx context.Context) error { _, err := client.ReadHash(ctx, "hash"); return err },
			"WriteScript": func(ctx context.Context) error {
				_, err := client.WriteScript(ctx, redisconn.NewScript("return 1"), nil)
				return err
			},
			"Subscribe":   func(ctx context.Context) error { return client.Subscribe(ctx, []string{"channel"}, nil, nil) },
			"DialLimited": func(ctx context.Context) error { _, err := redisconn.DialLimited(ctx, pool); return err },
		} {
			begun := time.Now()
			err := call(t.Context())
			if took := time.Since(begun); took != 3*time.Second || err == nil || err.Error() != "no answer in time" {
				t.Errorf("%s: %v after %v, want \"no answer in time\" after 3s", name, err, took)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s with a deadline: error = %v, want DeadlineExceeded", name, err)
			}
			cancel()
		}
	})
}
