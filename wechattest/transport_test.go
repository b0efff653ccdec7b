package wechattest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate/wechattest"
)

// valueKey is the key of a context value that must not reach the handler.
type valueKey struct{}

func TestTransport(t *testing.T) {
	for name, test := range map[string]struct {
		method, address, body string
		handler               http.HandlerFunc
		want                  string // status and body, or the end of the error
	}{
		"the whole request": {"POST", "https://h.example/p%20q?a=b#c", "text", func(rw http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, _ = fmt.Fprint(rw, r.Method, r.Host, r.URL.Host, r.RequestURI, r.URL.Fragment, r.RemoteAddr, r.TLS != nil, r.ContentLength, string(body))
		}, "200 POSTh.example/p%20q?a=b192.0.2.1:1234true 4text"},
		"plain http": {"GET", "http://h.example", "", func(rw http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprint(rw, r.TLS == nil, r.URL.Path, r.Body != nil)
		}, "200 true/true"},
		"host without a port": {"GET", "http://h.example:81/", "", func(rw http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(rw, r.Host) }, "200 h.example:81"},
		"host with a port":    {"GET", "http://ported.example:80/", "", func(rw http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(rw, r.Host) }, "200 ported.example:80"},
		"another port":        {"GET", "http://ported.example:81/", "", nil, `no handler for host "ported.example:81"`},
		"unknown host":        {"GET", "http://other.example/", "", nil, `no handler for host "other.example"`},
		"two statuses": {"GET", "http://h.example/", "", func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(404)
			rw.WriteHeader(200)
			_, _ = rw.Write([]byte("x"))
		}, "404 x"},
		"no answer":     {"GET", "http://h.example/", "", func(http.ResponseWriter, *http.Request) {}, "200 "},
		"HEAD":          {"HEAD", "http://h.example/", "", func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("x")) }, "200 "},
		"an early hint": {"GET", "http://h.example/", "", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(103); rw.WriteHeader(201) }, "201 "},
		"a panic":       {"GET", "http://h.example/", "", func(http.ResponseWriter, *http.Request) { panic("oh") }, "panicked: oh"},
		"a response controller": {"GET", "http://h.example/", "", func(rw http.ResponseWriter, _ *http.Request) {
			c := http.NewResponseController(rw)
			_, _ = fmt.Fprint(rw, errors.Join(c.SetWriteDeadline(time.Time{}), c.SetReadDeadline(time.Time{}), c.Flush()) == nil)
		}, "200 true"},
		"context values": {"GET", "http://h.example/", "", func(rw http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(rw, r.Context().Value(valueKey{})) }, "200 <nil>"},
	} {
		t.Run(name, func(t *testing.T) {
			rt := wechattest.Transport(map[string]http.Handler{"h.example": test.handler, "ported.example:80": test.handler})
			ctx := context.WithValue(t.Context(), valueKey{}, "leaked")
			req, err := http.NewRequestWithContext(ctx, test.method, test.address, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			resp, err := rt.RoundTrip(req)
			if err == nil {
				got = fmt.Sprint(resp.StatusCode, " ", read(t, resp))
			} else {
				got = err.Error()
			}
			if got != test.want && (err == nil || !strings.HasSuffix(got, test.want)) {
				t.Errorf("%s %s = %s, want %s", test.method, test.address, got, test.want)
			}
		})
	}
}

func TestTransportHeaders(t *testing.T) {
	rt := wechattest.Transport(map[string]http.Handler{"h.example": http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Before", r.Header.Get("X-Asked"))
		_, _ = rw.Write([]byte("<html>"))
		rw.Header().Set("X-After", "late")
	})})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://h.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Asked", "yes")
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = read(t, resp)
	if h := resp.Header; h.Get("X-Before") != "yes" || h.Get("X-After") != "" || h.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("header = %v, want X-Before: yes, no X-After, and the type of HTML", h)
	}
}

func TestTransportContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		rt := wechattest.Transport(map[string]http.Handler{"h.example": http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			ended <- r.Context().Err()
		})})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://h.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := rt.RoundTrip(req); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("RoundTrip = %v, %v, want %v", resp, err, context.DeadlineExceeded)
		}
		// The handler's context is not a child of the request's, so it is canceled
		// and has no deadline.
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("handler's context: Err = %v, want %v", err, context.Canceled)
		}
		if resp, err := rt.RoundTrip(req); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("RoundTrip after the deadline = %v, %v, want %v", resp, err, context.DeadlineExceeded)
		}
	})
}

func TestTransportBodyError(t *testing.T) {
	rt := wechattest.Transport(map[string]http.Handler{"h.example": http.NotFoundHandler()})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://h.example/", brokenBody{})
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := rt.RoundTrip(req); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("RoundTrip = %v, %v, want %v", resp, err, io.ErrUnexpectedEOF)
	}
}

// brokenBody is a request body whose Read fails.
type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
