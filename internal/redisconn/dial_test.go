package redisconn_test

import (
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate/internal/redisconn"
)

// recordingConn records the limits of the commands.
type recordingConn struct {
	redis.Conn
	limits []time.Duration
}

// DoWithTimeout implements [redis.ConnWithTimeout].
func (c *recordingConn) DoWithTimeout(limit time.Duration, _ string, _ ...any) (any, error) {
	c.limits = append(c.limits, limit)
	return "OK", nil
}

// ReceiveWithTimeout implements [redis.ConnWithTimeout].
func (c *recordingConn) ReceiveWithTimeout(time.Duration) (any, error) { return "OK", nil }

func TestDialLimitedLimitsCommands(t *testing.T) {
	recorded := &recordingConn{}
	conn, err := redisconn.DialLimited(t.Context(), &redis.Pool{Dial: func() (redis.Conn, error) { return recorded, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Do("GET", "key"); err != nil {
		t.Errorf("Do: error = %v, want none", err)
	}
	if len(recorded.limits) != 1 || recorded.limits[0] != 3*time.Second {
		t.Errorf("limits of the commands = %v, want 3s for one command", recorded.limits)
	}
}
