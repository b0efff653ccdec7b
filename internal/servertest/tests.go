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

// testLoggedOut requests the account page without a login, as a browser and as a script.
func testLoggedOut(t *testing.T, s *site) {
	desktop := s.loggedOut(t)
	const login = "/wechat/login?return_to=%2Faccount%3Ftab%3D2"
	if got := desktop.open("/account?tab=2"); got.status != http.StatusSeeOther || got.location != login {
		t.Errorf("opening a page: status = %d, Location = %q, want 303 to %s", got.status, got.location, login)
	}
	got := desktop.get("/account")
	if got.status != http.StatusUnauthorized || got.header.Get("Content-Type") != "application/problem+json" ||
		!strings.Contains(got.body, `"code":"login_required"`) {
		t.Errorf("request of a script: status = %d, body = %s, want 401 with the problem login_required", got.status, got.body)
	}
	if got := desktop.open("/wechat/login"); got.status != http.StatusOK || !strings.Contains(got.body, "/wechat/scan/") {
		t.Errorf("login page: status = %d, body = %s, want 200 with a QR code", got.status, got.body)
	}
}

// testSpellings requests private pages by unusual spellings of their paths. Some routers
// clean or decode a path before they look for its handler. The gate must not see another
// path than the handler does.
func testSpellings(t *testing.T, s *site) {
	attacker, member := s.loggedOut(t), s.loggedIn(t, "lin")
	// A member's request first. If the server kept its answer, the attacker would get
	// it.
	member.get("/test/count")
	for _, path := range []string{
		"/account", "/account/", "//account", "/./account", "/x/../account", "/wechat/../account", "/%61ccount", "/account%2F", "/account%2f..%2faccount",
		"/ACCOUNT", "/test/count", "/test%2Fcount", "/test//count", "/test/items/7", "/test%2Fitems%2F7", "/test/items%2F7", "/account;x", "/account?return_to=/",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions} {
			got := attacker.do(method, path, "*/*", nil)
			// A router may answer OPTIONS itself, with 204.
			if got.status < 300 && got.status != http.StatusNoContent || strings.Contains(got.body, "Hello") {
				t.Errorf("%s %s without a login: status = %d, body = %s, want a refusal", method, path, got.status, got.body)
			}
		}
	}
}

// testScan logs a desktop in by a scan.
func testScan(t *testing.T, s *site) {
	desktop := s.loggedOut(t)
	l := desktop.startLogin()
	phone := s.answer(t, l, "wang", "approve")
	// The approval alone creates no session: the desktop has to finish the login.
	desktop.wantLoggedOut()
	if got := desktop.get(l.StateURL + "?seen=waiting"); got.body != `{"state":"approved"}` {
		t.Fatalf("state after the approval: status = %d, body = %s, want approved", got.status, got.body)
	}
	if got := desktop.post(l.FinishURL, nil); got.status != http.StatusOK || got.body != `{"return_to":"/account"}` {
		t.Fatalf("finish: status = %d, body = %s, want 200 with return_to", got.status, got.body)
	}
	desktop.wantLoggedIn()
	// The phone has only approved, and a third browser has done nothing.
	s.browser(t, phone.Client.Jar).wantLoggedOut()
	s.loggedOut(t).wantLoggedOut()
}

// testInWeChat opens a private page in WeChat's own browser. The redirects to WeChat and
// back log the person in.
func testInWeChat(t *testing.T, s *site) {
	phone := s.wechat.Phone("yueyue", nil, s.wechat.URL)
	resp, err := phone.Open(t.Context(), s.url+"/account")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK || resp.Request.URL.Path != "/account" {
		t.Errorf("opening /account in WeChat: status = %d at %s, want 200 at /account", resp.StatusCode, resp.Request.URL.Path)
	}
	// A shared cache must not keep a page that is behind the gate.
	if got := resp.Header.Get("Cache-Control"); !strings.Contains(got, "private") && got != "no-store" {
		t.Errorf("account page: Cache-Control = %q, want private or no-store", got)
	}
}

// startAtWeChat starts a login with WeChat's own page and returns the URL of the
// page.
func (b *browser) startAtWeChat() string {
	b.t.Helper()
	got := b.open("/wechat/login?return_to=/account&with=website")
	if want := b.site.wechat.URL + "/connect/qrconnect?"; got.status != http.StatusSeeOther || !strings.HasPrefix(got.location, want) {
		b.t.Fatalf("login with WeChat's page: status = %d, Location = %q, want 303 to %s...", got.status, got.location, want)
	}
	return got.location
}

