package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// nginxSite is nginx with nginx/nginx.conf in front of two processes of the program.
type nginxSite struct {
	dir       string // holds nginx's files and logs
	processes []*process
	wechat    *wechattest.Server
	hosts     map[string]string // from app.example.com:port to the real address
	roots     *x509.CertPool    // the certificate of app.example.com
}

// startNginx starts the site on free ports until the test ends.
func startNginx(t *testing.T) *nginxSite {
	t.Helper()
	skipShort(t, "it starts nginx, Redis and two processes, and waits for them on the wall clock")
	if _, err := exec.LookPath("nginx"); err != nil {
		skipWithout(t, "nginx", "there is no nginx on this machine")
	}
	account := wechat.Account{AppID: "wx0000000000000001", Secret: simulatedSecret}
	s := &nginxSite{
		dir:    t.TempDir(),
		hosts:  map[string]string{"app.example.com:80": freeAddress(t), "app.example.com:443": freeAddress(t)},
		roots:  x509.NewCertPool(),
		wechat: wechattest.NewServer(t, wechattest.App{Account: account, Hosts: []string{"app.example.com"}}),
	}
	redis := startRedis(t)
	for range 2 {
		s.processes = append(s.processes, startProcess(t,
			"-public-url", "https://app.example.com", "-behind-proxy", "-redis", redis, "-appid", account.AppID, "-secret", account.Secret,
			"-wechat-open-url", s.wechat.URL, "-wechat-api-url", s.wechat.URL))
	}
	s.certify(t)
	s.configure(t)
	cmd := exec.Command("nginx", "-p", s.dir, "-c", "main.conf", "-g", "daemon off;")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Not Kill, after which nginx's worker processes would go on.
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(s.read(t, "error.log"))
		}
	})
	eventually(t, "nginx answers", func() bool {
		conn, err := net.Dial("tcp", s.hosts["app.example.com:443"])
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return s
}

// freeAddress returns an address that no program listens on. Its port is below those that
// systems give to listeners and connections without one: a parallel test can't get it before
// the server is there.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+mathrand.IntN(12000)))
		if err == nil {
			defer func() { _ = listener.Close() }()
			return listener.Addr().String()
		}
	}
	t.Fatal("no port between 20000 and 32000 is free")
	return ""
}

// certify writes a self-signed certificate of app.example.com.
func (s *nginxSite) certify(t *testing.T) {
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
	s.roots.AppendCertsFromPEM(public)
	s.write(t, "fullchain.pem", string(public))
	s.write(t, "privkey.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
}

// configure writes nginx.conf with this test's addresses and files.
func (s *nginxSite) configure(t *testing.T) {
	t.Helper()
	site := readFile(t, "nginx/nginx.conf")
	for old, here := range map[string]string{
		"listen 80;":                             "listen " + s.hosts["app.example.com:80"] + ";",
		"listen 443 ssl":                         "listen " + s.hosts["app.example.com:443"] + " ssl",
		"127.0.0.1:8080 max_fails=0":             s.processes[0].listen + " max_fails=0",
		"127.0.0.1:8081 max_fails=0":             s.processes[1].listen + " max_fails=0",
		"/etc/letsencrypt/live/app.example.com/": s.dir + "/",
		"/var/log/nginx/":                        s.dir + "/",
	} {
		if !strings.Contains(site, old) {
			t.Fatalf("nginx/nginx.conf does not contain %q", old)
		}
		site = strings.ReplaceAll(site, old, here)
	}
	s.write(t, "site.conf", site)
	main := "pid nginx.pid; error_log error.log;\nevents { worker_connections 256; }\nhttp {\n"
	if os.Geteuid() == 0 {
		// As root, nginx runs its workers as another user, which cannot read the
		// folder.
		main = "user root root; " + main
	}
	// By default these folders are where only root can write.
	for _, of := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		main += of + "_temp_path " + of + ";\n"
	}
	s.write(t, "main.conf", main+"include site.conf;\n}\n")
}

// write writes a file into nginx's folder.
func (s *nginxSite) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// read returns a file of nginx's folder.
func (s *nginxSite) read(t *testing.T, name string) string {
	t.Helper()
	return readFile(t, filepath.Join(s.dir, name))
}

// from returns a transport that connects from a local address. It adds headers that
// claim the forged address, as an attacker would.
func (s *nginxSite) from(t *testing.T, address string) http.RoundTripper {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.roots},
		DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			if here, ok := s.hosts[to]; ok {
				return dialer.DialContext(ctx, network, here)
			}
			return new(net.Dialer).DialContext(ctx, network, to)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return forger{transport}
}

// forged is an address that no client has.
const forged = "203.0.113.66"

// forger sends forged headers with each request.
type forger struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (f forger) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context()) // a RoundTripper must not change the request
	for _, name := range []string{"X-Real-IP", "X-Forwarded-For", "Forwarded", "True-Client-IP"} {
		r.Header.Set(name, forged)
	}
	return f.next.RoundTrip(r)
}

