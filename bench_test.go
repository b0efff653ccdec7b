package scangate_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/scangate/scangate"
)

// nullWriter is an answer that nobody reads.
type nullWriter struct{ header http.Header }

func (w nullWriter) Header() http.Header         { return w.header }
func (w nullWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w nullWriter) WriteHeader(int)             {}

func BenchmarkRequireWeChat(b *testing.B) {
	w := newWorld(b, func(c *scangate.Config) { c.Users = nil })
	p := w.phone("lin")
	p.open("/account")
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, appURL+"/", nil)
	for _, c := range p.client.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	handler := w.gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nil) }))
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(nullWriter{http.Header{}}, r)
	}
}
