package main

import (
	"bytes"
	"context"
	"fmt"
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

func TestMetricsSeconds(t *testing.T) {
	m := newMetrics()
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tell := func(name scangate.EventName, attempt string, after time.Duration) {
		m.count(scangate.Event{Name: name, Attempt: attempt, Time: start.Add(after)})
	}
	tell(scangate.EventStarted, "A", 0)
	tell(scangate.EventStarted, "B", time.Second)
	tell(scangate.EventFinished, "A", 7*time.Second)
	tell(scangate.EventFinished, "A", 8*time.Second) // twice, as when WeChat calls back twice
	tell(scangate.EventFinished, "elsewhere", 9*time.Second)
	answer := httptest.NewRecorder()
	m.around(http.NotFoundHandler(), nil).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		`scangate_login_seconds_bucket{le="5"} 0`,
		`scangate_login_seconds_bucket{le="10"} 1`,
		`scangate_login_seconds_sum 7`,
		`scangate_login_seconds_count 1`,
	} {
		if !strings.Contains(answer.Body.String(), want+"\n") {
			t.Errorf("there is no %s in\n%s", want, answer.Body)
		}
	}
}

func TestOpenLoginsAreForgotten(t *testing.T) {
	var o openLogins
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range 5 * generationLimit {
		o.begin(fmt.Sprint(i), start)
	}
	if n := len(o.young) + len(o.old); n > 2*generationLimit {
		t.Errorf("%d logins are kept", n)
	}
	o.begin("first", start)
	o.begin("second", start.Add(2*generation))
	o.begin("third", start.Add(4*generation))
	for login, want := range map[string]bool{"first": false, "second": true, "third": true} {
		if _, got := o.end(login); got != want {
			t.Errorf("the %s login is known: %v, want %v", login, got, want)
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
