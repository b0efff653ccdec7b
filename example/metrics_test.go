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

// measure reads a value off /metrics.
func measure(t *testing.T, address, series string) string {
	t.Helper()
	page := body(t, get(t, address+"/metrics", "*/*"))
	for line := range strings.Lines(page) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func TestMetrics(t *testing.T) {
	a := newTestApp(t)
	want := func(series, value string) {
		t.Helper()
		if got := measure(t, a.url, series); got != value {
			t.Errorf("%s is %q, want %q", series, got, value)
		}
	}
	want(`scangate_events_total{event="started"}`, "0")
	want(`scangate_events_total{event="finished"}`, "0")
	a.open(t, a.phone("lin"), "/account")
	get(t, a.url+"/wechat/scan/"+strings.Repeat("A", 26), "text/html")
	want(`scangate_events_total{event="started"}`, "1")
	want(`scangate_events_total{event="finished"}`, "1")
	want(`scangate_login_seconds_count`, "1")
	want(`scangate_refused_total{reason="unknown"}`, "1")
	want(`scangate_waiting_browsers`, "0")
}

func TestMetricsCountWaitingBrowsers(t *testing.T) {
	a := newTestApp(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	resp, err := client.Post(a.url+"/wechat/login", "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	state := regexp.MustCompile(`"state_url":"([^"]+)"`).FindStringSubmatch(body(t, resp))
	if state == nil {
		t.Fatal("no login has begun")
	}
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	polling := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+state[1]+"?seen=waiting", nil)
		if err == nil {
			_, err = client.Do(req) //nolint:bodyclose // it is given up
		}
		polling <- err
	}()
	limit := time.Now().Add(patience)
	for _, want := range []string{"1", "0"} {
		for measure(t, a.url, "scangate_waiting_browsers") != want {
			if time.Now().After(limit) {
				t.Fatalf("there are never %s browsers waiting", want)
			}
		}
		giveUp()
	}
	if err := <-polling; err == nil {
		t.Error("the browser that gave up has an answer")
	}
}

// TestMetricsSeconds has this process see the end of logins alone: the gate says
// when they began.
func TestMetricsSeconds(t *testing.T) {
	m := newMetrics()
	o := options{official: wechat.Account{AppID: "wx1", Secret: "simulated"}, publicURL: "http://127.0.0.1"}
	gate, err := newGate(o, scangate.NewMemoryStore(), m)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(m.around(http.NotFoundHandler(), gate))
	defer server.Close()
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, seconds := range []time.Duration{7, 20} {
		m.count(scangate.Event{Name: scangate.EventFinished, Started: start, Time: start.Add(seconds * time.Second)})
	}
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
		if got := measure(t, server.URL, series); got != want {
			t.Errorf("%s is %q, want %q", series, got, want)
		}
	}
}

// TestRequestsAreTold follows a request through the log: what the gate says of
// it, and what is made of the gate's events, bear the same id as its answer.
func TestRequestsAreTold(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	var text bytes.Buffer
	slog.SetDefault(slog.New(requestLog{slog.NewTextHandler(&text, nil)}).With("program", "example"))
	o := options{official: wechat.Account{AppID: "wx1", Secret: "simulated"}, publicURL: "http://127.0.0.1"}
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
		t.Fatalf("request %q is logged as\n%s", id, &text)
	}
	for _, line := range lines {
		if !strings.Contains(line, "program=example") || !strings.Contains(line, "request="+id) || strings.Contains(line, "c0de") {
			t.Errorf("request %q is logged as %s", id, line)
		}
	}
}
