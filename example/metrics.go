package main

import (
	"net/http"
	"sync"
	"time"

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
	seconds  prometheus.Histogram
	waiting  prometheus.Gauge
	open     openLogins
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
			Help: "Requests that were refused, and limits that were met, by reason.",
		}, []string{"reason"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "scangate_login_seconds",
			Help:    "From the beginning of a login to its session.",
			Buckets: []float64{1, 2, 5, 10, 15, 20, 30, 45, 60, 120, 300, 900},
		}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "scangate_waiting_browsers",
			Help: "Browsers that wait for their phones now.",
		}),
	}
	m.registry.MustRegister(m.events, m.refused, m.seconds, m.waiting)
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
	case scangate.EventStarted:
		m.open.begin(e.Attempt, e.Time)
	case scangate.EventRefused, scangate.EventLimited:
		m.refused.WithLabelValues(e.Reason).Inc()
	case scangate.EventFinished:
		if begun, ok := m.open.end(e.Attempt); ok {
			m.seconds.Observe(e.Time.Sub(begun).Seconds())
		}
	}
}

// around serves /metrics beside the application, and counts the browsers that
// wait: the requests at the one route where they do.
//
// Here everybody may read the metrics. In production, give them a port of their
// own, or have the proxy in front keep them in.
func (m *metrics) around(app http.Handler, gate *scangate.Gate) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.Handle("GET /wechat/login/{id}/state", promhttp.InstrumentHandlerInFlight(m.waiting, gate))
	mux.Handle("/", app)
	return mux
}

// openLogins knows when logins began that this process saw beginning. Most are
// never finished, so it forgets the older ones: two generations of them are all
// that it keeps.
type openLogins struct {
	mu         sync.Mutex
	young, old map[string]time.Time
	younger    time.Time // when the young generation began
}

// A generation lasts for longer than a login may take, unless more begin
// meanwhile than memory is for.
const (
	generation      = 45 * time.Minute
	generationLimit = 50_000
)

func (o *openLogins) begin(login string, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.young == nil || at.Sub(o.younger) > generation || len(o.young) >= generationLimit {
		o.old, o.young, o.younger = o.young, make(map[string]time.Time), at
	}
	o.young[login] = at
}

// end returns when a login began, once.
func (o *openLogins) end(login string) (begun time.Time, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, logins := range []map[string]time.Time{o.young, o.old} {
		if begun, ok = logins[login]; ok {
			delete(logins, login)
			return begun, true
		}
	}
	return time.Time{}, false
}
