package main

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// patience is how long a test waits for the gauge.
const patience = 30 * time.Second

// testApp is the application on a server of its own, with a simulated WeChat that fails
// the test if the gate breaks the protocol.
type testApp struct {
	url    string
	counts *metrics
	wechat *wechattest.Server
}

// newTestApp starts the application until the test ends.
func newTestApp(t *testing.T) *testApp {
	t.Helper()
	account := wechat.Account{AppID: "wx0000000000000001", Secret: "51a1a7ed51a1a7ed51a1a7ed51a1a7ed"}
	a := &testApp{counts: newMetrics(), wechat: wechattest.NewServer(t, wechattest.App{Account: account})}
	// Not started yet: the gate needs the server's address first.
	server := httptest.NewUnstartedServer(nil)
	t.Cleanup(server.Close)
	a.url = "http://" + server.Listener.Addr().String()
	gate, err := scangate.New(scangate.Config{
		PublicURL: a.url, OfficialAccount: account, WeChat: scangate.WeChat{Endpoint: a.wechat.Endpoint()}, OnEvent: a.counts.count,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gate.Close() })
	server.Config.Handler = a.counts.handler(newApp(gate), gate)
	server.Start()
	return a
}

// body reads and closes a response's body.
func body(t *testing.T, resp *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// newDesktop returns a browser without cookies.
func newDesktop(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

// metric returns the value of a series at /metrics, or "" if there is none.
func metric(t *testing.T, address, series string) string {
	t.Helper()
	resp, err := http.Get(address + "/metrics")
	page := body(t, resp, err)
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
	a.wechat.LogIn(t, newDesktop(t), a.url+"/account", "lin")
	resp, err := http.Get(a.url + "/wechat/scan/" + strings.Repeat("A", 26))
	body(t, resp, err)
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
	desktop := newDesktop(t)
	resp, err := desktop.Post(a.url+"/wechat/login", "application/json", strings.NewReader(`{}`))
	state := regexp.MustCompile(`"state_url":"([^"]+)"`).FindStringSubmatch(body(t, resp, err))
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
	a := newTestApp(t)
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, seconds := range []time.Duration{7, 20} {
		a.counts.count(t.Context(), scangate.Event{Name: scangate.EventFinished, Started: start, Time: start.Add(seconds * time.Second)})
	}
	// Only finished logins have a duration.
	a.counts.count(t.Context(), scangate.Event{Name: scangate.EventDenied, Started: start, Time: start.Add(time.Second)})
	a.counts.count(t.Context(), scangate.Event{Name: scangate.EventLimited, Reason: "codes", Started: start, Time: start.Add(time.Second)})
	for series, want := range map[string]string{
		`scangate_login_seconds_bucket{le="5"}`:  "0",
		`scangate_login_seconds_bucket{le="10"}`: "1",
		`scangate_login_seconds_sum`:             "27",
		`scangate_login_seconds_count`:           "2",
		`scangate_limited_total{limit="codes"}`:  "1",
		`scangate_refused_total{reason="codes"}`: "",
	} {
		if got := metric(t, a.url, series); got != want {
			t.Errorf("%s = %q, want %q", series, got, want)
		}
	}
}
