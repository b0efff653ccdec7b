package summary_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate/internal/summary"
)

// lineBuffer is a bytes.Buffer for many goroutines: a timer writes too.
type lineBuffer struct {
	mu      sync.Mutex
	written bytes.Buffer
}

// Write implements io.Writer.
func (b *lineBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.written.Write(p)
}

// take returns and clears the lines.
func (b *lineBuffer) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.written.Reset()
	return strings.FieldsFunc(b.written.String(), func(c rune) bool { return c == '\n' })
}

// newLog returns a Log and the function that returns and clears the lines it has written.
func newLog() (*summary.Log, func() []string) {
	var written lineBuffer
	handler := slog.NewTextHandler(&written, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	return summary.New(slog.New(handler)), written.take
}

// eof returns the failure of a connection from a port.
func eof(port int) summary.Failure {
	return summary.Failure{Level: slog.LevelError, Code: "unavailable", Error: fmt.Sprintf("read 127.0.0.1:%d: EOF", port)}
}

// demandLines fails the test unless the lines contain the texts, in this order.
func demandLines(t *testing.T, when string, lines []string, want ...string) {
	t.Helper()
	if len(lines) != len(want) {
		t.Errorf("lines %s = %q, want %d", when, lines, len(want))
		return
	}
	for i, text := range want {
		if !strings.Contains(lines[i], text) {
			t.Errorf("line %d %s = %q, want one with %q", i+1, when, lines[i], text)
		}
	}
}

func TestOneLinePerCauseAndInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, lines := newLog()
		for i := range 128 {
			log.Add(t.Context(), eof(40_000+i), "route", "GET /")
		}
		other := summary.Failure{Level: slog.LevelInfo, Code: "unavailable", Error: "context canceled"}
		log.Add(t.Context(), other)
		demandLines(t, "at once", lines(), "route=\"GET /\"", "level=INFO")
		<-time.After(summary.Interval)
		synctest.Wait()
		demandLines(t, "after an interval", lines(), "level=ERROR msg=\"scangate: more requests refused\" code=unavailable error=\"read 127.0.0.1:40127: EOF\" count=127")
		log.Add(t.Context(), eof(1))
		demandLines(t, "in the next interval", lines())
		<-time.After(summary.Interval)
		synctest.Wait()
		demandLines(t, "after the next interval", lines(), "count=1")
		<-time.After(summary.Interval)
		synctest.Wait()
		log.Add(t.Context(), eof(1))
		demandLines(t, "after an interval without failures", lines(), "request refused")
	})
}

func TestCloseLogsWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, lines := newLog()
		for range 3 {
			log.Add(t.Context(), eof(1))
		}
		lines()
		log.Close()
		demandLines(t, "at Close", lines(), "count=2")
		for range 2 {
			log.Add(t.Context(), eof(1))
		}
		demandLines(t, "after Close", lines(), "request refused", "request refused")
		log.Close()
		<-time.After(2 * summary.Interval)
		demandLines(t, "long after Close", lines())
	})
}

// An attacker who can vary an error's text gets few lines, and few causes are kept.
func TestCausesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, lines := newLog()
		for i := range 1000 {
			f := eof(1)
			f.Error += strings.Repeat("x", i)
			log.Add(t.Context(), f)
		}
		if got := len(lines()); got != 65 {
			t.Errorf("lines for 1,000 different errors = %d, want 65", got)
		}
		log.Close()
		demandLines(t, "at Close", lines(), "count=935")
	})
}
