package redisconn_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate/internal/redisconn"
)

// newOutage returns an Outage and the function that returns and clears the messages it
// has logged.
func newOutage() (*redisconn.Outage, func() string) {
	o := redisconn.NewOutage(redisconn.OutageTexts{Never: "never", Began: "began", Ended: "ended"})
	var written bytes.Buffer
	o.LogTo(slog.New(slog.NewTextHandler(&written, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key != slog.MessageKey {
			return slog.Attr{}
		}
		return a
	}})))
	return o, func() string {
		defer written.Reset()
		return strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(written.String(), "\n", " ")), "msg=", "")
	}
}

func TestOutageIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, logged := newOutage()
		demand := func(when, want string) {
			t.Helper()
			if got := logged(); got != want {
				t.Errorf("messages %s = %q, want %q", when, got, want)
			}
		}
		for range 100 {
			o.Failed(io.EOF)
		}
		demand("before the first success", "never")
		o.Succeeded(time.Now())
		demand("after the first success", "ended")
		o.Failed(io.EOF)
		demand("in a second outage, at once", "")
		o.Succeeded(time.Now())
		demand("after an outage that was not logged", "")
		o.Failed(io.EOF)
		before := time.Now()
		<-time.After(10 * time.Second)
		o.Failed(io.EOF)
		demand("in an outage that lasts", "began")
		o.Succeeded(before.Add(-time.Nanosecond))
		demand("after the success of a call from before the outage", "")
		o.Succeeded(time.Now())
		demand("after the outage", "ended")
	})
}

func TestOutageKnowsFailuresOfRedis(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		want string
	}{
		{"no error", t.Context(), nil, ""},
		{"a refusal", t.Context(), redis.Error("NOPERM no"), ""},
		{"a server that starts", t.Context(), redis.Error("LOADING dataset"), "never"},
		{"a replica without its master", t.Context(), redis.Error("MASTERDOWN no link"), "never"},
		{"a broken connection", t.Context(), io.EOF, "never"},
		{"a time limit", t.Context(), context.DeadlineExceeded, "never"},
		{"a caller that has gone", gone, io.EOF, ""},
		{"an exhausted pool", t.Context(), redis.ErrPoolExhausted, ""},
		{"another error", t.Context(), errors.New("x509: unknown authority"), "never"},
	} {
		o, logged := newOutage()
		o.Note(c.ctx, time.Now(), c.err)
		if got := logged(); got != c.want {
			t.Errorf("messages after %s = %q, want %q", c.name, got, c.want)
		}
	}
	var none *redisconn.Outage
	none.Note(t.Context(), time.Now(), io.EOF)
	none.Note(t.Context(), time.Now(), nil)
}
