package servertest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func testStrangers(t *testing.T, s *site) {
	v := s.visitor(t)
	if got := v.page("/account?tab=2"); got.status != http.StatusSeeOther || got.location != "/wechat/login?return_to=%2Faccount%3Ftab%3D2" {
		t.Errorf("a page leads to %q with %d", got.location, got.status)
	}
	got := v.get("/account")
	if got.status != http.StatusUnauthorized || got.header.Get("Content-Type") != "application/problem+json" ||
		!strings.Contains(got.body, `"code":"login_required"`) {
		t.Errorf("a script gets %d: %s", got.status, got.body)
	}
	if got := v.page("/wechat/login"); got.status != http.StatusOK || !strings.Contains(got.body, "/wechat/scan/") {
		t.Errorf("the login page is %d: %s", got.status, got.body)
	}
}

func testSpellings(t *testing.T, s *site) {
	stranger, member := s.visitor(t), s.member(t, "lin")
	member.get("/test/count")
	for _, path := range []string{
		"/account", "/account/", "//account", "/./account", "/x/../account", "/wechat/../account", "/%61ccount", "/account%2F", "/account%2f..%2faccount",
		"/ACCOUNT", "/test/count", "/test%2Fcount", "/test//count", "/test/items/7", "/test%2Fitems%2F7", "/test/items%2F7", "/account;x", "/account?return_to=/",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions} {
			got := stranger.do(method, path, "*/*", nil)
			if got.status < 300 && got.status != http.StatusNoContent || strings.Contains(got.body, "Hello") {
				t.Errorf("%s %s answers a stranger with %d: %s", method, path, got.status, got.body)
			}
		}
	}
}

func testScan(t *testing.T, s *site) {
	v := s.visitor(t)
	l := v.begin()
	phone := s.answer(t, l, "wang", "approve")
	v.wantStranger()
	if got := v.get(l.StateURL + "?seen=waiting"); got.body != `{"state":"approved"}` {
		t.Fatalf("the browser is told %d %s", got.status, got.body)
	}
	if got := v.post(l.FinishURL, nil); got.status != http.StatusOK || got.body != `{"return_to":"/account"}` {
		t.Fatalf("finishing answers %d %s", got.status, got.body)
	}
	v.wantMember()
	(&visitor{t, s, &http.Client{Jar: phone.Client.Jar, CheckRedirect: v.client.CheckRedirect}}).wantStranger()
	s.visitor(t).wantStranger()
}

func testInWeChat(t *testing.T, s *site) {
	phone := s.wechat.Phone("yueyue", nil, s.wechat.URL)
	resp, err := phone.Open(t.Context(), s.url+"/account")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK || resp.Request.URL.Path != "/account" {
		t.Errorf("the page leads to %s with %d", resp.Request.URL.Path, resp.StatusCode)
	}
	if caching := resp.Header.Get("Cache-Control"); !strings.Contains(caching, "private") && caching != "no-store" {
		t.Errorf("the page may be kept: %q", caching)
	}
}

// throughWeChatsPage begins a login by WeChat's own page, and returns the link.
func (v *visitor) throughWeChatsPage() string {
	v.t.Helper()
	got := v.page("/wechat/login?return_to=/account&with=website")
	if got.status != http.StatusSeeOther || !strings.HasPrefix(got.location, v.site.wechat.URL+"/connect/qrconnect?") {
		v.t.Fatalf("the login leads to %q with %d", got.location, got.status)
	}
	return got.location
}

func testWebsite(t *testing.T, s *site) {
	v := s.visitor(t)
	callback, err := s.wechat.Approve(v.throughWeChatsPage(), "chen")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.visitor(t).page(callback); got.status != http.StatusBadRequest {
		t.Errorf("the callback in another browser is %d to %q", got.status, got.location)
	}
	if got := v.page(callback); got.status != http.StatusSeeOther || got.location != "/account" {
		t.Errorf("the callback is %d to %q: %s", got.status, got.location, got.body)
	}
	v.wantMember()
}

func testDenied(t *testing.T, s *site) {
	v := s.visitor(t)
	l := v.begin()
	s.answer(t, l, "wang", "deny")
	if got := v.get(l.StateURL + "?seen=scanned"); got.body != `{"state":"denied"}` {
		t.Errorf("the browser is told %d %s", got.status, got.body)
	}
	if got := v.post(l.FinishURL, nil); got.status != http.StatusGone {
		t.Errorf("finishing answers %d %s", got.status, got.body)
	}
	v.wantStranger()
}

func testCancelled(t *testing.T, s *site) {
	v := s.visitor(t)
	callback, err := s.wechat.Refuse(v.throughWeChatsPage())
	if err != nil {
		t.Fatal(err)
	}
	if got := v.page(callback); got.status != http.StatusOK || !strings.Contains(got.body, "/wechat/login?") {
		t.Errorf("the callback is %d to %q: %s", got.status, got.location, got.body)
	}
	v.wantStranger()
}

