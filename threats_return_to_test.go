package scangate_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// offSite are values of return_to that lead to another site, or that some program could
// take for such.
var offSite = []string{
	"//e", `/\e`, `\/e`, "https:e", "https://e", "/%5ce", "/%5Ce", "/%2fe", "/\t/e", "/\n/e", "/\r\nX: y", "/\x00", "/%00", "javascript:alert(1)",
	"/\u2044e", "/\u2215e", "/\uff0fe", "/\uff3ce", "/\u29f8e", "http:///e", "///e", "e", "?x", "#x", "/" + strings.Repeat("a", 8<<10),
	"/..//e", "/.//e", "/%2e%2e//e", "/a/..//e", "/" + strings.Repeat("#", 1000),
	"http://app.example.com/", "https://app.example.com.evil.example/", "https://app.example.com@evil.example/", "https://u@app.example.com/",
	"https://app.example.com:444/", "https://app.example.com//e", `https://app.example.com/\e`, `https://app.example.com\e`, "https://app.example.com/..//e",
	"https://app.example.com" + "/" + strings.Repeat("a", 8<<10), "https://evil.example/https://app.example.com/", " https://app.example.com/",
}

// jsonBody returns a JSON object with one member.
func jsonBody(name, value string) string {
	body, _ := json.Marshal(map[string]string{name: value}) // of strings: cannot fail
	return string(body)
}

// detail returns the member of a problem.
func (a answer) detail() string {
	var p struct{ Detail string }
	_ = json.Unmarshal([]byte(a.body), &p) // another body has no detail
	return p.Detail
}

func TestThreat18OpenRedirectByEveryRoute(t *testing.T) {
	w := newWorld(t)
	phone := w.phone("lin")
	user := strings.TrimPrefix(phone.open("/account").body, "user ")
	for _, to := range offSite {
		if a := phone.get("/wechat/login?return_to=" + url.QueryEscape(to)); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/" {
			t.Errorf("GET login to %.40q: %d to %.40q, want 303 to /", to, a.StatusCode, a.Header.Get("Location"))
		}
		if err := w.users.LinkWeChat(t.Context(), user, scangate.Identity{AppID: "elsewhere", OpenID: "spare"}); err != nil {
			t.Fatalf("linking another WeChat to user %q: %v", user, err)
		}
		form := url.Values{"appid": {"elsewhere"}, "openid": {"spare"}, "return_to": {to}}
		if a := phone.post("/wechat/unlink", form); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/" {
			t.Errorf("POST unlink to %.40q: %d to %.40q, want 303 to /", to, a.StatusCode, a.Header.Get("Location"))
		}
	}
}

func TestThreat18OpenRedirectByJSON(t *testing.T) {
	w := newWorld(t)
	desktop := w.desktop()
	w.scanLogin(desktop, w.phone("lin"))
	for _, to := range offSite {
		for _, route := range []string{"/wechat/login", "/wechat/link", "/wechat/unlink"} {
			a := desktop.postJSON(route, jsonBody("return_to", to), nil)
			if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.detail(), "return_to") || strings.Contains(a.detail(), "evil") {
				t.Errorf("POST %s to %.40q: %d %s, want 400 with a detail about return_to", route, to, a.StatusCode, a.body)
			}
		}
	}
}