// testWebsite logs a desktop in with WeChat's own page.
func testWebsite(t *testing.T, s *site) {
	desktop, attacker := s.loggedOut(t), s.loggedOut(t)
	callback, err := s.wechat.Approve(desktop.startAtWeChat(), "chen")
	if err != nil {
		t.Fatal(err)
	}
	// The callback must work only in the browser that started the login.
	if got := attacker.open(callback); got.status != http.StatusBadRequest {
		t.Errorf("callback in another browser: status = %d, Location = %q, want 400", got.status, got.location)
	}
	if got := desktop.open(callback); got.status != http.StatusSeeOther || strings.TrimSuffix(got.location, "#") != "/account" {
		t.Errorf("callback: status = %d, Location = %q, body = %s, want 303 to /account", got.status, got.location, got.body)
	}
	desktop.wantLoggedIn()
}

// testDenied refuses a login on the phone.
func testDenied(t *testing.T, s *site) {
	desktop := s.loggedOut(t)
	l := desktop.startLogin()
	s.answer(t, l, "wang", "deny")
	// The desktop has seen the scan, so this request does not wait.
	if got := desktop.get(l.StateURL + "?seen=scanned"); got.body != `{"state":"denied"}` {
		t.Errorf("state after the refusal: status = %d, body = %s, want denied", got.status, got.body)
	}
	if got := desktop.post(l.FinishURL, nil); got.status != http.StatusGone {
		t.Errorf("finish: status = %d, body = %s, want 410", got.status, got.body)
	}
	desktop.wantLoggedOut()
}

// testCancelled refuses a login on WeChat's own page. The callback offers another login.
func testCancelled(t *testing.T, s *site) {
	desktop := s.loggedOut(t)
	callback, err := s.wechat.Refuse(desktop.startAtWeChat())
	if err != nil {
		t.Fatal(err)
	}
	if got := desktop.open(callback); got.status != http.StatusOK || !strings.Contains(got.body, "/wechat/login?") {
		t.Errorf("callback: status = %d, Location = %q, body = %s, want 200 with a link to the login", got.status, got.location, got.body)
	}
	desktop.wantLoggedOut()
}

// testLogout logs out a desktop while a laptop is logged in as the same user. The session
// must end on the server, and not only in the desktop's cookies.
func testLogout(t *testing.T, s *site) {
	desktop, laptop := s.loggedIn(t, "lin"), s.loggedIn(t, "lin")
	// An attacker has copied the desktop's cookies before the logout.
	stolen := desktop.request(http.MethodGet, "/account", "text/html", nil)
	for _, cookie := range desktop.client.Jar.Cookies(stolen.URL) {
		stolen.AddCookie(cookie)
	}
	if got := desktop.post("/wechat/logout", nil); got.status != http.StatusNoContent {
		t.Errorf("logout: status = %d, body = %s, want 204", got.status, got.body)
	}
	desktop.wantLoggedOut()
	laptop.wantLoggedIn()
	attacker := s.browser(t, nil)
	resp, err := attacker.client.Do(stolen)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusSeeOther {
		t.Errorf("account page with cookies from before the logout: status = %d, want 303", resp.StatusCode)
	}
}

// testSession counts requests in the session.
func testSession(t *testing.T, s *site) {
	desktop, laptop := s.loggedIn(t, "lin"), s.loggedIn(t, "lin")
	for n := 1; n <= 3; n++ {
		if got := desktop.get("/test/count"); got.body != fmt.Sprint(n) {
			t.Errorf("request %d of the desktop: count = %s, want %d", n, got.body, n)
		}
	}
	// Two sessions of one user share nothing.
	if got := laptop.get("/test/count"); got.body != "1" {
		t.Errorf("first request of the laptop: count = %s, want 1", got.body)
	}
	desktop.wantLoggedIn()
}

// testParameters requests a route with a path parameter: the router's own data in the
// request's context must survive the gate.
func testParameters(t *testing.T, s *site) {
	if got := s.loggedIn(t, "lin").get("/test/items/scarf-7"); got.status != http.StatusOK || got.body != "scarf-7" {
		t.Errorf("request with a path parameter: status = %d, body = %q, want 200 and scarf-7", got.status, got.body)
	}
}

// testStream reads a response while its handler is still running.
func testStream(t *testing.T, s *site) {
	for _, by := range []string{"controller", "assertion"} {
		desktop := s.loggedIn(t, "lin")
		resp, err := desktop.client.Do(desktop.request(http.MethodGet, "/test/stream?by="+by, "*/*", nil))
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(resp.Body)
		if lines.Scan(); lines.Text() != "first" {
			t.Errorf("by %s: first line = %q, %v, want first", by, lines.Text(), lines.Err())
		}
		// The handler still runs, but its session was saved with the first bytes. So
		// the next request counts on.
		if got := desktop.get("/test/count"); got.body != "2" {
			t.Errorf("by %s: count during the stream = %s, want 2", by, got.body)
		}
		select {
		case s.release <- struct{}{}:
		case <-time.After(10 * time.Second):
			t.Fatalf("by %s: the handler does not wait after the first line", by)
		}
		if lines.Scan(); lines.Text() != "last" {
			t.Errorf("by %s: second line = %q, %v, want last", by, lines.Text(), lines.Err())
		}
		_ = resp.Body.Close()
		// The end of the handler must not save the session again: that would undo
		// the change of the request in between.
		if got := desktop.get("/test/count"); got.body != "3" {
			t.Errorf("by %s: count after the stream = %s, want 3", by, got.body)
		}
	}
}

