package goredis

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/scangate/scangate/internal/redisconn"
)

// maxRedirects bounds the redirects that one call follows.
const maxRedirects = 8

// cluster is a Redis Cluster. It finds the master of a key with go-redis, and follows
// redirects itself: the loop of [redis.ClusterClient] also sends a command again after
// the connection broke or timed out, when the server may have run it already. A server
// that redirects a command has not run it.
type cluster struct {
	client  *redis.ClusterClient
	options redis.UniversalOptions

	mu     sync.Mutex
	nodes  map[string]*redis.Client // by address; servers that others have redirected to
	closed bool
}

func newCluster(o redis.UniversalOptions) *cluster {
	return &cluster{client: redis.NewClusterClient(o.Cluster()), options: o, nodes: make(map[string]*redis.Client)}
}

// do implements servers.
func (c *cluster) do(ctx context.Context, key string, args ...any) (any, error) {
	client, err := c.client.MasterForKey(ctx, key)
	if err != nil {
		return nil, err
	}
	reply, err := result(client.Do(ctx, args...))
	return c.follow(ctx, client, reply, err, args)
}

// follow follows the redirects that begin with the reply of the client.
func (c *cluster) follow(ctx context.Context, client *redis.Client, reply any, err error, args []any) (any, error) {
	for range maxRedirects {
		addr, asking := redirect(client, err)
		if addr == "" {
			return reply, err
		}
		if !asking {
			c.reload(ctx)
		}
		if client, err = c.node(addr); err != nil {
			return nil, err
		}
		if asking {
			reply, err = ask(ctx, client, args)
		} else {
			reply, err = result(client.Do(ctx, args...))
		}
	}
	return reply, err
}

// redirect returns the address to which an error of the client's server redirects, or "".
// Asking means for this command only, because the slot is on its way to that server.
func redirect(client *redis.Client, err error) (addr string, asking bool) {
	var refused redis.Error
	if !errors.As(err, &refused) {
		return "", false
	}
	fields := strings.Fields(refused.Error()) // MOVED slot host:port
	if len(fields) != 3 || fields[0] != "MOVED" && fields[0] != "ASK" {
		return "", false
	}
	addr = fields[2]
	if strings.HasPrefix(addr, ":") { // the host of the server that redirects
		host, _, _ := net.SplitHostPort(client.Options().Addr)
		addr = net.JoinHostPort(host, addr[1:])
	}
	return addr, fields[0] == "ASK"
}

// ask sends a command after ASKING, on one connection.
func ask(ctx context.Context, client *redis.Client, args []any) (any, error) {
	pipe := client.Pipeline()
	asking := pipe.Do(ctx, "ASKING")
	command := pipe.Do(ctx, args...)
	if _, err := pipe.Exec(ctx); asking.Err() != nil {
		return nil, err
	}
	return result(command)
}

// node returns the client of the server at that address.
func (c *cluster) node(addr string) (*redis.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, redis.ErrClosed
	}
	if c.nodes[addr] == nil {
		o := c.options
		o.Addrs, o.MinIdleConns = []string{addr}, 0
		c.nodes[addr] = redis.NewClient(o.Simple())
	}
	return c.nodes[addr], nil
}

// readHashes implements servers. It sends the commands to all servers at the same time.
func (c *cluster) readHashes(ctx context.Context, keys, fields []string) ([]any, error) {
	replies := make([]any, len(keys))
	indexes := make(map[*redis.Client][]int)
	for i, key := range keys {
		client, err := c.client.MasterForKey(ctx, key)
		if err != nil {
			replies[i] = err
			continue
		}
		indexes[client] = append(indexes[client], i)
	}
	var work sync.WaitGroup
	for client, indexes := range indexes {
		work.Go(func() { c.readNode(ctx, client, keys, indexes, fields, replies) })
	}
	work.Wait()
	return replies, nil
}

// readNode reads the hashes of the keys at the indexes from one server, and sets their
// replies.
func (c *cluster) readNode(ctx context.Context, client *redis.Client, keys []string, indexes []int, fields []string, replies []any) {
	own := make([]string, len(indexes))
	for i, index := range indexes {
		own[i] = keys[index]
	}
	got, err := sendHashes(ctx, client, own, fields)
	if err != nil {
		c.reload(ctx)
	}
	for i, index := range indexes {
		if err != nil {
			replies[index] = err
			continue
		}
		replies[index] = got[i]
		if refused, ok := got[i].(error); ok {
			command, args := redisconn.HashCommand(own[i], fields)
			reply, err := c.follow(ctx, client, nil, refused, append([]any{command}, args...))
			if err != nil {
				reply = err
			}
			replies[index] = reply
		}
	}
}

// reload implements servers. It asks in the background which server has which slots.
func (c *cluster) reload(ctx context.Context) { c.client.ReloadState(ctx) }

// idle implements servers.
func (c *cluster) idle() int { return int(c.client.PoolStats().IdleConns) }

// close implements servers.
func (c *cluster) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	err := c.client.Close()
	for _, client := range c.nodes {
		if closing := client.Close(); err == nil && !errors.Is(closing, redis.ErrClosed) {
			err = closing
		}
	}
	return err
}
