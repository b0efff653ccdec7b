package main

import (
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/scangate/scangate"
)

// metrics counts the gate's events for Prometheus. The gate itself does not depend
// on Prometheus: it calls Config.OnEvent, which calls count.
type metrics struct {
	registry *prometheus.Registry
	events   *prometheus.CounterVec // by event and way
	refused  *prometheus.CounterVec // by reason
	limited  *prometheus.CounterVec // by limit
	seconds  prometheus.Histogram   // of finished logins
}

// newMetrics returns metrics with a registry of their own, so that several gates in
// one process do not collide.
func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scangate_events_total",
			Help: "Events of logins and sessions, by name: started, scanned, identified, approved, denied, finished and others; way is web, website, follow, message, mini or empty.",
		}, []string{"event", "way"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scangate_refused_total",
			Help: "Refused requests, by reason: expired, denied, wechat, too_many and others.",
		}, []string{"reason"}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scangate_limited_total",
			Help: "Requests over a limit, by limit: login, callback, guess or codes.",
		}, []string{"limit"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "scangate_login_seconds",
			Help: "Seconds from the start of a login to its session.",
			// Fine steps up to a minute, because most logins end within it. 300
			// is the default LoginTTL.
			Buckets: []float64{1, 2, 5, 10, 15, 20, 30, 45, 60, 120, 300, 900},
		}),
	}
	m.registry.MustRegister(m.events, m.refused, m.limited, m.seconds)
	// Create the usual series at zero. A rate over a series that appears only with
	// its first event misses that event.
	for _, name := range []scangate.EventName{scangate.EventStarted, scangate.EventFinished, scangate.EventDenied} {
		for _, way := range []scangate.Way{scangate.WayWeb, scangate.WayWebsite, scangate.WayFollow, scangate.WayMessage, scangate.WayMini} {
			m.events.WithLabelValues(string(name), string(way))
		}
	}
	return m
}

// count counts one event. It is a scangate.Config.OnEvent.
func (m *metrics) count(_ context.Context, e scangate.Event) {
	// The number of series is bounded: the gate chooses names, ways and reasons from
	// constants. A client cannot add a label.
	m.events.WithLabelValues(string(e.Name), string(e.Way)).Inc()
	switch e.Name {
	case scangate.EventRefused:
		m.refused.WithLabelValues(e.Reason).Inc()
	case scangate.EventLimited:
		m.limited.WithLabelValues(e.Reason).Inc()
	case scangate.EventFinished:
		// Started is the gate's own record, so this process need not have seen
		// the start of the login.
		m.seconds.Observe(e.Time.Sub(e.Started).Seconds())
	}
}

// handler returns a handler that serves /metrics and passes all other requests to
// app. In this example /metrics is public. In production, serve it on a port of its
// own or block it in the reverse proxy, as nginx/nginx.conf does.
func (m *metrics) handler(app http.Handler, gate *scangate.Gate) http.Handler {
	// A gauge function: the gate counts the waiting browsers itself, and
	// Prometheus reads that number when it scrapes.
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "scangate_waiting_browsers",
		Help: "Browsers that are waiting for a phone.",
	}, func() float64 { return float64(gate.Waiting()) }))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.Handle("/", app)
	return mux
}
