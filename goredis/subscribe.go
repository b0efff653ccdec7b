package goredis

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scangate/scangate/internal/redisconn"
)

// Subscribe implements [redisconn.Transport].
//
// It does not use PubSub.Channel, which drops messages when its receiver is slow and
// subscribes again without a sign, so that messages are lost unnoticed.
func (c *conn) Subscribe(ctx context.Context, channels []string, subscribed func(), received func(message string)) error {
	one, ok := c.servers.(single)
	if !ok {
		return errOneServer
	}
	return redisconn.Cause(ctx, plainError(c.subscribe(ctx, one.client, channels, subscribed, received)))
}

func (c *conn) subscribe(ctx context.Context, client *redis.Client, channels []string, subscribed func(), received func(message string)) error {
	pubsub := client.Subscribe(ctx)
	dialing, dialed := context.WithTimeout(ctx, c.limit)
	err := pubsub.Subscribe(dialing, channels...)
	dialed()
	if err != nil {
		_ = pubsub.Close()
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var life sync.WaitGroup
	life.Go(func() { keepAlive(ctx, pubsub, c.ping, c.limit) })
	defer life.Wait()
	defer cancel()
	limit := c.limit
	for {
		// An error ends the subscription, although PubSub would connect again by itself:
		// messages are lost meanwhile, and the caller has to read what they were about.
		message, err := pubsub.ReceiveTimeout(ctx, limit)
		if err != nil {
			return err
		}
		switch message := message.(type) {
		case *redis.Subscription:
			if message.Count < len(channels) {
				continue
			}
			subscribed()
			limit = c.limit + c.ping // the reply to the next PING comes within that time
		case *redis.Message:
			received(message.Payload)
		}
	}
}

// keepAlive sends PING at that interval, so that a connection on which nothing arrives
// is a dead one. When ctx ends it closes the connection, which ends the receiving.
func keepAlive(ctx context.Context, pubsub *redis.PubSub, interval, limit time.Duration) {
	defer func() { _ = pubsub.Close() }()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			limited, cancel := context.WithTimeout(ctx, limit)
			err := pubsub.Ping(limited)
			cancel()
			if err != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
