package scangate

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/scangate/scangate/internal/summary"
)

// The bounds of calls of [Config.Locate].
const (
	locateTime  = 500 * time.Millisecond // a page waits no longer
	maxLocating = 32                     // calls at a time
)

// locator finds the places of addresses. A page works without a place, so no failure of
// Config.Locate reaches it.
type locator struct {
	locate     func(netip.Addr) string
	slots      chan struct{} // one for each call that has not returned
	failureLog *summary.Log
}

// newLocator returns a locator that calls locate, which may be nil.
func newLocator(locate func(netip.Addr) string, failureLog *summary.Log) locator {
	return locator{locate: locate, slots: make(chan struct{}, maxLocating), failureLog: failureLog}
}

// place returns the place of an address as a page may show it, or "" if it is not known in
// time.
func (l *locator) place(ctx context.Context, address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil || l.locate == nil {
		return ""
	}
	select {
	case l.slots <- struct{}{}:
	default:
		l.fail(ctx, "Config.Locate is still busy with earlier addresses")
		return ""
	}
	found := make(chan string, 1)
	// A goroutine, because a function without a context cannot be stopped. It ends when
	// the function returns, and the slots bound how many there are.
	go func() {
		defer func() { <-l.slots }()
		found <- l.call(ctx, addr)
	}()
	timer := time.NewTimer(locateTime)
	defer timer.Stop()
	select {
	case place := <-found:
		return cleanNickname(place)
	case <-timer.C:
		l.fail(ctx, fmt.Sprintf("Config.Locate took longer than %v", locateTime))
	case <-ctx.Done():
	}
	return ""
}

// call calls locate. It recovers a panic, because nothing else would in its goroutine, and
// the process would end.
func (l *locator) call(ctx context.Context, addr netip.Addr) (place string) {
	defer func() {
		if reason := recover(); reason != nil {
			l.fail(ctx, "Config.Locate panicked", "panic", fmt.Sprintf("%.200v", reason))
			place = ""
		}
	}()
	return l.locate(addr)
}

// fail logs that there is no place.
func (l *locator) fail(ctx context.Context, text string, attrs ...any) {
	l.failureLog.Add(ctx, summary.Failure{Level: slog.LevelWarn, Code: "locate", Error: text, Text: "scangate: a page shows no place"}, attrs...)
}
