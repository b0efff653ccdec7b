package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// proxied is nginx with nginx/nginx.conf, in front of two processes.
type proxied struct {
	dir       string // where its logs are
	processes []*process
	wechat    *wechattest.Server
	hosts     map[string]string // what app.example.com is here, by port
	roots     *x509.CertPool
}

// startNginx starts it on ports of its own.
func startNginx(t *testing.T) *proxied {
	t.Helper()
	if _, err := exec.LookPath("nginx"); err != nil {
		without(t, "nginx", "there is no nginx on this machine")
	}
	account := wechat.Account{AppID: "wx0000000000000001", Secret: "simulated"}
	p := &proxied{
		dir:    t.TempDir(),
		hosts:  map[string]string{"app.example.com:80": freeAddress(t), "app.example.com:443": freeAddress(t)},
		roots:  x509.NewCertPool(),
		wechat: wechattest.NewServer(t, wechattest.App{Account: account, Hosts: []string{"app.example.com"}}),
	}
	redis := startRedis(t)
	for range 2 {
		p.processes = append(p.processes, startProcess(t,
			"-public-url", "https://app.example.com", "-behind-proxy", "-redis", redis, "-appid", account.AppID, "-secret", account.Secret,
			"-wechat-open-url", p.wechat.URL, "-wechat-api-url", p.wechat.URL))
	}
	p.certify(t)
	p.configure(t)
	cmd := exec.Command("nginx", "-p", p.dir, "-c", "main.conf", "-g", "daemon off;")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // which its workers end by, too
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(p.read(t, "error.log"))
		}
	})
	eventually(t, "nginx answers", func() bool {
		conn, err := net.Dial("tcp", p.hosts["app.example.com:443"])
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return p
}

// freeAddress is one that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// certify makes the certificate of app.example.com.
func (p *proxied) certify(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"app.example.com"}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	p.roots.AppendCertsFromPEM(public)
	p.write(t, "fullchain.pem", string(public))
	p.write(t, "privkey.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
}

// configure writes nginx.conf as it is, but for the addresses and files.
func (p *proxied) configure(t *testing.T) {
	t.Helper()
	site := readFile(t, "nginx/nginx.conf")
	for old, here := range map[string]string{
		"listen 80;":                             "listen " + p.hosts["app.example.com:80"] + ";",
		"listen 443 ssl":                         "listen " + p.hosts["app.example.com:443"] + " ssl",
		"127.0.0.1:8080":                         p.processes[0].listen,
		"127.0.0.1:8081":                         p.processes[1].listen,
		"/etc/letsencrypt/live/app.example.com/": p.dir + "/",
		"/var/log/nginx/":                        p.dir + "/",
	} {
		if !strings.Contains(site, old) {
			t.Fatalf("nginx.conf has no %q", old)
		}
		site = strings.ReplaceAll(site, old, here)
	}
	p.write(t, "site.conf", site)
	main := "pid nginx.pid; error_log error.log;\nevents { worker_connections 256; }\nhttp {\n"
	if os.Geteuid() == 0 {
		main = "user root root; " + main // the folder is the test's user's
	}
	for _, of := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		main += of + "_temp_path " + of + ";\n"
	}
	p.write(t, "main.conf", main+"include site.conf;\n}\n")
}

func (p *proxied) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p *proxied) read(t *testing.T, name string) string {
	t.Helper()
	return readFile(t, filepath.Join(p.dir, name))
}

// from makes requests from an address of this machine, which says in the usual
// headers that it is another one.
func (p *proxied) from(t *testing.T, address string) http.RoundTripper {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: p.roots},
		DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			if here, ok := p.hosts[to]; ok {
				return dialer.DialContext(ctx, network, here)
			}
			return new(net.Dialer).DialContext(ctx, network, to)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return liar{transport}
}

// forged is the address that nobody is at.
const forged = "203.0.113.66"

type liar struct{ next http.RoundTripper }

