package scangate_test

import (
	"bytes"
	"compress/gzip"
	"html"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/scangate/scangate/wechattest"
)

// loadedPattern matches the styles, icons, scripts and pictures of a page.
var loadedPattern = regexp.MustCompile(`<(?:link|script|img)\b[^>]* (?:href|src)="(/[^"]*)"`)

// TestLoginPageWeight limits what a slow connection loads before the first login: the
// page, its QR code, and its style and script as a proxy compresses them.
func TestLoginPageWeight(t *testing.T) {
	const limit = 26 << 10
	w := newWorld(t, withWebsite)
	for _, lang := range []string{"zh-CN", "zh-TW", "en"} {
		desktop := w.desktop()
		page := desktop.get("/wechat/login?return_to=/account", "Accept-Language", lang).body
		total, loaded := len(page), map[string]int{}
		for _, match := range loadedPattern.FindAllStringSubmatch(page, -1) {
			a := desktop.get(html.UnescapeString(match[1]))
			kind, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
			size := len(a.body)
			if !strings.HasPrefix(kind, "image/") {
				size = len(compressed(t, a.body))
			}
			if a.StatusCode != http.StatusOK || size == 0 {
				t.Errorf("GET %s: status = %d with %d bytes, want 200 and some", match[1], a.StatusCode, size)
			}
			loaded[kind], total = loaded[kind]+1, total+size
		}
		want := map[string]int{"image/svg+xml": 1, "text/css": 1, "text/javascript": 1}
		if !maps.Equal(loaded, want) {
			t.Errorf("first visit in %s: it loads %v, want %v", lang, loaded, want)
		}
		if total > limit {
			t.Errorf("first visit in %s: %d bytes, want at most %d", lang, total, limit)
		}
	}
}

// compressed returns the text as a proxy sends it.
func compressed(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatalf("compress: %v", err)
	}
	if err := z.Close(); err != nil {
		t.Fatalf("compress: %v", err)
	}
	return b.Bytes()
}

func TestCaseA24HandheldsGetTheLink(t *testing.T) {
	t.Parallel()
	const (
		iPad          = "Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Mobile/15E148 Safari/604.1"
		androidTablet = "Mozilla/5.0 (Linux; Android 13; SM-X700) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
		harmonyTablet = "Mozilla/5.0 (Tablet; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36 ArkWeb/4.1.6.1"
		windowsTablet = "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0; Tablet PC 2.0)"
		chromebook    = "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
	)
	for agent, want := range map[string]bool{
		iPad: true, androidTablet: true, harmonyTablet: true, windowsTablet: false, chromebook: false, wechattest.UserAgentChrome: false,
	} {
		w := newWorld(t, withWebsite)
		a := w.desktop().get("/wechat/login", "User-Agent", agent)
		if got := strings.Contains(a.body, `id="link"`); got != want {
			t.Errorf("GET the login page from %s: link to copy = %t, want %t", agent, got, want)
		}
		if !strings.Contains(a.body, "with=website") {
			t.Errorf("GET the login page from %s: got no link to WeChat's own page, want one", agent)
		}
	}
}
