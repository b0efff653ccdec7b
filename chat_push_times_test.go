package scangate_test

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

var encryptPattern = regexp.MustCompile(`<Encrypt><!\[CDATA\[([^\]]*)\]\]></Encrypt>`)

// redated returns the push with another timestamp, signed again.
func redated(t *testing.T, req *http.Request, at time.Time) *http.Request {
	t.Helper()
	encrypted := encryptPattern.FindStringSubmatch(bodyOf(t, req))
	if encrypted == nil {
		t.Fatal("the push has no encrypted message")
	}
	q := req.URL.Query()
	q.Set("timestamp", fmt.Sprintf("%010d", at.Unix()))
	parts := []string{pushToken, q.Get("timestamp"), q.Get("nonce"), encrypted[1]}
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, ""))) // WeChat's signatures are SHA-1
	q.Set("msg_signature", hex.EncodeToString(sum[:]))
	req.URL.RawQuery = q.Encode()
	return req
}

// TestThreat49LastDelivery: the store stays away. The first two deliveries of a message end
// without an answer after 4 s, so that WeChat repeats it. The third one may be the last: the
// gate tries the store for 3 s, and answers. Clocks that differ by 4 s change none of it.
func TestThreat49LastDelivery(t *testing.T) {
	t.Parallel()
	const ahead, behind = 4 * time.Second, -4 * time.Second
	for name, c := range map[string]struct {
		clock time.Duration // WeChat's clock minus this server's
		stale bool          // repetitions have the timestamp of the first delivery
	}{
		"equal clocks":                    {},
		"WeChat's clock is ahead":         {clock: ahead},
		"WeChat's clock is behind":        {clock: behind},
		"one timestamp":                   {stale: true},
		"one timestamp of a clock behind": {clock: behind, stale: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			store := &failingState{StateStore: scangate.NewMemoryStore()}
			w := newChatWorld(t, scangate.ScanFollow, func(config *scangate.Config) { config.State = store })
			w.desktop().start()
			m := w.pusher.Event("lin", "SCAN", w.lastScene())
			away := errors.New("the store is away")
			store.err.Store(&away)
			begun := time.Now()
			m.CreateTime = begun.Add(c.clock).Truncate(time.Second)
			m = w.pusher.Complete(m)
			for i, want := range []time.Duration{4 * time.Second, 4 * time.Second, 3 * time.Second} {
				pass(time.Until(begun.Add(time.Duration(i) * 5 * time.Second)))
				delivered := time.Now()
				stamp := delivered.Add(c.clock)
				if c.stale {
					stamp = m.CreateTime
				}
				d := w.pusher.Do(redated(t, w.request(w.pusher.Document(m)), stamp), m)
				answered := d.Err == nil && strings.Contains(d.Reply.Content, "二维码")
				if took := time.Since(delivered); took != want || answered != (i == 2) || (d.Err == nil) != answered {
					t.Errorf("%s, delivery %d: reply %q, error %v after %v, want a reply = %v after %v", name, i+1, d.Reply.Content, d.Err, took, i == 2, want)
				}
			}
		})
	}
}
