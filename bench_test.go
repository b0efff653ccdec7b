package scangate_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/scangate/scangate"
)

// nullWriter is an http.ResponseWriter that discards the answer.
type nullWriter struct{ header http.Header }

func (w nullWriter) Header() http.Header         { return w.header }
func (w nullWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w nullWriter) WriteHeader(int)             {}

// BenchmarkRequireWeChat serves a request with a session, on the memory store.
func BenchmarkRequireWeChat(b *testing.B) {
	w := newWorld(b, func(c *scangate.Config) { c.Users = nil })
	phone := w.phone("lin")
	phone.open("/account")
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, appURL+"/", nil)
	for _, c := range phone.client.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	handler := w.gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nil) }))
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(nullWriter{http.Header{}}, r)
	}
}
