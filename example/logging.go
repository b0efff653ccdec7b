package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"

	"github.com/scangate/scangate"
)

// requestIDKey is the context key of a request's ID.
type requestIDKey struct{}

// withRequestID assigns each request an ID. It sends the ID in X-Request-Id, so that
// users can quote it in a report, and puts it into the request's context for
// requestLog.
func withRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A new ID, even if the client sent one: a client must not choose text
		// that ends up in the log.
		id := rand.Text()[:12] // 60 bits
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
	})
}

// requestLog adds the request's ID to each log record. It finds the ID in the
// context, which the gate passes to its logger and to Config.OnEvent.
type requestLog struct{ slog.Handler }

// Handle implements [slog.Handler].
func (l requestLog) Handle(ctx context.Context, record slog.Record) error {
	if id, ok := ctx.Value(requestIDKey{}).(string); ok {
		// Clone, because another handler may hold a copy of record that shares its
		// attributes.
		record = record.Clone()
		record.AddAttrs(slog.String("request", id))
	}
	return l.Handler.Handle(ctx, record)
}

// WithAttrs implements [slog.Handler].
func (l requestLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	// Wrap the result: the method of the embedded handler would drop requestLog.
	return requestLog{l.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (l requestLog) WithGroup(name string) slog.Handler {
	return requestLog{l.Handler.WithGroup(name)}
}

// logEvent writes an event to the log. A real application may write it to an audit
// trail.
func logEvent(ctx context.Context, e scangate.Event) {
	slog.InfoContext(ctx, "login: "+string(e.Name), "login", e.Login, "user", e.UserID, "reason", e.Reason, "address", e.Address)
}
