package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

// metric returns the value of a series at /metrics, or "" if there is none.
func metric(t *testing.T, address, series string) string {
	t.Helper()
	page := body(t, get(t, address+"/metrics", "*/*"))
	for line := range strings.Lines(page) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// TestMetrics counts a login in WeChat and a request for an unknown login.
func TestMetrics(t *testing.T) {
	a := newTestApp(t)
	want := func(series, value string) {
		t.Helper()
		if got := metric(t, a.url, series); got != value {
			t.Errorf("%s = %q, want %q", series, got, value)
		}
	}
	// The series exist before the first event: a rate needs that.
	want(`scangate_events_total{event="started",way="web"}`, "0")
	want(`scangate_events_total{event="finished",way="web"}`, "0")
	a.open(t, a.phone("lin"), "/account")
	get(t, a.url+"/wechat/scan/"+strings.Repeat("A", 26), "text/html")
	want(`scangate_events_total{event="started",way="web"}`, "1")
	want(`scangate_events_total{event="finished",way="web"}`, "1")
	want(`scangate_login_seconds_count`, "1")
	want(`scangate_refused_total{reason="unknown"}`, "1")
	want(`scangate_waiting_browsers`, "0")
}

// TestMetricsCountWaitingBrowsers reads the gauge while a browser waits for a phone, and
// after the browser has closed its connection.
func TestMetricsCountWaitingBrowsers(t *testing.T) {
	a := newTestApp(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	desktop := &http.Client{Jar: jar}
	resp, err := desktop.Post(a.url+"/wechat/login", "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	state := regexp.MustCompile(`"state_url":"([^"]+)"`).FindStringSubmatch(body(t, resp))
	if state == nil {
		t.Fatal("POST /wechat/login: no state_url in the answer")
	}
	ctx, disconnect := context.WithCancel(t.Context())
	defer disconnect()
	polling := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+state[1]+"?seen=waiting", nil)
		if err == nil {
			_, err = desktop.Do(req) //nolint:bodyclose // cancelled: there is no body
		}
		polling <- err
	}()
	// The gauge changes a moment after the connection does, so ask until it has.
	deadline := time.Now().Add(patience)
	for _, want := range []string{"1", "0"} {
		for metric(t, a.url, "scangate_waiting_browsers") != want {
			if time.Now().After(deadline) {
				t.Fatalf("scangate_waiting_browsers: not %s after %v", want, patience)
			}
		}
		disconnect()
	}
	if err := <-polling; err == nil {
		t.Error("state request after disconnecting: no error, want one")
	}
}

// TestMetricsSeconds counts logins of which this process has seen only the end. Their
// duration comes from the start time in the event.
func TestMetricsSeconds(t *testing.T) {
	m := newMetrics()
	o := options{official: wechat.Account{AppID: "wx0000000000000001", Secret: simulatedSecret}, publicURL: "http://127.0.0.1"}
	gate, err := newGate(o, scangate.NewMemoryStore(), m)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(m.handler(http.NotFoundHandler(), gate))
	defer server.Close()
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, seconds := range []time.Duration{7, 20} {
		m.count(scangate.Event{Name: scangate.EventFinished, Started: start, Time: start.Add(seconds * time.Second)})
	}
	// Only finished logins have a duration.
	m.count(scangate.Event{Name: scangate.EventDenied, Started: start, Time: start.Add(time.Second)})
	m.count(scangate.Event{Name: scangate.EventLimited, Reason: "codes", Started: start, Time: start.Add(time.Second)})
	for series, want := range map[string]string{
		`scangate_login_seconds_bucket{le="5"}`:  "0",
		`scangate_login_seconds_bucket{le="10"}`: "1",
		`scangate_login_seconds_sum`:             "27",
		`scangate_login_seconds_count`:           "2",
		`scangate_limited_total{limit="codes"}`:  "1",
		`scangate_refused_total{reason="codes"}`: "",
	} {
		if got := metric(t, server.URL, series); got != want {
			t.Errorf("%s = %q, want %q", series, got, want)
		}
	}
}

// TestRequestID sends a request that the gate refuses. Both log records, the gate's own
// and the one of its event, must have the ID of the answer's X-Request-Id.
func TestRequestID(t *testing.T) {
	previous := slog.Default()
	defer slog.SetDefault(previous)
	// With calls WithAttrs, which must keep the handler.
	var text bytes.Buffer
	slog.SetDefault(slog.New(requestLog{slog.NewTextHandler(&text, nil)}).With("program", "example"))
	o := options{official: wechat.Account{AppID: "wx0000000000000001", Secret: simulatedSecret}, publicURL: "http://127.0.0.1"}
	gate, err := newGate(o, scangate.NewMemoryStore(), newMetrics())
	if err != nil {
		t.Fatal(err)
	}
	handler := withRequestID(newApp(gate))
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/wechat/callback?code=c0de&state=st4te", nil))
	id := answer.Header().Get("X-Request-Id")
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	if len(lines) != 2 || id == "" {
		t.Fatalf("log of request %q = %q, want two lines", id, lines)
	}
	// The query's code is a secret and must not be in the log.
	for _, line := range lines {
		if !strings.Contains(line, "program=example") || !strings.Contains(line, "request="+id) || strings.Contains(line, "c0de") {
			t.Errorf("log line = %s, want program=example and request=%s, without the code", line, id)
		}
	}
}
