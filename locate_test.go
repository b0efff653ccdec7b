package scangate_test

import (
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

// withLocate returns an option of newWorld. The desktop's address is 198.51.100.7, and the
// phone's 192.0.2.1.
func withLocate(locate func(netip.Addr) string) func(*scangate.Config) {
	return func(c *scangate.Config) {
		c.Locate = locate
		c.ClientIP = func(r *http.Request) netip.Addr {
			if strings.Contains(r.UserAgent(), "MicroMessenger") {
				return netip.MustParseAddr("192.0.2.1")
			}
			return netip.MustParseAddr("198.51.100.7")
		}
	}
}

func TestConfirmPageNamesThePlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ place, want string }{
		{"北京", "<dt>Place</dt><dd>北京</dd>"},
		{" Beijing\n", "<dt>Place</dt><dd>Beijing</dd>"},
		{"", ""},
		{" \x00\u202e", ""},
		{`<a href="//evil.example">x</a>]]>`, "<dd>&lt;a href=&#34;//evil.example&#34;&gt;x&lt;/a&gt;]]&gt;</dd>"},
		{"a\u202eb\u2066c\x1bd", "<dd>abcd</dd>"},
		{"\xff", ""},
		{strings.Repeat("京", 1000), "<dd>" + strings.Repeat("京", 64) + "</dd>"},
	} {
		w := newWorld(t, withLocate(func(addr netip.Addr) string {
			if addr != netip.MustParseAddr("198.51.100.7") {
				t.Errorf("Locate(%v), want the desktop's address", addr)
			}
			return c.place
		}))
		page := w.phone("lin").scan(w.desktop().start())
		if !strings.Contains(page.body, c.want) || (c.want == "") != !strings.Contains(page.body, "<dt>Place</dt>") {
			t.Errorf("the confirm page for the place %.40q: want %q in\n%s", c.place, c.want, page.body)
		}
	}
}

// Only the page that asks for approval needs the place.
func TestLocateIsCalledForTheConfirmPageOnly(t *testing.T) {
	var calls atomic.Int32
	w := newWorld(t, withLocate(func(netip.Addr) string { calls.Add(1); return "x" }))
	w.desktop().get("/wechat/login")
	phone := w.phone("lin")
	phone.open("/account")
	if got := calls.Load(); got != 0 {
		t.Errorf("calls of Locate by a login page and a login in WeChat = %d, want 0", got)
	}
	w.scanLogin(w.desktop(), w.phone("yueyue"))
	if got := calls.Load(); got == 0 {
		t.Error("calls of Locate by a login by scan = 0, want some")
	}
}

func TestPanickingLocateLeavesThePage(t *testing.T) {
	w := newWorld(t, withLocate(func(netip.Addr) string { panic("no database") }))
	w.scanLogin(w.desktop(), w.phone("lin"))
	if !strings.Contains(w.log.String(), `msg="scangate: a page shows no place" code=locate error="Config.Locate panicked" panic="no database"`) {
		t.Errorf("the log does not name the panic:\n%s", w.log)
	}
}

// A function that hangs delays each page by half a second. Once 32 of its calls have not
// returned, pages do not wait for it any more.
func TestSlowLocateLeavesThePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var calls atomic.Int32
		w := newWorld(t, withLocate(func(netip.Addr) string {
			calls.Add(1)
			<-hang
			return "late"
		}))
		login := w.desktop().start()
		phone := w.phone("lin")
		for i := range 40 {
			begun := time.Now()
			page := phone.scan(login)
			took, want := time.Since(begun), 500*time.Millisecond
			if i >= 32 {
				want = 0
			}
			if took != want || page.StatusCode != http.StatusOK || strings.Contains(page.body, "<dt>Place</dt>") {
				t.Fatalf("page %d: status = %d after %v, want 200 after %v and no place", i, page.StatusCode, took, want)
			}
		}
		if got := calls.Load(); got != 32 {
			t.Errorf("calls of a function that hangs = %d, want 32", got)
		}
		close(hang)
		synctest.Wait()
		if page := phone.scan(login); !strings.Contains(page.body, "<dd>late</dd>") {
			t.Errorf("the page after the function has recovered: want the place in\n%s", page.body)
		}
		if !strings.Contains(w.log.String(), "Config.Locate took longer than 500ms") || !strings.Contains(w.log.String(), "still busy") {
			t.Errorf("the log does not name the slow function:\n%s", w.log)
		}
	})
}
