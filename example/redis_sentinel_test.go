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

// With Redis Sentinel the pool asks, for each connection that it makes, where the
// master is. That is all: Sentinel cuts the connections to a master that it
// demotes, and the gate makes them anew.
func Example_sentinel() {
	pool := newRedisPool("")
	pool.DialContext = dialMaster("main", "10.0.0.1:26379", "10.0.0.2:26379", "10.0.0.3:26379")
	gate, err := scangate.New(scangate.Config{
		PublicURL:       "https://app.example.com",
		OfficialAccount: wechat.Account{AppID: "wx0123456789abcdef", Secret: "..."},
		Redis:           pool,
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/wechat/", gate)
}

// dialMaster is a pool's DialContext that asks the sentinels, one after the other,
// for the master of that name.
func dialMaster(name string, sentinels ...string) func(context.Context) (redis.Conn, error) {
	limits := []redis.DialOption{
		redis.DialConnectTimeout(time.Second), redis.DialReadTimeout(2 * time.Second), redis.DialWriteTimeout(2 * time.Second),
	}
	ask := func(ctx context.Context, sentinel string) (string, error) {
		conn, err := redis.DialContext(ctx, "tcp", sentinel, limits...)
		if err != nil {
			return "", err
		}
		defer func() { _ = conn.Close() }()
		reply, err := redis.Strings(redis.DoContext(conn, ctx, "SENTINEL", "get-master-addr-by-name", name))
		if err == nil && len(reply) != 2 {
			err = errors.New("the sentinel's answer makes no sense")
		}
		return strings.Join(reply, ":"), err
	}
	return func(ctx context.Context) (redis.Conn, error) {
		var failures error
		for _, sentinel := range sentinels {
			address, err := ask(ctx, sentinel)
			if err == nil {
				return redis.DialContext(ctx, "tcp", address, limits...)
			}
			failures = errors.Join(failures, err)
		}
		return nil, failures
	}
}

// TestSentinel has the master go away while somebody waits.
func TestSentinel(t *testing.T) {
	master := startRedis(t)
	host, port, _ := net.SplitHostPort(master)
	replica := startRedis(t, "--replicaof", host+" "+port)
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	settings := fmt.Sprintf("sentinel monitor main %s %s 1\nsentinel down-after-milliseconds main 1000\n", host, port)
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := startRedis(t, config, "--sentinel")

	pool := newRedisPool("")
	t.Cleanup(func() { _ = pool.Close() })
	pool.DialContext = dialMaster("main", "127.0.0.1:1", sentinel) // nobody is at the first one
	store, err := scangate.NewRedisStore(pool, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if err := store.Create(t.Context(), "kept", []byte("value"), time.Hour); err != nil {
		t.Fatal(err)
	}
	waited := make(chan string, 1)
	go func() {
		value, _, err := store.Wait(t.Context(), "kept", 1)
		waited <- fmt.Sprint(string(value), err)
	}()
	eventually(t, "the replica has what the master has", func() bool { return tell(replica, "HGET", "{scangate}:state:kept", "value") == "value" })
	eventually(t, "the sentinel knows the replica", func() bool { return strings.Contains(tell(sentinel, "SENTINEL", "replicas", "main"), replica) })
	tell(master, "SHUTDOWN", "NOSAVE")
	eventually(t, "the replica is the master", func() bool { return strings.HasPrefix(tell(replica, "ROLE"), "[master ") })
	eventually(t, "the store is at the new master", func() bool {
		err := store.Update(t.Context(), "kept", 1, []byte("changed "), time.Hour)
		return err == nil || errors.Is(err, scangate.ErrConflict) // made, and its answer lost
	})
	if got := tell(replica, "HGET", "{scangate}:state:kept", "value"); got != "changed " {
		t.Errorf("the new master holds %q", got)
	}
	if got := <-waited; got != "changed <nil>" {
		t.Errorf("who waited is told %q", got)
	}
}

// tell sends one command, and returns the answer as text.
func tell(address, command string, args ...any) string {
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
