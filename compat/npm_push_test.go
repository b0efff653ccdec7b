package compat

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// serveNodeWebot serves a push URL with node-webot's wechat, in Node.
func serveNodeWebot(t *testing.T, s secrets, text string, read func(received)) http.Handler {
	base := startNodeWebot(t)
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(base)
			r.Out.URL.Path = "/"
			r.Out.Header.Set("X-Account", escapeJSON(t, map[string]string{"appid": s.appID, "token": s.token, "key": s.key}))
			r.Out.Header.Set("X-Reply", escapeJSON(t, text))
		},
		ModifyResponse: func(r *http.Response) error {
			if header := r.Header.Get("X-Message"); header != "" {
				read(nodeWebotMessage(t, header))
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			t.Logf("node-webot: %v", err)
			http.Error(w, "no answer", http.StatusBadGateway)
		},
	}
}

// escapeJSON returns a value as JSON. It is percent-encoded, because a header carries it.
func escapeJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Error(err)
	}
	return url.PathEscape(string(text))
}

// nodeWebotMessage returns the message in a response's header.
func nodeWebotMessage(t *testing.T, header string) received {
	t.Helper()
	text, err := url.PathUnescape(header)
	var m struct {
		ToUserName, FromUserName, MsgType, Event, EventKey, Ticket, MsgID, Content string
		CreateTime                                                                 string
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &m)
	}
	if err != nil {
		t.Errorf("X-Message = %q, want JSON: %v", header, err)
	}
	created, err := strconv.ParseInt(m.CreateTime, 10, 64)
	if err != nil {
		t.Errorf("CreateTime = %q, want a number", m.CreateTime)
	}
	return received{m.ToUserName, m.FromUserName, m.MsgType, m.Event, m.EventKey, m.Ticket, m.MsgID, m.Content, created}
}

// startNodeWebot starts push.mjs and returns its address. The process ends with t.
func startNodeWebot(t *testing.T) *url.URL {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", "--no-deprecation", "push.mjs")
	cmd.Dir = npmDir(t)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("push.mjs printed no address: %v", err)
	}
	base, err := url.Parse(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return base
}
