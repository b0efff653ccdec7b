package scangate_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// addresses is the address of all browsers of a world, which a test changes.
type addresses struct{ current atomic.Value }

func (a *addresses) set(format string, args ...any) { a.current.Store(fmt.Sprintf(format, args...)) }

// configure is an option of newWorld: all requests come from the current address.
func (a *addresses) configure(c *scangate.Config) {
	c.ClientIP = func(*http.Request) netip.Addr { return netip.MustParseAddr(a.current.Load().(string)) }
}

// The /64s of one /48 hold at most half of the places. Another site finds the other half
// free.
func TestCaseB07OneSiteHoldsNotAllPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at addresses
		w := newWorld(t, at.configure, func(c *scangate.Config) { c.Limits.Waiting = 100 })
		var polls sync.WaitGroup
		for i := range 20 {
			at.set("2001:db8:1:%x::1", i)
			attacker := w.desktop()
			for range 2 {
				s := attacker.start()
				for range 5 {
					polls.Go(func() { attacker.tryGet(s.StateURL + "?seen=waiting") })
				}
				synctest.Wait()
			}
		}
		if got := w.gate.Waiting(); got != 50 {
			t.Errorf("requests of one /48 that wait = %d, want 50 of 100", got)
		}
		at.set("2001:db8:2::1")
		desktop := w.desktop()
		s := desktop.start()
		status := make(chan int, 1)
		go func() { status <- desktop.tryGet(s.StateURL + "?seen=waiting") }()
		if got := <-status; got != http.StatusOK {
			t.Errorf("a waiting request of another /48: status = %d, want %d", got, http.StatusOK)
		}
		polls.Wait()
	})
}

// The codes that the /64s of one /48 may have sent are bounded, for an hour and for a
// day.
func TestCaseB07OneSiteGetsFewCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		max   int
		pause time.Duration // between two codes
	}{
		{"in an hour", 300, time.Second},
		{"in a day", 1500, 50 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asker := newCodeRequests(t, codeLimit{})
				send := func(address string) answer {
					asker.asked++
					asker.address = netip.MustParseAddr(address)
					asker.changePerson(t)
					return asker.phone.sendCode(asker.phone.open("/account"), fmt.Sprintf("+861390%07d", asker.asked))
				}
				for i := range c.max {
					if a := send(fmt.Sprintf("2001:db8:1:%x::1", i)); a.StatusCode != http.StatusSeeOther {
						t.Fatalf("code %d to one /48 %s: status = %d, want %d", i+1, c.name, a.StatusCode, http.StatusSeeOther)
					}
					pass(c.pause)
				}
				if a := send("2001:db8:1:ffff::1"); a.StatusCode != http.StatusTooManyRequests {
					t.Errorf("code %d to one /48 %s: status = %d, want %d", c.max+1, c.name, a.StatusCode, http.StatusTooManyRequests)
				}
				if a := send("2001:db8:2::1"); a.StatusCode != http.StatusSeeOther {
					t.Errorf("a code to another /48: status = %d, want %d", a.StatusCode, http.StatusSeeOther)
				}
			})
		})
	}
}
