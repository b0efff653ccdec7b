package redistest

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
)

// slots is the number of slots of a Cluster.
const slots = 16384

// Cluster is a Redis Cluster of three masters that belongs to one test.
type Cluster struct {
	t        *testing.T
	Servers  []*Server // the masters
	Replicas []*Server // one of each master, or none
	ids      []string  // the masters' names in the Cluster
}

// StartCluster starts a Cluster of three masters, and returns when all of them
// have learned of each other. It skips or fails the test like [Start].
func StartCluster(t *testing.T, args ...string) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	const masters = 3
	for i := range masters {
		s := c.start(args)
		id, _ := redis.String(s.Do("CLUSTER", "MYID"), nil)
		c.Servers, c.ids = append(c.Servers, s), append(c.ids, id)
		s.Do("CLUSTER", "ADDSLOTSRANGE", i*slots/masters, (i+1)*slots/masters-1)
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		c.meet(s)
	}
	c.await()
	return c
}

// StartReplicatedCluster starts a Cluster of three masters with a replica each, and
// returns when the replicas have copied their masters.
func StartReplicatedCluster(t *testing.T, args ...string) *Cluster {
	t.Helper()
	c := StartCluster(t, args...)
	for range c.Servers {
		replica := c.start(args)
		c.Replicas = append(c.Replicas, replica)
		c.meet(replica)
	}
	c.await()
	for i, replica := range c.Replicas {
		replica.Do("CLUSTER", "REPLICATE", c.ids[i])
	}
	for _, replica := range c.Replicas {
		if !Within(Patience, replica.copied) {
			t.Fatalf("a replica has not copied its master within %v", Patience)
		}
	}
	return c
}

// start starts a server that knows no other.
func (c *Cluster) start(args []string) *Server {
	c.t.Helper()
	// Not the default, which is the port plus 10000 and may be beyond 65535.
	return Start(c.t, append([]string{
		"--cluster-enabled", "yes", "--cluster-config-file", "nodes", "--cluster-port", freePort(c.t), "--cluster-node-timeout", "5000",
	}, args...)...)
}

// meet introduces a server to the first one.
func (c *Cluster) meet(s *Server) {
	c.t.Helper()
	host, port, _ := net.SplitHostPort(s.Addr)
	bus, _ := redis.Strings(s.Do("CONFIG", "GET", "cluster-port"), nil)
	c.Servers[0].Do("CLUSTER", "MEET", host, port, bus[1])
}

// await returns when all servers have learned of each other.
func (c *Cluster) await() {
	c.t.Helper()
	if !Within(Patience, c.works) {
		c.t.Fatalf("the Cluster does not work after %v: %s", Patience, c.Servers[0].Do("CLUSTER", "INFO"))
	}
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
	all := slices.Concat(c.Servers, c.Replicas)
	for _, s := range all {
		info, _ := redis.String(s.Do("CLUSTER", "INFO"), nil)
		shards, _ := redis.Values(s.Do("CLUSTER", "SLOTS"), nil)
		if !strings.Contains(info, "cluster_state:ok") || len(shards) < len(c.Servers) ||
			!strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", len(all))) {
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

// Reshard moves n slots, from that of the first index on, to the next server. That is much
// faster than [Cluster.Move] for each, because its connections stay.
func (c *Cluster) Reshard(from, n int) {
	c.t.Helper()
	to := (from + 1) % len(c.Servers)
	var conns []redis.Conn
	for _, s := range c.Servers {
		conn, err := redis.Dial("tcp", s.Addr)
		if err != nil {
			c.t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		conns = append(conns, conn)
	}
	do := func(server int, command string, args ...any) any {
		reply, err := conns[server].Do(command, args...)
		if err != nil {
			c.t.Fatalf("%s: %v", command, err)
		}
		return reply
	}
	host, port, _ := net.SplitHostPort(c.Servers[to].Addr)
	first := from * slots / len(c.Servers)
	for slot := first; slot < first+n; slot++ {
		do(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", c.ids[from])
		do(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", c.ids[to])
		for {
			keys, _ := redis.Strings(do(from, "CLUSTER", "GETKEYSINSLOT", slot, 100), nil)
			if len(keys) == 0 {
				break
			}
			do(from, "MIGRATE", redis.Args{host, port, "", 0, (5 * time.Second).Milliseconds(), "KEYS"}.AddFlat(keys)...)
		}
		do(to, "CLUSTER", "SETSLOT", slot, "NODE", c.ids[to])
		for server := range conns {
			do(server, "CLUSTER", "SETSLOT", slot, "NODE", c.ids[to])
		}
	}
}

// Do sends a command to all masters.
func (c *Cluster) Do(command string, args ...any) {
	c.t.Helper()
	for _, s := range c.Servers {
		s.Do(command, args...)
	}
}
