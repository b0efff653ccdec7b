// Package otel traces logins with OpenTelemetry: a span for each call to WeChat, and the
// gate's events as events of the request's span.
package otel

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/scangate/scangate"
)

// Configure adds tracing to a configuration that has neither WeChat.HTTPClient nor OnEvent.
func Configure(config *scangate.Config, provider trace.TracerProvider) {
	config.WeChat.HTTPClient = &http.Client{Transport: transport{http.DefaultTransport, provider.Tracer("github.com/scangate/scangate/example/otel")}}
	config.OnEvent = func(ctx context.Context, e scangate.Event) {
		trace.SpanFromContext(ctx).AddEvent("scangate."+string(e.Name), trace.WithAttributes(
			// Not the address and the user: traces are often kept longer than either should be.
			attribute.String("scangate.login", e.Login), attribute.String("scangate.reason", e.Reason),
		))
	}
}

// transport makes a span for each call.
//
// Not otelhttp.NewTransport: its attribute url.full has the query, and WeChat expects the
// AppSecret and the code there.
type transport struct {
	next   http.RoundTripper
	tracer trace.Tracer
}

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, span := t.tracer.Start(req.Context(), "WeChat "+req.URL.Path, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", req.Method), attribute.String("server.address", req.URL.Host), attribute.String("url.path", req.URL.Path),
	))
	defer span.End()
	resp, err := t.next.RoundTrip(req.WithContext(ctx)) // no trace headers: WeChat has no use for them
	if err != nil {
		span.SetStatus(codes.Error, "no answer") // the error may quote the URL
		return nil, err
	}
	span.SetAttributes(attribute.Int("http.response.status_code", resp.StatusCode))
	if resp.StatusCode >= http.StatusBadRequest {
		span.SetStatus(codes.Error, "")
	}
	return resp, nil
}

// Handler makes a span for each request, to which the gate's events belong. The span's name
// is the pattern of the mux, so it has no login's ID. Queries are left out: they contain
// WeChat's codes.
func Handler(provider trace.TracerProvider, mux *http.ServeMux) http.Handler {
	tracer := provider.Tracer("github.com/scangate/scangate/example/otel")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := mux.Handler(r)
		ctx, span := tracer.Start(r.Context(), r.Method+" "+pattern, trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		mux.ServeHTTP(w, r.WithContext(ctx))
	})
}
