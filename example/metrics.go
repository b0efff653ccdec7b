package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/scangate/scangate"
)

// metrics counts what happens for Prometheus. The gate knows nothing of it: it
// tells Config.OnEvent, and that is all this needs.
type metrics struct {
	registry *prometheus.Registry
	events   *prometheus.CounterVec
	refused  *prometheus.CounterVec
	limited  *prometheus.CounterVec
	seconds  prometheus.Histogram
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scangate_events_total",
			Help: "What happened to logins and sessions: started, scanned, identified, approved, denied, finished and so on.",
		}, []string{"event"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scangate_refused_total",
			Help: "Requests that were refused, by reason: expired, denied, wechat, too_many and so on.",
		}, []string{"reason"}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scangate_limited_total",
			Help: "Limits that were met: login, callback, guess or codes.",
		}, []string{"limit"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "scangate_login_seconds",
			Help:    "From the beginning of a login to its session.",
			Buckets: []float64{1, 2, 5, 10, 15, 20, 30, 45, 60, 120, 300, 900},
		}),
	}
	m.registry.MustRegister(m.events, m.refused, m.limited, m.seconds)
	for _, name := range []scangate.EventName{scangate.EventStarted, scangate.EventFinished, scangate.EventDenied} {
		m.events.WithLabelValues(string(name)) // zero is news too, and rates need it
	}
	return m
}

// count is told of each event. Neither an event's name nor its reason is
// anything that a client could choose, so the labels are few.
func (m *metrics) count(e scangate.Event) {
	m.events.WithLabelValues(string(e.Name)).Inc()
	switch e.Name {
	case scangate.EventRefused:
		m.refused.WithLabelValues(e.Reason).Inc()
	case scangate.EventLimited:
		m.limited.WithLabelValues(e.Reason).Inc()
	case scangate.EventFinished:
		m.seconds.Observe(e.Time.Sub(e.Started).Seconds())
	}
}

// around serves /metrics beside the application. What is counted already, the
// browsers that wait, is read off the gate when somebody asks.
//
// Here everybody may read the metrics. In production, give them a port of their
// own, or have the proxy in front keep them in.
func (m *metrics) around(app http.Handler, gate *scangate.Gate) http.Handler {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "scangate_waiting_browsers",
		Help: "Browsers that wait for their phones now.",
	}, func() float64 { return float64(gate.Waiting()) }))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.Handle("/", app)
	return mux
}