// testHijack hijacks a connection, as handlers of WebSockets do.
func testHijack(t *testing.T, s *site) {
	for _, by := range []string{"controller", "assertion"} {
		if _, status := s.loggedOut(t).upgrade("/test/hijack?by=" + by); status != http.StatusUnauthorized {
			t.Errorf("by %s: upgrade without a login: status = %d, want 401", by, status)
		}
		conn, status := s.loggedIn(t, "lin").upgrade("/test/hijack?by=" + by)
		if status != http.StatusSwitchingProtocols {
			t.Fatalf("by %s: upgrade: status = %d, want 101", by, status)
		}
		// Two lines: the first may still be in a buffer of the server.
		for _, line := range []string{"hello", "again"} {
			_, _ = fmt.Fprintln(conn, line)
			if got, err := conn.ReadString('\n'); got != strings.ToUpper(line)+"\n" {
				t.Errorf("by %s: sending %q: got %q, %v, want it in capitals", by, line, got, err)
			}
		}
	}
}

// testHijackedSession reads a session while a handler that changed it holds a hijacked
// connection.
func testHijackedSession(t *testing.T, s *site) {
	desktop := s.loggedIn(t, "lin")
	if _, status := desktop.upgrade("/test/hijack"); status != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: status = %d, want 101", status)
	}
	// The connection is still open, so the handler has not returned.
	if got := desktop.get("/test/count"); got.body != "2" {
		t.Errorf("count after the upgrade = %s, want 2", got.body)
	}
}

// bufferedConn is a connection with the reader that has read its HTTP response.
type bufferedConn struct {
	net.Conn
	*bufio.Reader
}

// Read reads from the buffer, which may hold bytes from after the response.
func (c bufferedConn) Read(b []byte) (int, error) { return c.Reader.Read(b) }

// upgrade requests a change of protocol on a connection of its own. It returns the
// connection and the status of the answer.
func (b *browser) upgrade(path string) (bufferedConn, int) {
	b.t.Helper()
	conn, err := new(net.Dialer).DialContext(b.t.Context(), "tcp", strings.TrimPrefix(b.site.url, "http://"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	// A handler that never answers fails the test instead of blocking it.
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	request := b.request(http.MethodGet, path, "*/*", nil)
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "shout")
	// No http.Client is involved, so the cookies have to be added here.
	for _, cookie := range b.client.Jar.Cookies(request.URL) {
		request.AddCookie(cookie)
	}
	if err := request.Write(conn); err != nil {
		b.t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, request)
	if err != nil {
		b.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return bufferedConn{conn, reader}, resp.StatusCode
}

// testWriteTimeout runs with a WriteTimeout of 1 second. A browser that waits for its
// phone must stay connected for longer than that.
func testWriteTimeout(t *testing.T, s *site) {
	desktop := s.loggedOut(t)
	l := desktop.startLogin()
	polled := make(chan response, 1)
	go func() {
		// Closing the channel frees the test if get ends this goroutine.
		defer close(polled)
		polled <- desktop.get(l.StateURL + "?seen=waiting")
	}()
	<-s.polled
	cutOffEndless(t, s)

	// WriteTimeout has passed, and the browser started to wait before that.
	select {
	case got := <-polled:
		t.Fatalf("state while nothing happens: status = %d, body = %s, want no answer yet", got.status, got.body)
	default:
	}
	phone := s.wechat.Phone("wang", nil, s.wechat.URL)
	opened, err := phone.Open(t.Context(), l.ScanURL)
	if err != nil {
		t.Fatal(err)
	}
	_ = opened.Body.Close()
	if got := <-polled; got.body != `{"state":"scanned"}` {
		t.Errorf("state after the scan: status = %d, body = %s, want scanned", got.status, got.body)
	}
	// net/http repeats a GET request on a broken connection. A second poll would mean
	// that the first one was cut off.
	select {
	case <-s.polled:
		t.Error("the server cut off the waiting browser, want one request only")
	default:
	}
}

// cutOffEndless requests the endless route and returns after WriteTimeout has cut it
// off.
func cutOffEndless(t *testing.T, s *site) {
	t.Helper()
	member := s.loggedIn(t, "lin")
	resp, err := member.client.Do(member.request(http.MethodGet, "/test/endless", "*/*", nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("reading the endless response: no error, want one from WriteTimeout")
	}
	_ = resp.Body.Close()
	if err := <-s.endlessErr; err == nil {
		t.Error("writing the endless response: no error, want one from WriteTimeout")
	}
}
