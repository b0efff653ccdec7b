package goredis

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scangate/scangate/internal/redisconn"
)

var _ redisconn.Sharded = (*shardedConn)(nil)

// shardedConn is a transport to a Cluster.
type shardedConn struct {
	conn
	cluster *cluster
}

// SubscribeShards implements [redisconn.Sharded]. It has one connection to each master
// that has channels of the set.
func (s *shardedConn) SubscribeShards(ctx context.Context, channels *redisconn.ChannelSet, events redisconn.ShardEvents) {
	l := &shardListener{
		conn:    s,
		wanted:  channels,
		events:  events,
		nodes:   make(map[string]*nodeListener),
		owners:  make(map[string]*nodeListener),
		pending: make(map[string]string),
		reports: make(chan report),
	}
	l.run(ctx)
	l.life.Wait()
}

// shardListener gives each channel to the listener of the server that has its slot. One
// goroutine owns its fields.
type shardListener struct {
	conn    *shardedConn
	wanted  *redisconn.ChannelSet
	events  redisconn.ShardEvents
	nodes   map[string]*nodeListener // by the server's address
	owners  map[string]*nodeListener // by channel
	pending map[string]string        // channels without a listener, and where a server sent them, or ""
	reports chan report
	life    sync.WaitGroup
	pause   redisconn.Pause
	retry   <-chan time.Time // when to place the pending channels, or nil
}

// report is what the listener of one server reports.
type report struct {
	node    *nodeListener
	channel string // of one channel; "" for the connection, which has ended
	err     error  // nil if Redis has confirmed the subscription
}

// errUnsubscribed reports that a server has ended the subscription to a channel because
// its slot moves to another server.
var errUnsubscribed = errors.New("the channel's slot has moved")

func (l *shardListener) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wanted.Changed():
			in, out := l.wanted.Take()
			for _, channel := range out {
				l.release(channel)
			}
			for _, channel := range in {
				if _, waits := l.pending[channel]; !waits && l.owners[channel] == nil {
					l.place(ctx, channel, "")
				}
			}
		case r := <-l.reports:
			l.handle(ctx, r)
		case <-l.retry:
			l.retry = nil
			for channel, addr := range l.pending {
				delete(l.pending, channel)
				l.place(ctx, channel, addr)
			}
		}
	}
}

// handle handles a report.
func (l *shardListener) handle(ctx context.Context, r report) {
	switch {
	case r.err == nil:
		l.pause.Reset()
	case r.channel == "":
		delete(l.nodes, r.node.addr)
		for channel, owner := range l.owners {
			if owner == r.node {
				delete(l.owners, channel)
				l.later(channel, "")
			}
		}
		if ctx.Err() == nil {
			l.conn.cluster.reload(ctx)
			l.events.Failed(redisconn.Cause(ctx, plainError(r.err)))
		}
	case l.owners[r.channel] == r.node:
		delete(l.owners, r.channel)
		r.node.channels.Remove(r.channel)
		addr, _ := redirect(r.node.client, r.err)
		l.later(r.channel, addr)
		l.conn.cluster.reload(ctx)
		if addr == "" && !errors.Is(r.err, errUnsubscribed) {
			l.events.Failed(redisconn.Cause(ctx, plainError(r.err)))
		}
	}
}

// place gives a channel to the server at addr or, if that is empty, to the master that
// has its slot.
func (l *shardListener) place(ctx context.Context, channel, addr string) {
	limited, cancel := context.WithTimeout(ctx, l.conn.limit)
	defer cancel()
	var client *redis.Client
	var err error
	if addr == "" {
		client, err = l.conn.cluster.client.MasterForKey(limited, channel)
	} else {
		client, err = l.conn.cluster.node(addr)
	}
	if err != nil {
		l.later(channel, "")
		if ctx.Err() == nil {
			l.events.Failed(redisconn.Cause(ctx, plainError(err)))
		}
		return
	}
	node := l.node(ctx, client)
	l.owners[channel] = node
	node.channels.Add(channel)
}

// later makes a channel one to place after the pause, unless it is not wanted any more.
func (l *shardListener) later(channel, addr string) {
	if !l.wanted.Has(channel) {
		return
	}
	l.pending[channel] = addr
	if l.retry == nil {
		l.retry = time.After(l.pause.Next())
	}
}

// release ends the subscription to a channel.
func (l *shardListener) release(channel string) {
	delete(l.pending, channel)
	if node := l.owners[channel]; node != nil {
		delete(l.owners, channel)
		node.channels.Remove(channel)
	}
}