func testLogout(t *testing.T, s *site) {
	v, other := s.member(t, "lin"), s.member(t, "lin")
	request := v.request(http.MethodGet, "/account", "text/html", nil) // what somebody may have kept of the session
	for _, cookie := range v.client.Jar.Cookies(request.URL) {
		request.AddCookie(cookie)
	}
	if got := v.post("/wechat/logout", nil); got.status != http.StatusNoContent {
		t.Errorf("logging out answers %d %s", got.status, got.body)
	}
	v.wantStranger()
	other.wantMember()
	resp, err := (&http.Client{CheckRedirect: v.client.CheckRedirect}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusSeeOther {
		t.Errorf("the cookies of before still open the page: %d", resp.StatusCode)
	}
}

func testSession(t *testing.T, s *site) {
	v, other := s.member(t, "lin"), s.member(t, "lin")
	for n := 1; n <= 3; n++ {
		if got := v.get("/test/count"); got.body != fmt.Sprint(n) {
			t.Errorf("request %d: the session counts %s", n, got.body)
		}
	}
	if got := other.get("/test/count"); got.body != "1" {
		t.Errorf("another session counts %s", got.body)
	}
	v.wantMember()
}

func testParameters(t *testing.T, s *site) {
	if got := s.member(t, "lin").get("/test/items/scarf-7"); got.status != http.StatusOK || got.body != "scarf-7" {
		t.Errorf("the parameter is %q, with %d", got.body, got.status)
	}
}

func testStream(t *testing.T, s *site) {
	for _, by := range []string{"controller", "assertion"} {
		v := s.member(t, "lin")
		resp, err := v.client.Do(v.request(http.MethodGet, "/test/stream?by="+by, "*/*", nil))
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(resp.Body)
		if lines.Scan(); lines.Text() != "first" {
			t.Errorf("by %s: the stream begins with %q, %v", by, lines.Text(), lines.Err())
		}
		// The handler is still running, and its session is saved already.
		if got := v.get("/test/count"); got.body != "2" {
			t.Errorf("by %s: meanwhile the session counts %s", by, got.body)
		}
		select {
		case s.release <- struct{}{}:
		case <-time.After(10 * time.Second):
			t.Fatalf("by %s: the handler doesn't wait", by)
		}
		if lines.Scan(); lines.Text() != "last" {
			t.Errorf("by %s: the stream ends with %q, %v", by, lines.Text(), lines.Err())
		}
		_ = resp.Body.Close()
		if got := v.get("/test/count"); got.body != "3" {
			t.Errorf("by %s: afterwards the session counts %s", by, got.body)
		}
	}
}

func testHijack(t *testing.T, s *site) {
	for _, by := range []string{"controller", "assertion"} {
		if _, status := s.visitor(t).dial("/test/hijack?by=" + by); status != http.StatusUnauthorized {
			t.Errorf("by %s: a stranger gets %d", by, status)
		}
		conn, status := s.member(t, "lin").dial("/test/hijack?by=" + by)
		if status != http.StatusSwitchingProtocols {
			t.Fatalf("by %s: a member gets %d", by, status)
		}
		for _, line := range []string{"hello", "again"} {
			_, _ = fmt.Fprintln(conn, line)
			if got, err := conn.ReadString('\n'); got != strings.ToUpper(line)+"\n" {
				t.Errorf("by %s: %q comes back as %q, %v", by, line, got, err)
			}
		}
	}
}

func testHijackedSession(t *testing.T, s *site) {
	v := s.member(t, "lin")
	if _, status := v.dial("/test/hijack"); status != http.StatusSwitchingProtocols {
		t.Fatalf("a member gets %d", status)
	}
	if got := v.get("/test/count"); got.body != "2" {
		t.Errorf("the session counts %s", got.body)
	}
}

// wire is a connection with its reader.
type wire struct {
	net.Conn
	*bufio.Reader
}

// Read reads what is buffered first.
func (w wire) Read(b []byte) (int, error) { return w.Reader.Read(b) }

// dial asks for a connection of its own, and returns it with the answer's status.
func (v *visitor) dial(path string) (wire, int) {
	v.t.Helper()
	conn, err := new(net.Dialer).DialContext(v.t.Context(), "tcp", strings.TrimPrefix(v.site.url, "http://"))
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	request := v.request(http.MethodGet, path, "*/*", nil)
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "shout")
	for _, cookie := range v.client.Jar.Cookies(request.URL) {
		request.AddCookie(cookie)
	}
	if err := request.Write(conn); err != nil {
		v.t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, request)
	if err != nil {
		v.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return wire{conn, reader}, resp.StatusCode
}

func testWriteTimeout(t *testing.T, s *site) {
	v := s.visitor(t)
	l := v.begin()
	told := make(chan answer, 1)
	go func() {
		defer close(told)
		told <- v.get(l.StateURL + "?seen=waiting")
	}()
	<-s.polled

	member := s.member(t, "lin")
	resp, err := member.client.Do(member.request(http.MethodGet, "/test/endless", "*/*", nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("an endless answer ends well")
	}
	_ = resp.Body.Close()
	if err := <-s.cut; err == nil {
		t.Error("the handler of an endless answer gets no error")
	}

	// The browser has been waiting for longer than that.
	select {
	case got := <-told:
		t.Fatalf("the browser that waits is told %d %s", got.status, got.body)
	default:
	}
	phone := s.wechat.Phone("wang", nil, s.wechat.URL)
	opened, err := phone.Open(t.Context(), l.ScanURL)
	if err != nil {
		t.Fatal(err)
	}
	_ = opened.Body.Close()
	if got := <-told; got.body != `{"state":"scanned"}` {
		t.Errorf("the browser that waits is told %d %s", got.status, got.body)
	}
	select {
	case <-s.polled:
		t.Error("the browser's connection was cut, and it had to ask again")
	default:
	}
}
