package waiting

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// protocol is how browsers, or a proxy for them, reach a server process.
type protocol string

const (
	plainHTTP1 protocol = ""
	tlsHTTP1   protocol = "tls"
	tlsHTTP2   protocol = "h2"
	plainHTTP2 protocol = "h2c"
)

// listen configures the server for the protocol and returns the listener to serve.
func (p protocol) listen(server *http.Server, l net.Listener) (net.Listener, error) {
	server.Protocols = p.protocols()
	if !p.encrypted() {
		return l, nil
	}
	certificate, err := newCertificate()
	if err != nil {
		return nil, err
	}
	next := "http/1.1"
	if p == tlsHTTP2 {
		next = "h2"
	}
	// The server speaks HTTP/2 on a connection of TLS that has negotiated it.
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{next}, MinVersion: tls.VersionTLS12}
	return tls.NewListener(l, server.TLSConfig), nil
}

// protocols returns what net/http calls the protocol.
func (p protocol) protocols() *http.Protocols {
	protocols := new(http.Protocols)
	switch p {
	case tlsHTTP2:
		protocols.SetHTTP2(true)
	case plainHTTP2:
		protocols.SetUnencryptedHTTP2(true)
	default:
		protocols.SetHTTP1(true)
	}
	return protocols
}

// encrypted reports whether the protocol is over TLS.
func (p protocol) encrypted() bool { return p == tlsHTTP1 || p == tlsHTTP2 }

// transport returns a new transport. Requests that wait share its connections as far as the
// protocol allows it.
func (p protocol) transport() *http.Transport {
	return &http.Transport{
		Protocols:           p.protocols(),
		MaxIdleConnsPerHost: openers,
		//nolint:gosec // the certificate is one that the server has just made, on loopback
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
}

// newCertificate returns a certificate that no one trusts.
func newCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// connecting is a way in which browsers are connected to a server process.
type connecting struct {
	name     string
	protocol protocol
	shared   bool // by all browsers, as behind a proxy
}

// MeasureProtocols measures the memory that n waiting browsers take in one process in memory,
// by the protocol of their connections. It reduces n to the limit of open files.
func MeasureProtocols(ctx context.Context, n int) ([]Finding, error) {
	maximum, err := raiseLimit()
	if err != nil {
		return nil, err
	}
	n = min(n, maximum)
	var all []Finding
	for _, c := range []connecting{
		{"HTTP/1.1 behind a proxy, a connection each", plainHTTP1, true},
		{"TLS in the process, HTTP/1.1", tlsHTTP1, true},
		{"TLS in the process, HTTP/2, a connection each", tlsHTTP2, false},
		{"h2c behind a proxy, shared connections", plainHTTP2, true},
	} {
		f, err := c.measure(ctx, n)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		all = append(all, f)
	}
	return all, nil
}

// measure measures n browsers.
func (c connecting) measure(ctx context.Context, n int) (Finding, error) {
	ctx, cancel := context.WithCancel(ctx)
	t := &trial{setup: setup{name: c.name, processes: 1, protocol: c.protocol}, failed: make(chan error, n), closing: make(chan struct{})}
	defer t.stop()
	defer cancel() // first: it ends the requests
	if err := t.startProcesses(ctx, n); err != nil {
		return Finding{}, err
	}
	// Warm up: the first browser allocates memory that does not belong to it.
	first, err := c.open(ctx, t, 1)
	if err != nil {
		return Finding{}, err
	}
	if _, err := t.awaitWaiting(ctx, 1); err != nil {
		return Finding{}, err
	}
	first()
	before, err := t.awaitWaiting(ctx, 0)
	if err != nil {
		return Finding{}, err
	}
	end, err := c.open(ctx, t, n)
	if err != nil {
		return Finding{}, err
	}
	defer end()
	after, err := t.awaitWaiting(ctx, n)
	return Finding{
		Name: c.name, Browsers: n,
		RSS:  float64(after.RSS-before.RSS) / float64(n),
		Live: float64(after.Live-before.Live) / float64(n),
	}, err
}

// open lets n browsers begin a login and wait, until the returned function is called.
func (c connecting) open(ctx context.Context, t *trial, n int) (end func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	shared := c.protocol.transport()
	transports := []*http.Transport{shared}
	var waiting, opening sync.WaitGroup
	errs := make([]error, openers)
	for range n {
		if !c.shared {
			transports = append(transports, c.protocol.transport())
		}
	}
	for opener := range openers {
		opening.Go(func() {
			for i := opener; i < n && errs[opener] == nil; i += openers {
				b := &client{base: c.base(t), address: addressOf(i), transport: shared}
				if !c.shared {
					b.transport = transports[1+i]
				}
				if errs[opener] = b.begin(ctx); errs[opener] == nil {
					waiting.Go(func() { b.wait(ctx, t.failed) })
				}
			}
		})
	}
	opening.Wait()
	end = sync.OnceFunc(func() {
		cancel()
		waiting.Wait()
		for _, transport := range transports {
			transport.CloseIdleConnections()
		}
	})
	if err := errors.Join(errs...); err != nil {
		end()
		return nil, err
	}
	return end, nil
}

// base returns the URL of the server process.
func (c connecting) base(t *trial) string {
	if c.protocol.encrypted() {
		return "https://" + t.processes[0].address
	}
	return "http://" + t.processes[0].address
}

// client is a browser that net/http connects.
type client struct {
	base, address string
	transport     *http.Transport
	id            string
	cookies       []*http.Cookie
}

// begin begins a login.
func (b *client) begin(ctx context.Context) error {
	resp, err := b.send(ctx, http.MethodPost, "/wechat/login", `{"return_to":"/account"}`)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	b.cookies = resp.Cookies()
	var login struct{ ID string }
	if err := json.NewDecoder(resp.Body).Decode(&login); err != nil || login.ID == "" {
		return fmt.Errorf("POST /wechat/login: status = %s, id = %q: %w", resp.Status, login.ID, err)
	}
	b.id = login.ID
	return nil
}

// wait polls until ctx is done. Any other end is a failure.
func (b *client) wait(ctx context.Context, failed chan<- error) {
	for {
		resp, err := b.send(ctx, http.MethodGet, "/wechat/login/"+b.id+"/state?seen=waiting", "")
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK && err == nil {
				err = errors.New("GET state: status = " + resp.Status)
			}
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			failed <- err
			return
		}
	}
}

// send sends a request.
func (b *client) send(ctx context.Context, method, path, body string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, b.base+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Host = "localhost"
	r.Header.Set(addressHeader, b.address)
	r.Header.Set("Accept-Language", "zh-CN,zh;q=0.9")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", publicURL)
	}
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	return b.transport.RoundTrip(r)
}