// node returns the listener of a server, and starts it if there is none.
func (l *shardListener) node(ctx context.Context, client *redis.Client) *nodeListener {
	addr := client.Options().Addr
	if l.nodes[addr] == nil {
		n := &nodeListener{addr: addr, client: client, channels: redisconn.NewChannelSet()}
		l.nodes[addr] = n
		l.life.Go(func() {
			err := n.listen(ctx, l)
			l.report(ctx, report{node: n, err: err})
		})
	}
	return l.nodes[addr]
}

// report sends a report to run.
func (l *shardListener) report(ctx context.Context, r report) {
	select {
	case l.reports <- r:
	case <-ctx.Done():
	}
}

// nodeListener listens to channels at one server.
type nodeListener struct {
	addr     string
	client   *redis.Client
	channels *redisconn.ChannelSet
	sent     []request // without a reply yet, in the order in which they were sent
}

// request is an SSUBSCRIBE or SUNSUBSCRIBE of one channel: channels of two slots in one
// command are an error.
type request struct {
	kind    string
	channel string
}

// received is a message, or the error that came instead.
type received struct {
	message any
	err     error
}

// listen stays subscribed to the channels until the connection or ctx ends.
func (n *nodeListener) listen(ctx context.Context, l *shardListener) error {
	ctx, cancel := context.WithCancel(ctx)
	pubsub := n.client.SSubscribe(ctx) // connects with the first command
	messages := make(chan received)
	var reader sync.WaitGroup
	defer reader.Wait()
	defer func() { _ = pubsub.Close() }() // which ends the reading
	defer cancel()
	if err := n.command(ctx, l, func(ctx context.Context) error { return pubsub.Ping(ctx) }); err != nil {
		return err
	}
	reader.Go(func() { receive(ctx, pubsub, l.conn.limit+l.conn.ping, messages) })
	ticker := time.NewTicker(l.conn.ping)
	defer ticker.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-n.channels.Changed():
			err = n.change(ctx, l, pubsub)
		case <-ticker.C:
			err = n.command(ctx, l, func(ctx context.Context) error { return pubsub.Ping(ctx) })
		case m := <-messages:
			err = n.take(ctx, l, m)
		}
		if err != nil {
			return err
		}
	}
}

// command sends a command within the limit.
func (n *nodeListener) command(ctx context.Context, l *shardListener, send func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, l.conn.limit)
	defer cancel()
	return send(limited)
}

// change subscribes to the channels that were added to the set and ends the subscription
// to those that were removed.
func (n *nodeListener) change(ctx context.Context, l *shardListener, pubsub *redis.PubSub) error {
	in, out := n.channels.Take()
	send := func(kind string, channels []string, f func(context.Context, ...string) error) error {
		for _, channel := range channels {
			n.sent = append(n.sent, request{kind, channel})
			if err := n.command(ctx, l, func(ctx context.Context) error { return f(ctx, channel) }); err != nil {
				return err
			}
		}
		return nil
	}
	if err := send("sunsubscribe", out, pubsub.SUnsubscribe); err != nil {
		return err
	}
	return send("ssubscribe", in, pubsub.SSubscribe)
}

// take handles a message. It returns an error if the connection is broken.
func (n *nodeListener) take(ctx context.Context, l *shardListener, m received) error {
	var refused redis.Error
	switch message := m.message.(type) {
	case *redis.Message:
		l.events.Received(message.Channel)
	case *redis.Subscription:
		requested := len(n.sent) > 0 && n.sent[0] == request{message.Kind, message.Channel}
		if requested {
			n.sent = n.sent[1:]
		}
		switch {
		case message.Kind == "ssubscribe":
			l.report(ctx, report{node: n, channel: message.Channel})
			l.events.Subscribed(message.Channel)
		case !requested:
			l.report(ctx, report{node: n, channel: message.Channel, err: errUnsubscribed})
		}
	case nil:
		if !errors.As(m.err, &refused) || len(n.sent) == 0 {
			return m.err
		}
		// Replies come in the order of the requests, so it is the oldest that was refused.
		oldest := n.sent[0]
		n.sent = n.sent[1:]
		if oldest.kind == "ssubscribe" {
			l.report(ctx, report{node: n, channel: oldest.channel, err: m.err})
		}
	}
	return nil
}

// receive sends each message to messages, until the connection breaks or ctx ends.
func receive(ctx context.Context, pubsub *redis.PubSub, limit time.Duration, messages chan<- received) {
	for {
		var r received
		r.message, r.err = pubsub.ReceiveTimeout(ctx, limit)
		select {
		case messages <- r:
		case <-ctx.Done():
			return
		}
		var refused redis.Error
		if r.err != nil && !errors.As(r.err, &refused) {
			return
		}
	}
}
