package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

// TestApp requests the front ends and the API without a login. The tests of the example log
// in by these front ends in a browser.
func TestApp(t *testing.T) {
	gate, err := scangate.New(scangate.Config{
		PublicURL:       "http://localhost:8080",
		OfficialAccount: wechat.Account{AppID: "wx0000000000000001", Secret: "51a1a7ed51a1a7ed51a1a7ed51a1a7ed"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gate.Close() })
	app := newApp(gate, "")
	for _, tt := range []struct {
		path   string
		status int
		policy string // the start of the Content-Security-Policy
	}{
		{"/spa/", http.StatusOK, "default-src 'none'; script-src 'self'"},
		{"/spa/login.js", http.StatusOK, "default-src 'none'; script-src 'self'"},
		{"/tags/plain.html", http.StatusOK, "default-src 'self'"},
		{"/tags/react.html", http.StatusOK, "default-src 'self'"},
		{"/tags/npm/vue.js", http.StatusNotFound, "default-src 'self'"},
		{"/wechat/assets/login.js", http.StatusOK, ""},
		{"/api/account", http.StatusUnauthorized, ""},
		{"/nothing", http.StatusNotFound, ""},
	} {
		answer := httptest.NewRecorder()
		app.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, tt.path, nil))
		if answer.Code != tt.status || !strings.HasPrefix(answer.Header().Get("Content-Security-Policy"), tt.policy) {
			t.Errorf("GET %s: status = %d, policy = %q, want %d, %q", tt.path, answer.Code, answer.Header().Get("Content-Security-Policy"), tt.status, tt.policy)
		}
	}
}
