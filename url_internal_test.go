package scangate

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestLocalPath(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		// allowed
		{"/", "/"},
		{"/account", "/account"},
		{"/account?tab=2&x=%20y", "/account?tab=2&x=%20y"},
		{"/app#/deep/link", "/app#/deep/link"},
		{"/文章/1", "/%E6%96%87%E7%AB%A0/1"},
		{"/a//b", "/a//b"},
		{"/search?q=文", "/search?q=%E6%96%87"},
		{"/login?next=//evil.example", "/login?next=//evil.example"},
		{"/a:b", "/a:b"},
		// refused
		{"", "/"},
		{"account", "/"},
		{"//evil.example", "/"},
		{"///evil.example", "/"},
		{`/\evil.example`, "/"},
		{`\\evil.example`, "/"},
		{`/a\b`, "/"},
		{"https:evil.example", "/"},
		{"https://evil.example/", "/"},
		{"javascript:alert(1)", "/"},
		{"/%5cevil.example", "/"},
		{"/%5Cevil.example", "/"},
		{"/%2fevil.example", "/"},
		{"/%2F/evil.example", "/"},
		{"/\t/evil.example", "/"},
		{"/\n/evil.example", "/"},
		{"/\r\nSet-Cookie: a=b", "/"},
		{"/%0d%0aSet-Cookie:a=b", "/"},
		{"/\x00", "/"},
		{"/a%00b", "/"},
		{"/\x7f", "/"},
		{"/\u0085", "/"},
		{"/\uff0fevil.example", "/"},
		{"/%EF%BC%8Fevil.example", "/"},
		{"/\u2215evil.example", "/"},
		{"/\u2044evil.example", "/"},
		{"/\uff3cevil.example", "/"},
		{"/\xff\xfe", "/"},
		{"/%zz", "/"},
		{" /account", "/"},
		{"/" + strings.Repeat("a", 8<<10), "/"},
	} {
		if got := localPath(c.in); got != c.want {
			t.Errorf("localPath(%.60q) = %.60q, want %q", c.in, got, c.want)
		}
	}
}

// FuzzLocalPath demands of each result that it leads to the same host in a browser, that
// it fits in a header, and that it is accepted unchanged.
func FuzzLocalPath(f *testing.F) {
	for _, s := range []string{"/", "/a?b#c", "//e", `/\e`, "/%5ce", "/\t/e", "/%2f/e", "https:e", "/文"} {
		f.Add(s)
	}
	for _, s := range []string{"/" + strings.Repeat("#", 1000), "/..//evil.example", "/%2e//evil.example", "/a/..//e"} {
		f.Add(s)
	}
	base := &url.URL{Scheme: "https", Host: "app.example.com", Path: "/wechat/login"}
	f.Fuzz(func(t *testing.T, s string) {
		got := localPath(s)
		if localPath(got) != got {
			t.Fatalf("localPath(%q) = %q, and localPath of that = %q, want it unchanged", s, got, localPath(got))
		}
		// A browser takes backslashes as slashes and drops tabs and newlines.
		browser := strings.NewReplacer("\\", "/", "\t", "", "\n", "", "\r", "").Replace(got)
		u, err := base.Parse(browser)
		if err != nil || u.Scheme != "https" || u.Host != "app.example.com" || u.User != nil {
			t.Fatalf("localPath(%q) = %q, which leads to %v, %v, want a page of %s", s, got, u, err, base.Host)
		}
		// A script may use the resolved path as a URL of its own.
		if strings.HasPrefix(u.Path, "//") || len(got) > maxReturnTo {
			t.Fatalf("%q becomes %q of %d bytes, whose path is %q", s, got, len(got), u.Path)
		}
		// It must be fit for a header.
		w := httptest.NewRecorder()
		seeOther(w, got)
		if w.Code != http.StatusSeeOther || strings.ContainsAny(got, "\r\n") {
			t.Fatalf("redirecting to localPath(%q) = %q: status = %d, want 303 and no line break", s, got, w.Code)
		}
	})
}
