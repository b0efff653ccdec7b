// Package summary logs failures that many requests meet at once, such as those of a
// store that is away, in a few lines.
package summary

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"
)

const (
	// Interval is the time whose failures of one cause become one line.
	Interval = 10 * time.Second
	// maxCauses bounds the causes that are kept apart. Failures beyond them share one.
	maxCauses = 64
)

// Log logs the first failure of a cause at once, and the number of those that follow
// once in each [Interval].
type Log struct {
	logger *slog.Logger

	mu     sync.Mutex
	closed bool
	causes map[string]*cause
}

// cause counts the failures that are not logged yet.
type cause struct {
	failure Failure
	more    int
	timer   *time.Timer
}

// Failure is one failure of a request.
type Failure struct {
	Level slog.Level
	Code  string // of the answer
	Error string
	Text  string // of the line, if the request was not refused
}

// New returns a Log that writes to the logger.
func New(logger *slog.Logger) *Log {
	return &Log{logger: logger, causes: make(map[string]*cause)}
}

// Add logs or counts a failure. The attributes describe the request of a failure that is
// logged at once.
func (l *Log) Add(ctx context.Context, f Failure, attrs ...any) {
	if !l.count(f) {
		l.logger.Log(ctx, f.Level, cmp.Or(f.Text, "scangate: request refused"), append(f.attrs(), attrs...)...)
	}
}

func (f Failure) attrs() []any { return []any{"code", f.Code, "error", f.Error} }

// key identifies the cause. Digits are left out, because errors of the network contain
// the port of each connection.
func (f Failure) key() string {
	return f.Level.String() + " " + f.Code + " " + strings.Map(func(c rune) rune {
		if unicode.IsDigit(c) {
			return -1
		}
		return c
	}, f.Error)
}

// count counts a failure whose cause was logged before, and reports whether it was.
func (l *Log) count(f Failure) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	key := f.key()
	if l.causes[key] == nil && len(l.causes) >= maxCauses {
		key = "other causes"
	}
	if c := l.causes[key]; c != nil {
		c.failure = f
		c.more++
		return true
	}
	l.causes[key] = &cause{failure: f, timer: time.AfterFunc(Interval, func() { l.flush(key) })}
	return false
}

// flush logs the number of failures of a cause, and forgets a cause without any.
func (l *Log) flush(key string) {
	l.mu.Lock()
	c := l.causes[key]
	if c == nil || l.closed {
		l.mu.Unlock()
		return
	}
	more, f := c.more, c.failure
	c.more = 0
	if more == 0 {
		delete(l.causes, key)
	} else {
		c.timer.Reset(Interval)
	}
	l.mu.Unlock()
	l.summarize(f, more) // without the lock: a handler may be slow
}

func (l *Log) summarize(f Failure, more int) {
	if more > 0 {
		l.logger.Log(context.Background(), f.Level, cmp.Or(f.Text, "scangate: more requests refused"), append(f.attrs(), "count", more)...)
	}
}

// Close logs the numbers that are left. From then on Add logs every failure.
func (l *Log) Close() {
	l.mu.Lock()
	causes := l.causes
	l.causes, l.closed = nil, true
	l.mu.Unlock()
	for _, c := range causes {
		c.timer.Stop()
		l.summarize(c.failure, c.more)
	}
}
