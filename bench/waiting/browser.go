package main

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

// answerTime is how long a browser waits for an answer, a long poll's included.
const answerTime = 60 * time.Second

// browser is a browser with one connection, written for being many: it has no
// goroutine and no buffers but its own.
type browser struct {
	conn    net.Conn
	reader  *bufio.Reader
	agent   string
	address string // where it seems to come from
	cookies map[string]string
}

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

// addressOf spreads browsers over networks: one address may hold a tenth of those
// that may wait.
func addressOf(i int) string { return fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255) }

func (b *browser) get(path string) (*http.Response, string, error) { return b.do("GET", path, "", "") }

// do sends a request and reads the answer. One that is an error's is an error.
func (b *browser) do(method, path, contentType, body string) (*http.Response, string, error) {
	if err := b.send(method, path, contentType, body); err != nil {
		return nil, "", err
	}
	return b.receive(method + " " + path)
}

func (b *browser) send(method, path, contentType, body string) error {
	var r strings.Builder
	fmt.Fprintf(&r, "%s %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: %s\r\n%s: %s\r\n", method, path, b.agent, addressHeader, b.address)
	r.WriteString("Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\nAccept-Language: zh-CN,zh;q=0.9\r\nAccept-Encoding: gzip, deflate\r\n")
	for name, value := range b.cookies {
		fmt.Fprintf(&r, "Cookie: %s=%s\r\n", name, value)
	}
	if method == http.MethodPost {
		fmt.Fprintf(&r, "Origin: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n", publicURL, contentType, len(body))
	}
	r.WriteString("\r\n" + body)
	if err := b.conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	_, err := io.WriteString(b.conn, r.String())
	return err
}

func (b *browser) receive(what string) (*http.Response, string, error) {
	resp, err := http.ReadResponse(b.reader, nil)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", what, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", what, err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return nil, "", fmt.Errorf("%s: %s %.200s", what, resp.Status, text)
	}
	for _, c := range resp.Cookies() {
		b.cookies[c.Name] = c.Value
	}
	return resp, string(text), nil
}

// desktop is a browser that waits.
type desktop struct {
	*browser
	process int // which serves it
	id      string
	told    chan time.Time // gets when it learned of the approval
}

// openDesktop begins a login.
func openDesktop(ctx context.Context, processes []*process, i int) (*desktop, error) {
	at := i % len(processes)
	b, err := openBrowser(ctx, processes[at].address, wechattest.UserAgentChrome, addressOf(i))
	if err != nil {
		return nil, err
	}
	d := &desktop{browser: b, process: at, told: make(chan time.Time, 1)}
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

func (d *desktop) statePath(seen string) string {
	return "/wechat/login/" + d.id + "/state?seen=" + seen
}

// wait asks for the state again and again, as the login page does, until it is
// approved. The first question has been sent by then.
func (d *desktop) wait() error {
	for {
		_, text, err := d.receive("the state")
		if err != nil {
			return err
		}
		var got struct{ State string }
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			return err
		}
		switch got.State {
		case "approved":
			d.told <- time.Now()
			return nil
		case "waiting", "scanned":
		default:
			return fmt.Errorf("a login that nobody refused is %q", got.State)
		}
		if err := d.send("GET", d.statePath(got.State), "", ""); err != nil {
			return err
		}
	}
}

// finish is the browser's last step.
func (d *desktop) finish() error {
	resp, _, err := d.do("POST", "/wechat/login/"+d.id+"/finish", "application/x-www-form-urlencoded", "")
	if err != nil {
		return err
	}
	if to := resp.Header.Get("Location"); to != "/account" || d.cookies["session"] == "" {
		return fmt.Errorf("the login ended at %s %q", resp.Status, to)
	}
	return nil
}
