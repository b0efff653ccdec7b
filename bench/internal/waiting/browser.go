package waiting

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/scangate/scangate/wechattest"
)

// answerTime limits how long a browser waits for an answer, including that of a long
// poll.
const answerTime = 60 * time.Second

// browser is a browser with one connection. There are thousands of them, so it uses
// little memory: it has one buffer of 1 KB and no goroutine.
type browser struct {
	conn    net.Conn
	reader  *bufio.Reader
	agent   string
	address string // the address that the server believes, see addressHeader
	cookies map[string]string
}

// openBrowser connects a browser to a server.
func openBrowser(ctx context.Context, server, agent, address string) (*browser, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", server)
	if err != nil {
		return nil, err
	}
	return &browser{
		conn: conn, reader: bufio.NewReaderSize(conn, 1024),
		agent: agent, address: address, cookies: make(map[string]string, 2),
	}, nil
}

// addressOf returns the address of browser i. Each browser has its own, because the
// gate limits the waiting requests of one address.
func addressOf(i int) string { return fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255) }

// get requests a page.
func (b *browser) get(path string) (*http.Response, string, error) { return b.do("GET", path, "", "") }

// do sends a request and reads the answer. It returns an error for a status of 400 or
// above.
func (b *browser) do(method, path, contentType, body string) (*http.Response, string, error) {
	if err := b.send(method, path, contentType, body); err != nil {
		return nil, "", err
	}
	return b.receive(method + " " + path)
}

// send sends a request.
func (b *browser) send(method, path, contentType, body string) error {
	var r strings.Builder
	fmt.Fprintf(&r, "%s %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: %s\r\n%s: %s\r\n", method, path, b.agent, addressHeader, b.address)
	r.WriteString("Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\nAccept-Language: zh-CN,zh;q=0.9\r\nAccept-Encoding: gzip, deflate\r\n")
	// Real browsers send one Cookie header. net/http accepts several.
	for name, value := range b.cookies {
		fmt.Fprintf(&r, "Cookie: %s=%s\r\n", name, value)
	}
	if method == http.MethodPost {
		fmt.Fprintf(&r, "Origin: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n", publicURL, contentType, len(body))
	}
	r.WriteString("\r\n" + body)
	// The deadline includes the answer.
	if err := b.conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	_, err := io.WriteString(b.conn, r.String())
	return err
}

// receive reads the answer to a request, and stores its cookies. Errors begin with
// the request.
func (b *browser) receive(request string) (*http.Response, string, error) {
	resp, err := http.ReadResponse(b.reader, nil)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", request, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", request, err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return nil, "", fmt.Errorf("%s: status = %s, body = %.200q", request, resp.Status, text)
	}
	for _, c := range resp.Cookies() {
		b.cookies[c.Name] = c.Value
	}
	return resp, string(text), nil
}

// desktop is a browser that waits for the approval of its login.
type desktop struct {
	*browser
	process  int // index of the process that serves it
	id       string
	notified chan time.Time // receives the time at which the desktop read "approved"
}

// openDesktop opens desktop i and starts a login. Desktops take turns with the
// processes.
func openDesktop(ctx context.Context, processes []*process, i int) (*desktop, error) {
	at := i % len(processes)
	b, err := openBrowser(ctx, processes[at].address, wechattest.UserAgentChrome, addressOf(i))
	if err != nil {
		return nil, err
	}
	d := &desktop{browser: b, process: at, notified: make(chan time.Time, 1)}
	_, text, err := d.do("POST", "/wechat/login", "application/json", `{"return_to":"/account"}`)
	var login struct{ ID string }
	if err == nil {
		err = json.Unmarshal([]byte(text), &login)
	}
	if err != nil {
		_ = d.conn.Close()
		return nil, err
	}
	d.id = login.ID
	return d, nil
}

// statePath returns the path of the long poll. seen is the last state read.
func (d *desktop) statePath(seen string) string {
	return "/wechat/login/" + d.id + "/state?seen=" + seen
}

// wait reads the state and polls again, as the login page does, until the login is
// approved. The caller has sent the first poll.
func (d *desktop) wait() error {
	for {
		_, text, err := d.receive("GET " + d.statePath(""))
		if err != nil {
			return err
		}
		var got struct{ State string }
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			return err
		}
		switch got.State {
		case "approved":
			d.notified <- time.Now()
			return nil
		case "waiting", "scanned":
		default:
			return fmt.Errorf("GET %s: state = %q, want waiting, scanned or approved", d.statePath(""), got.State)
		}
		if err := d.send("GET", d.statePath(got.State), "", ""); err != nil {
			return err
		}
	}
}

// finish finishes the approved login, and checks that a session begins.
func (d *desktop) finish() error {
	resp, _, err := d.do("POST", "/wechat/login/"+d.id+"/finish", "application/x-www-form-urlencoded", "")
	if err != nil {
		return err
	}
	if to := resp.Header.Get("Location"); to != "/account" || d.cookies["session"] == "" {
		return fmt.Errorf("finish: status = %s, location = %q, session: %t, want a redirect to /account and a session", resp.Status, to, d.cookies["session"] != "")
	}
	return nil
}
