package redistest

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
)

// slots is the number of slots of a Cluster.
const slots = 16384

// Cluster is a Redis Cluster of masters that belongs to one test.
type Cluster struct {
	t       *testing.T
	Servers []*Server
	ids     []string // the servers' names in the Cluster
}

// StartCluster starts a Cluster of three masters, and returns when all of them
// have learned of each other. It skips or fails the test like [Start].
func StartCluster(t *testing.T, args ...string) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	const masters = 3
	for i := range masters {
		// Not the default, which is the port plus 10000 and may be beyond 65535.
		bus := freePort(t)
		s := Start(t, append([]string{
			"--cluster-enabled", "yes", "--cluster-config-file", "nodes", "--cluster-port", bus, "--cluster-node-timeout", "5000",
		}, args...)...)
		id, _ := redis.String(s.Do("CLUSTER", "MYID"), nil)
		c.Servers, c.ids = append(c.Servers, s), append(c.ids, id)
		s.Do("CLUSTER", "ADDSLOTSRANGE", i*slots/masters, (i+1)*slots/masters-1)
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		host, port, _ := net.SplitHostPort(s.Addr)
		c.Servers[0].Do("CLUSTER", "MEET", host, port, bus)
	}
	if !Within(Patience, c.works) {
		t.Fatalf("the Cluster does not work after %v: %s", Patience, c.Servers[0].Do("CLUSTER", "INFO"))
	}
	return c
}

// freePort returns a port that is free now.
func freePort(t *testing.T) string {
	t.Helper()
	listener := listenLoopback(t)
	defer func() { _ = listener.Close() }()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// works reports whether each server has learned of all others and their slots.
func (c *Cluster) works() bool {
	for _, s := range c.Servers {
		info, _ := redis.String(s.Do("CLUSTER", "INFO"), nil)
		shards, _ := redis.Values(s.Do("CLUSTER", "SLOTS"), nil)
		if !strings.Contains(info, "cluster_state:ok") || len(shards) < len(c.Servers) ||
			!strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", len(c.Servers))) {
			return false
		}
	}
	return true
}

// Addrs returns the addresses of the servers.
func (c *Cluster) Addrs() []string {
	var all []string
	for _, s := range c.Servers {
		all = append(all, s.Addr)
	}
	return all
}

// Slot returns the slot of a key.
func (c *Cluster) Slot(key string) int {
	slot, _ := redis.Int(c.Servers[0].Do("CLUSTER", "KEYSLOT", key), nil)
	return slot
}

// Owner returns the index of the server that has the slot.
func (c *Cluster) Owner(slot int) int {
	c.t.Helper()
	for i, s := range c.Servers {
		nodes, _ := redis.Values(s.Do("CLUSTER", "SLOTS"), nil)
		for _, node := range nodes {
			fields, _ := redis.Values(node, nil)
			first, _ := redis.Int(fields[0], nil)
			last, _ := redis.Int(fields[1], nil)
			master, _ := redis.Values(fields[2], nil)
			if id, _ := redis.String(master[2], nil); first <= slot && slot <= last && id == c.ids[i] {
				return i
			}
		}
	}
	c.t.Fatalf("no server has the slot %d", slot)
	return 0
}

// Move moves a slot to the server of that index, as redis-cli does it. It calls halfway,
// unless it is nil, when half of the slot's keys have moved.
func (c *Cluster) Move(slot, to int, halfway func()) {
	c.t.Helper()
	from := c.Owner(slot)
	if from == to {
		return
	}
	source, target := c.Servers[from], c.Servers[to]
	target.Do("CLUSTER", "SETSLOT", slot, "IMPORTING", c.ids[from])
	source.Do("CLUSTER", "SETSLOT", slot, "MIGRATING", c.ids[to])
	for {
		count, _ := redis.Int(source.Do("CLUSTER", "COUNTKEYSINSLOT", slot), nil)
		if count == 0 {
			break
		}
		batch := count
		if halfway != nil {
			batch = (count + 1) / 2
		}
		c.migrate(source, target, slot, batch)
		if halfway != nil {
			halfway()
			halfway = nil
		}
	}
	target.Do("CLUSTER", "SETSLOT", slot, "NODE", c.ids[to])
	source.Do("CLUSTER", "SETSLOT", slot, "NODE", c.ids[to])
	for _, s := range c.Servers {
		s.Do("CLUSTER", "SETSLOT", slot, "NODE", c.ids[to])
	}
}

// migrate moves some keys of a slot.
func (c *Cluster) migrate(source, target *Server, slot, count int) {
	c.t.Helper()
	host, port, _ := net.SplitHostPort(target.Addr)
	keys, _ := redis.Strings(source.Do("CLUSTER", "GETKEYSINSLOT", slot, count), nil)
	args := redis.Args{host, port, "", 0, (5 * time.Second).Milliseconds(), "KEYS"}.AddFlat(keys)
	source.Do("MIGRATE", args...)
}

// Do sends a command to all servers.
func (c *Cluster) Do(command string, args ...any) {
	c.t.Helper()
	for _, s := range c.Servers {
		s.Do(command, args...)
	}
}
