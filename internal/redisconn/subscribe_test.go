package redisconn_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/scangate/scangate/internal/redisconn"
)

// subscription is a running call of Subscribe.
type subscription struct {
	subscribed chan struct{}
	messages   chan string
	ended      chan error
}

// subscribe starts a subscription and waits until Redis has confirmed it.
func subscribe(ctx context.Context, t *testing.T, client *redisconn.Client) subscription {
	t.Helper()
	s := subscription{make(chan struct{}, 10), make(chan string, 10), make(chan error, 1)}
	go func() {
		s.ended <- client.Subscribe(ctx, []string{"channel"},
			func() { s.subscribed <- struct{}{} }, func(message string) { s.messages <- message })
	}()
	select {
	case <-s.subscribed:
	case err := <-s.ended:
		t.Fatalf("Subscribe: error = %v, want a subscription", err)
	}
	return s
}

func TestSubscribe(t *testing.T) {
	server := miniredis.RunT(t)
	client := newClient(t, server)
	ctx, cancel := context.WithCancel(t.Context())
	s := subscribe(ctx, t, client)
	for _, message := range []string{"one", "", "three\r\n"} {
		server.Publish("channel", message)
		if got := <-s.messages; got != message {
			t.Errorf("message = %q, want %q", got, message)
		}
	}
	if n := client.Pool.ActiveCount(); n != 0 {
		t.Errorf("connections taken from the pool = %d, want 0", n)
	}
	cancel()
	if err := <-s.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Subscribe after its context: error = %v, want Canceled", err)
	}
}

func TestSubscribeEndsWithItsConnection(t *testing.T) {
	server := miniredis.RunT(t)
	s := subscribe(t.Context(), t, newClient(t, server))
	server.Close()
	if err := <-s.ended; err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("Subscribe after its connection: error = %v, want the connection's", err)
	}
}

// PINGs keep a subscription alive on which no message arrives.
func TestSubscribeSurvivesSilence(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for real time to pass, because it needs a real connection; -short skips it")
	}
	server := miniredis.RunT(t)
	client := newClient(t, server)
	client.Limit, client.Ping = 500*time.Millisecond, 20*time.Millisecond
	s := subscribe(t.Context(), t, client)
	select {
	case err := <-s.ended:
		t.Fatalf("Subscribe in silence: error = %v, want it to go on", err)
	case <-time.After(2 * (client.Limit + client.Ping)):
	}
	server.Publish("channel", "message")
	if got := <-s.messages; got != "message" {
		t.Errorf("message after silence = %q, want %q", got, "message")
	}
}
