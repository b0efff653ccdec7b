package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"

	"github.com/scangate/scangate"
)

// requestIDKey is the context key of a request's id.
type requestIDKey struct{}

// withRequestID gives each request an id, which stands in all that is logged of
// it, and in its answer for people to quote.
func withRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := rand.Text()[:12]
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
	})
}

// requestLog adds the request's id to what is logged with its context: by the
// application, and by the gate, which logs and tells its events with the context
// of the request that they belong to.
type requestLog struct{ slog.Handler }

// Handle implements [slog.Handler].
func (l requestLog) Handle(ctx context.Context, record slog.Record) error {
	if id, ok := ctx.Value(requestIDKey{}).(string); ok {
		record = record.Clone()
		record.AddAttrs(slog.String("request", id))
	}
	return l.Handler.Handle(ctx, record)
}

// WithAttrs implements [slog.Handler].
func (l requestLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestLog{l.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (l requestLog) WithGroup(name string) slog.Handler {
	return requestLog{l.Handler.WithGroup(name)}
}

// logEvent shows in the terminal what happens. A real application may keep an
// audit trail.
func logEvent(ctx context.Context, e scangate.Event) {
	slog.InfoContext(ctx, "login: "+string(e.Name), "login", e.Login, "user", e.UserID, "reason", e.Reason, "address", e.Address)
}
