package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

// TestRequestID sends a request that the gate refuses. Both log records, the gate's own
// and the one of its event, must have the ID of the answer's X-Request-Id.
func TestRequestID(t *testing.T) {
	previous := slog.Default()
	defer slog.SetDefault(previous)
	// With calls WithAttrs, which must keep the handler.
	var text bytes.Buffer
	slog.SetDefault(slog.New(requestLog{slog.NewTextHandler(&text, nil)}).With("program", "example"))
	o := options{official: wechat.Account{AppID: "wx0000000000000001", Secret: simulatedSecret}, publicURL: "http://127.0.0.1"}
	gate, err := newGate(o, scangate.NewMemoryStore())
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