// TestNginx logs a desktop in through nginx. It checks the address on the confirm page
// and nginx's log, and then stops the processes.
func TestNginx(t *testing.T) {
	s := startNginx(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	desktop := scriptedBrowser{"https://app.example.com", &http.Client{Jar: jar, Transport: s.from(t, "127.0.0.2")}}
	var login loginURLs
	if err := desktop.call(t.Context(), http.MethodPost, "/wechat/login", &login); err != nil {
		t.Fatal(err)
	}
	approved := make(chan error, 1)
	go func() { approved <- desktop.waitApproved(t.Context(), login.StateURL) }()
	phone := s.wechat.Phone("lin", s.from(t, "127.0.0.3"), s.wechat.URL)
	resp, page, err := allow(t.Context(), phone, login.ScanURL)
	if err != nil {
		t.Fatal(err)
	}
	// The phone shows the desktop's address, so that its user can notice a stranger's
	// login. X-Real-IP must come from nginx and not from the desktop.
	if !strings.Contains(page, "127.0.0.2") || strings.Contains(page, forged) {
		t.Errorf("confirm page = %s, want the address 127.0.0.2 and not %s", page, forged)
	}
	if _, err := post(t.Context(), phone, resp, page, "", url.Values{"answer": {"approve"}}); err != nil {
		t.Fatal(err)
	}
	if err := <-approved; err != nil {
		t.Fatal(err)
	}
	var got view
	if err := desktop.call(t.Context(), http.MethodPost, login.FinishURL, nil); err != nil {
		t.Fatal(err)
	}
	if err := desktop.call(t.Context(), http.MethodGet, "/api/account", &got); err != nil || got.Name != "林小北" {
		t.Errorf("user of the desktop = %+v, %v, want 林小北", got, err)
	}
	s.testLog(t)
	resp, err = desktop.client.Get(desktop.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	// The program sets X-Request-Id in every answer.
	if body(t, resp); resp.StatusCode != http.StatusNotFound || resp.Header.Get("X-Request-Id") != "" {
		t.Errorf("GET /metrics through nginx: status = %d, request ID = %q, want 404 from nginx itself", resp.StatusCode, resp.Header.Get("X-Request-Id"))
	}
	s.testDown(t)
}

// testLog checks that nginx logs no queries: the callback's contains WeChat's code.
func (s *nginxSite) testLog(t *testing.T) {
	t.Helper()
	// nginx writes a line after it has sent the answer.
	eventually(t, "the callback is in app.log", func() bool { return strings.Contains(s.read(t, "app.log"), "GET /wechat/callback 303") })
	if log := s.read(t, "app.log"); strings.Contains(log, "code=") || strings.Contains(log, "?") {
		t.Errorf("app.log = %s, want no queries", log)
	}
}

// testDown stops the processes (case E8). nginx must log neither the query nor the Referer
// of a request that it cannot pass on, because either can hold WeChat's code.
func (s *nginxSite) testDown(t *testing.T) {
	t.Helper()
	for _, process := range s.processes {
		process.stop()
	}
	client := &http.Client{Transport: s.from(t, "127.0.0.2")}
	for _, path := range []string{"/wechat/callback?code=c0de", "/account?tab=2"} {
		// nginx redirects http to https, and the client follows.
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://app.example.com"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Referer", "https://app.example.com/wechat/callback?code=c0de")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if body(t, resp); resp.StatusCode != http.StatusBadGateway || resp.Request.URL.Scheme != "https" {
			t.Errorf("GET %s: status = %d, want 502 over https", resp.Request.URL, resp.StatusCode)
		}
		if got := resp.Header.Values("Referrer-Policy"); strings.Contains(path, "callback") && !slices.Equal(got, []string{"no-referrer"}) {
			t.Errorf("GET %s: Referrer-Policy = %q, want no-referrer, once", path, got)
		}
	}
	// nginx writes an error before the line of the same request in app.log.
	eventually(t, "both failures are in app.log", func() bool {
		log := s.read(t, "app.log")
		return strings.Contains(log, "GET /wechat/callback 502") && strings.Contains(log, "GET /account 502")
	})
	for _, name := range []string{"app.log", "error.log"} {
		if log := s.read(t, name); strings.Contains(log, "c0de") || strings.Contains(log, "tab=2") {
			t.Errorf("%s = %s, want no query and no Referer", name, log)
		}
	}
}

// TestCaseE01NginxKeepsTheProcess: a callback that takes long must not make nginx avoid the
// process, and nginx must not send the callback to another one.
func TestCaseE01NginxKeepsTheProcess(t *testing.T) {
	site := readFile(t, "nginx/nginx.conf")
	servers := regexp.MustCompile(`(?m)^    server ([^;]*);`).FindAllStringSubmatch(site, -1)
	if len(servers) == 0 {
		t.Error("nginx.conf: got no server in upstream, want at least one")
	}
	for _, server := range servers {
		if !strings.Contains(server[1], "max_fails=0") {
			t.Errorf("nginx.conf: server %s: want max_fails=0", server[1])
		}
	}
	_, callback, _ := strings.Cut(site, "location = /wechat/callback {")
	if callback, _, _ = strings.Cut(callback, "}"); !strings.Contains(callback, "proxy_next_upstream off;") {
		t.Errorf("nginx.conf: location of the callback = %q, want proxy_next_upstream off", callback)
	}
}

// TestNginxTimeouts checks that nginx's timeouts are longer than the 25 seconds after which
// the gate answers a waiting browser.
func TestNginxTimeouts(t *testing.T) {
	limits := regexp.MustCompile(`(\w+_timeout) (\w+);`).FindAllStringSubmatch(readFile(t, "nginx/nginx.conf"), -1)
	if len(limits) == 0 {
		t.Error("nginx.conf: got no *_timeout, want at least one")
	}
	for _, limit := range limits {
		if d, err := time.ParseDuration(limit[2]); err != nil || d < 30*time.Second {
			t.Errorf("%s = %s, %v, want at least 30s", limit[1], limit[2], err)
		}
	}
}
