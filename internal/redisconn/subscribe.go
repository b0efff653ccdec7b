package redisconn

import (
	"context"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Subscribe implements [Transport].
func (c *Client) Subscribe(ctx context.Context, channels []string, subscribed func(), received func(message string)) error {
	return Cause(ctx, c.subscribe(ctx, channels, subscribed, received))
}

func (c *Client) subscribe(ctx context.Context, channels []string, subscribed func(), received func(message string)) error {
	dialing, dialed := context.WithTimeout(ctx, c.limit())
	conn, err := dial(dialing, c.Pool)
	dialed()
	if err != nil {
		return err
	}
	subscriber := redis.PubSubConn{Conn: conn}
	if err := subscriber.Subscribe(redis.Args{}.AddFlat(channels)...); err != nil {
		_ = conn.Close()
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var life sync.WaitGroup
	life.Go(func() { keepAlive(ctx, subscriber, c.ping()) })
	defer life.Wait()
	defer cancel()
	limit := c.limit()
	for {
		switch got := subscriber.ReceiveWithTimeout(limit).(type) {
		case error:
			return got
		case redis.Subscription:
			if got.Count < len(channels) {
				continue
			}
			subscribed()
			limit = c.limit() + c.ping() // the reply to the next PING comes within that time
		case redis.Message:
			received(string(got.Data))
		}
	}
}

// keepAlive sends PING at that interval, so that a connection on which nothing arrives
// is a dead one. When ctx ends it closes the connection, which ends the receiving.
func keepAlive(ctx context.Context, subscriber redis.PubSubConn, interval time.Duration) {
	defer func() { _ = subscriber.Close() }()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if subscriber.Ping("") != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
