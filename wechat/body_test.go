package wechat_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// countingBody is a response body that counts calls of Close.
type countingBody struct {
	io.Reader
	closed int
}

// Close implements [io.Closer].
func (b *countingBody) Close() error {
	b.closed++
	return nil
}

func TestResponseBodyIsClosed(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
	}{
		{"token", http.StatusOK, goodToken},
		{"errcode", http.StatusOK, `{"errcode":40029,"errmsg":"invalid code"}`},
		{"HTML", http.StatusOK, "<html>"},
		{"more than 1 MiB", http.StatusOK, strings.Repeat(" ", 1<<20+1)},
		{"redirect", http.StatusFound, ""},
		{"server error", http.StatusInternalServerError, "oops"},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := &countingBody{Reader: strings.NewReader(c.body)}
			client, network := newClient(t, func(req *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: c.status, Body: body, Request: req}, nil
			})
			_, err := client.Exchange(t.Context(), code)
			if len(network.requests) != 1 || body.closed != 1 {
				t.Errorf("exchange (%v): %d requests, body closed %d times, want 1 and 1", err, len(network.requests), body.closed)
			}
		})
	}
}