func (l liar) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for _, name := range []string{"X-Real-IP", "X-Forwarded-For", "Forwarded", "True-Client-IP"} {
		r.Header.Set(name, forged)
	}
	return l.next.RoundTrip(r)
}

// TestNginx logs somebody in through nginx, looks at what it logs, and takes the
// application away.
func TestNginx(t *testing.T) {
	p := startNginx(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	d := desktop{"https://app.example.com", &http.Client{Jar: jar, Transport: p.from(t, "127.0.0.2")}}
	var login struct {
		ScanURL   string `json:"scan_url"`
		StateURL  string `json:"state_url"`
		FinishURL string `json:"finish_url"`
	}
	if err := d.call(t.Context(), http.MethodPost, "/wechat/login", &login); err != nil {
		t.Fatal(err)
	}
	told := make(chan error, 1)
	go func() { told <- d.wait(t.Context(), login.StateURL) }()
	phone := p.wechat.Phone("lin", p.from(t, "127.0.0.3"), p.wechat.URL)
	resp, page, err := allow(t.Context(), phone, login.ScanURL)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(page, "127.0.0.2") || strings.Contains(page, forged) {
		t.Errorf("the confirm page doesn't say that the login is from 127.0.0.2: %s", page)
	}
	if _, err := post(t.Context(), phone, resp, page, "", url.Values{"answer": {"approve"}}); err != nil {
		t.Fatal(err)
	}
	if err := <-told; err != nil {
		t.Fatal(err)
	}
	var got view
	if err := d.call(t.Context(), http.MethodPost, login.FinishURL, nil); err != nil {
		t.Fatal(err)
	}
	if err := d.call(t.Context(), http.MethodGet, "/api/account", &got); err != nil || got.Name != "林小北" {
		t.Errorf("the desktop is logged in as %+v, %v", got, err)
	}
	eventually(t, "the callback is in the log", func() bool { return strings.Contains(p.read(t, "app.log"), "GET /wechat/callback 303") })
	if log := p.read(t, "app.log"); strings.Contains(log, "code=") || strings.Contains(log, "?") {
		t.Errorf("the log has queries: %s", log)
	}
	resp, err = d.client.Get(d.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	if body(t, resp); resp.StatusCode != http.StatusNotFound {
		t.Errorf("everybody may read the metrics: %s", resp.Status)
	}
	p.testAway(t)
}

// testAway ends the processes: nginx has to keep a callback's code to itself.
func (p *proxied) testAway(t *testing.T) {
	t.Helper()
	for _, process := range p.processes {
		process.stop()
	}
	client := &http.Client{Transport: p.from(t, "127.0.0.2")}
	for _, path := range []string{"/wechat/callback?code=c0de", "/account?tab=2"} {
		resp, err := client.Get("http://app.example.com" + path) // which leads to https
		if err != nil {
			t.Fatal(err)
		}
		if body(t, resp); resp.StatusCode != http.StatusBadGateway || resp.Request.URL.Scheme != "https" {
			t.Errorf("%s answers %s", resp.Request.URL, resp.Status)
		}
	}
	eventually(t, "the error is in the log", func() bool { return strings.Contains(p.read(t, "error.log"), "/account?tab=2") })
	if log := p.read(t, "error.log"); strings.Contains(log, "c0de") {
		t.Errorf("the log has WeChat's code: %s", log)
	}
}

// TestNginxWaits compares nginx's patience with the gate's, which answers a
// browser that waits after 25 seconds.
func TestNginxWaits(t *testing.T) {
	limits := regexp.MustCompile(`(\w+_timeout) (\w+);`).FindAllStringSubmatch(readFile(t, "nginx/nginx.conf"), -1)
	if len(limits) == 0 {
		t.Error("nginx.conf says nothing of limits")
	}
	for _, limit := range limits {
		if d, err := time.ParseDuration(limit[2]); err != nil || d < 30*time.Second {
			t.Errorf("%s is %s, %v", limit[1], limit[2], err)
		}
	}
}
