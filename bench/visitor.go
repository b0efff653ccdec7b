package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/scangate/scangate/wechattest"
)

// visitor is a browser that calls a handler without a network, so that only the
// server's work is measured. It stores cookies by name and ignores their other
// attributes.
type visitor struct {
	handler http.Handler
	agent   string
	address string // empty means one that all such visitors share
	cookies []cookie
}

// cookie is a stored cookie.
type cookie struct{ name, value string }

// desktopOf returns a browser outside of WeChat, without cookies.
func desktopOf(app http.Handler) *visitor {
	return &visitor{handler: app, agent: wechattest.UserAgentChrome}
}

// answer is a response writer that stores the answer.
type answer struct {
	header http.Header
	status int
	body   []byte
}

// Header implements [http.ResponseWriter].
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, b...)
	return len(b), nil
}

// get requests a page.
func (v *visitor) get(ctx context.Context, target string) (*answer, error) {
	return v.do(ctx, http.MethodGet, target, "")
}

// post posts a form from a page of the same server.
func (v *visitor) post(ctx context.Context, target, form string) (*answer, error) {
	return v.do(ctx, http.MethodPost, target, form)
}

// do sends a request for a path or a URL of the application. It returns an error for
// a status of 400 or above.
func (v *visitor) do(ctx context.Context, method, target, form string) (*answer, error) {
	r, err := v.request(ctx, method, target, form)
	if err != nil {
		return nil, err
	}
	a := &answer{header: make(http.Header)}
	v.handler.ServeHTTP(a, r)
	a.WriteHeader(http.StatusOK) // for a handler that wrote nothing
	if a.status >= http.StatusBadRequest {
		return nil, fmt.Errorf("%s %s: status = %d, body = %.300q", method, target, a.status, a.body)
	}
	for _, line := range a.header["Set-Cookie"] {
		v.storeCookie(line)
	}
	return a, nil
}

// request returns a request as a server passes it to a handler.
func (v *visitor) request(ctx context.Context, method, target, form string) (*http.Request, error) {
	target = strings.TrimPrefix(target, appURL)
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, err
	}
	header := http.Header{
		"Accept":          {"text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"},
		"Accept-Language": {"zh-CN,zh;q=0.9"},
		"User-Agent":      {v.agent},
	}
	body := io.NopCloser(strings.NewReader(form))
	if method == http.MethodPost {
		header["Content-Type"] = []string{"application/x-www-form-urlencoded"}
		// Browsers send Origin with every POST, and the gate checks it.
		header["Origin"] = []string{appURL}
	} else {
		body = http.NoBody
	}
	if len(v.cookies) > 0 {
		header["Cookie"] = []string{v.cookieHeader()}
	}
	// Not http.NewRequest: its requests lack RequestURI and RemoteAddr.
	r := &http.Request{
		Method: method, URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Host: appHost,
		Body: body, ContentLength: int64(len(form)), RequestURI: target, RemoteAddr: cmp.Or(v.address, "192.0.2.1") + ":1234",
	}
	return r.WithContext(ctx), nil
}

// addressOf returns the address of number i. Counters are by address, so visitors with one
// address share keys.
func addressOf(i int) string { return fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255) }

// cookieHeader returns the value of the Cookie header.
func (v *visitor) cookieHeader() string {
	var b strings.Builder
	for i, c := range v.cookies {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(c.name + "=" + c.value)
	}
	return b.String()
}

// storeCookie applies a Set-Cookie header: it adds, replaces or deletes a cookie.
func (v *visitor) storeCookie(line string) {
	pair, attributes, _ := strings.Cut(line, ";")
	name, value, _ := strings.Cut(pair, "=")
	// Drop the old cookie of this name first.
	kept := v.cookies[:0]
	for _, c := range v.cookies {
		if c.name != name {
			kept = append(kept, c)
		}
	}
	v.cookies = kept
	if value != "" && !strings.Contains(attributes, "Max-Age=0") {
		v.cookies = append(v.cookies, cookie{name, value})
	}
}

// keepOnly deletes all cookies except the one with the given name.
func (v *visitor) keepOnly(name string) error {
	for _, c := range v.cookies {
		if c.name == name {
			v.cookies = []cookie{c}
			return nil
		}
	}
	return fmt.Errorf("no cookie %q", name)
}

// between returns the text in s between two marks.
func between(s, before, after string) (string, error) {
	_, rest, ok := strings.Cut(s, before)
	if !ok {
		return "", fmt.Errorf("no %q in %.300q", before, s)
	}
	found, _, ok := strings.Cut(rest, after)
	if !ok {
		return "", fmt.Errorf("no %q after %q", after, before)
	}
	return found, nil
}
