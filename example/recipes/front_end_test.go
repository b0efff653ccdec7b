package recipes

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/scangate/scangate/wechattest"
)

// TestFrontEnd sends what front_end/login.js sends from another origin.
func TestFrontEnd(t *testing.T) {
	w := newWorld(t, appHost)
	WithFrontEnds(&w.config, "https://www.example.com")
	gate := w.gate()
	w.hosts[appHost] = gate
	b := w.browser()
	script := func(origin, method, path string) answer {
		t.Helper()
		return b.do(method, path, "", "Origin", origin, "Accept", "*/*", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-site", "Content-Type", "application/json")
	}
	a := script("https://www.example.com", http.MethodPost, "/wechat/login")
	checkPage(t, "POST login", a, http.StatusCreated, "state_url")
	if got := a.Header.Get("Access-Control-Allow-Origin"); got != "https://www.example.com" {
		t.Errorf("POST login: Access-Control-Allow-Origin = %q, want the front end's", got)
	}
	checkPage(t, "GET me", script("https://www.example.com", http.MethodGet, "/wechat/me"), http.StatusUnauthorized, "login_required")
	checkPage(t, "POST login of another origin", script("https://evil.example", http.MethodPost, "/wechat/login"), http.StatusForbidden, "forged")
	for to, want := range map[string]string{
		"https://www.example.com/orders": "https://www.example.com/orders", "https://evil.example/": "/", "https://www.example.com.evil.example/": "/",
	} {
		if got := gate.ReturnTo(to); got != want {
			t.Errorf("ReturnTo(%q) = %q, want %q", to, got, want)
		}
	}
}

// TestVite logs in through a proxy that forwards requests as Vite does without
// changeOrigin: with the Host that the browser sent.
func TestVite(t *testing.T) {
	config, err := os.ReadFile("front_end/vite.config.js")
	if err != nil {
		t.Fatal(err)
	}
	if text := string(config); !strings.Contains(text, `"/wechat": { target: "http://localhost:8080", changeOrigin: false }`) {
		t.Errorf("vite.config.js: got\n%s\nwant /wechat with changeOrigin: false", text)
	}
	weChat := wechattest.NewServer(t, wechattest.App{Account: newWorld(t, appHost).config.OfficialAccount})
	proxy := httptest.NewUnstartedServer(nil)
	defer proxy.Close()
	w := newWorld(t, appHost)
	w.config.PublicURL, w.config.WeChat.Endpoint, w.config.WeChat.HTTPClient = "http://"+proxy.Listener.Addr().String(), weChat.Endpoint(), nil
	gate := w.gate()
	mux := http.NewServeMux()
	mux.Handle("/wechat/", gate)
	mux.Handle("/api/", gate.RequireWeChat(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("orders")) })))
	app := httptest.NewServer(mux)
	defer app.Close()
	target, _ := url.Parse(app.URL)
	proxy.Config.Handler = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}}
	proxy.Start()
	b := w.browser()
	b.client.Transport = nil
	client := *b.client
	client.CheckRedirect = nil
	weChat.LogIn(t, &client, proxy.URL+"/wechat/login?return_to=/api/orders", "lin")
	checkPage(t, "GET of the API through the proxy", b.do(http.MethodGet, proxy.URL+"/api/orders", ""), http.StatusOK, "orders")
}
