package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

// With Redis Sentinel, the pool asks the sentinels for the master's address whenever it
// opens a connection. No more is needed: Sentinel closes the connections to a demoted
// master, and the gate opens new ones.
func Example_sentinel() {
	pool := newRedisPool("")
	pool.DialContext = dialMaster("main", "10.0.0.1:26379", "10.0.0.2:26379", "10.0.0.3:26379")
	gate, err := scangate.New(scangate.Config{
		PublicURL:       "https://app.example.com",
		OfficialAccount: wechat.Account{AppID: "wx0123456789abcdef", Secret: os.Getenv("WECHAT_SECRET")},
		Redis:           pool,
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/wechat/", gate)
}

// dialMaster returns a DialContext for a pool. It connects to the master of that name,
// whose address it gets from the first sentinel that answers.
func dialMaster(name string, sentinels ...string) func(context.Context) (redis.Conn, error) {
	limits := []redis.DialOption{
		redis.DialConnectTimeout(time.Second), redis.DialReadTimeout(2 * time.Second), redis.DialWriteTimeout(2 * time.Second),
	}
	masterAddress := func(ctx context.Context, sentinel string) (string, error) {
		conn, err := redis.DialContext(ctx, "tcp", sentinel, limits...)
		if err != nil {
			return "", err
		}
		defer func() { _ = conn.Close() }()
		reply, err := redis.Strings(redis.DoContext(conn, ctx, "SENTINEL", "get-master-addr-by-name", name))
		if err == nil && len(reply) != 2 {
			err = fmt.Errorf("sentinel %s: got %d strings, want host and port", sentinel, len(reply))
		}
		return strings.Join(reply, ":"), err
	}
	return func(ctx context.Context) (redis.Conn, error) {
		err := errors.New("no sentinel returned a master")
		for _, sentinel := range sentinels {
			address, failure := masterAddress(ctx, sentinel)
			if failure == nil {
				return redis.DialContext(ctx, "tcp", address, limits...)
			}
			// Not errors.Join, which puts a newline into the text.
			err = fmt.Errorf("%w; %w", err, failure)
		}
		return nil, err
	}
}

// TestSentinel stops the master during a call of Wait. After the failover, Wait must
// return the change that was made at the new master.
func TestSentinel(t *testing.T) {
	skipShort(t, "it waits for a failover, which takes Sentinel several seconds")
	master := startRedis(t)
	host, port, _ := net.SplitHostPort(master)
	replica := startRedis(t, "--replicaof", host+" "+port)
	// A quorum of one sentinel. After a second without an answer the master is down.
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	settings := fmt.Sprintf("sentinel monitor main %s %s 1\nsentinel down-after-milliseconds main 1000\n", host, port)
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := startRedis(t, config, "--sentinel")

	pool := newRedisPool("")
	t.Cleanup(func() { _ = pool.Close() })
	pool.DialContext = dialMaster("main", "127.0.0.1:1", sentinel) // the first address is down
	store, err := scangate.NewRedisStore(pool, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if err := store.Create(t.Context(), "kept", []byte("value"), time.Hour); err != nil {
		t.Fatal(err)
	}
	result := make(chan string, 1)
	go func() {
		value, _, err := store.Wait(t.Context(), "kept", 1)
		result <- fmt.Sprint(string(value), err)
	}()
	eventually(t, "the replica has the value", func() bool { return redisCommand(replica, "HGET", "{scangate}:state:kept", "value") == "value" })
	eventually(t, "the sentinel knows the replica", func() bool { return strings.Contains(redisCommand(sentinel, "SENTINEL", "replicas", "main"), replica) })
	redisCommand(master, "SHUTDOWN", "NOSAVE")
	eventually(t, "the replica is the new master", func() bool { return strings.HasPrefix(redisCommand(replica, "ROLE"), "[master ") })
	eventually(t, "the store writes to the new master", func() bool {
		err := store.Update(t.Context(), "kept", 1, []byte("changed "), time.Hour)
		// A conflict means that an earlier write succeeded and only its answer was
		// lost.
		return err == nil || errors.Is(err, scangate.ErrConflict)
	})
	if got := redisCommand(replica, "HGET", "{scangate}:state:kept", "value"); got != "changed " {
		t.Errorf("value at the new master = %q, want %q", got, "changed ")
	}
	if got := <-result; got != "changed <nil>" {
		t.Errorf("Wait = %q, want %q", got, "changed <nil>")
	}
}

// redisCommand sends one command on a connection of its own. It returns the answer or the
// error as text.
func redisCommand(address, command string, args ...any) string {
	conn, err := redis.Dial("tcp", address, redis.DialReadTimeout(2*time.Second))
	if err != nil {
		return err.Error()
	}
	defer func() { _ = conn.Close() }()
	reply, err := conn.Do(command, args...)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s", reply)
}
