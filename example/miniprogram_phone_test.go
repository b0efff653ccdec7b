package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// miniAppID is the AppID of the simulated mini program.
const miniAppID = "wx0000000000000003"

// The scene values of WeChat ("场景值") for a mini program that opens.
const (
	sceneScan    = 1011 // the camera scanned a QR code
	sceneWxCode  = 1047 // the camera scanned a mini program code
	sceneCard    = 1007 // a card in a chat
	sceneRecents = 1089 // the list of recent mini programs
)

// The pages of the mini program.
const (
	miniLogin = "pages/login/login"
	miniIndex = "pages/index/index"
)

// miniPhone is a phone on which the mini program of example/miniprogram runs, under Node
// and with a stand-in for WeChat.
type miniPhone struct {
	t      *testing.T
	server string
	in     io.Writer
	out    chan string
	screen screen
	// requests are all requests of the mini program so far.
	requests []miniRequest
}

// screen is what the person sees after a command.
type screen struct {
	Error       string            `json:"error"` // the command is impossible, such as a tap on a missing button
	Title       string            `json:"title"`
	Text        string            `json:"text"`
	HTML        string            `json:"html"` // the screen as HTML
	Buttons     []miniButton      `json:"buttons"`
	Inputs      []miniInput       `json:"inputs"`
	ShareHidden bool              `json:"shareHidden"`
	Clipboard   string            `json:"clipboard"`
	Storage     map[string]string `json:"storage"`
	Requests    []miniRequest     `json:"requests"`
	Faults      []string          `json:"faults"` // exceptions, and calls that WeChat would not take
}

type miniButton struct {
	Text     string `json:"text"`
	Disabled bool   `json:"disabled"`
	OpenType string `json:"openType"`
}

type miniInput struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// miniRequest is a request of the mini program. Its status is 0 without an answer.
type miniRequest struct {
	Method string            `json:"method"`
	URL    string            `json:"url"`
	Header map[string]string `json:"header"`
	Body   string            `json:"body"`
	Status int               `json:"status"`
}

// command is a command to testdata/miniprogram/phone.js.
type command map[string]any

// findNode returns the path of Node. It skips the test if there is none, unless
// SCANGATE_REQUIRE names node.
func findNode(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		skipWithout(t, "node", "there is no node on this machine")
	}
	return path
}

// newMiniPhone returns the phone of a person. Its WeChat is in English. The settings change
// the environment of testdata/miniprogram/phone.js.
func newMiniPhone(t *testing.T, s *site, person string, settings ...string) *miniPhone {
	t.Helper()
	node := findNode(t)
	codes := httptest.NewServer(codesOf(s, person))
	t.Cleanup(codes.Close)
	directory, err := filepath.Abs("miniprogram")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, node, filepath.Join("testdata", "miniprogram", "phone.js"))
	cmd.Env = append(os.Environ(), "MINIPROGRAM="+directory, "SERVER="+s.url, "CODES="+codes.URL, "LANGUAGE=en")
	cmd.Env = append(cmd.Env, settings...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &miniPhone{t: t, server: s.url, in: in, out: make(chan string)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(p.out)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			select {
			case p.out <- lines.Text():
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() {
		stop()
		<-read
		_ = cmd.Wait() // killed
	})
	return p
}

// codesOf returns a server of the codes that a person's WeChat gives the mini program.
func codesOf(s *site, person string) http.Handler {
	phone := s.wechat.Phone(person, nil, s.wechat.URL)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code, err := phone.LoginCode(miniAppID)
		if r.URL.Path == "/number" {
			code, err = phone.NumberCode(miniAppID, r.URL.Query().Get("phone"))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, code)
	})
}

// do sends a command, and waits until WeChat has answered all calls of the mini program.
func (p *miniPhone) do(c command) {
	p.t.Helper()
	p.try(c)
	if p.screen.Error != "" {
		p.t.Fatalf("%v: %s", c, p.screen.Error)
	}
}

// try is do for a command that may be impossible.
func (p *miniPhone) try(c command) {
	p.t.Helper()
	line, err := json.Marshal(c)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(p.in, "%s\n", line); err != nil {
		p.t.Fatal(err)
	}
	p.screen = screen{}
	select {
	case answer, ok := <-p.out:
		if !ok {
			p.t.Fatalf("%v: the phone has ended", c)
		}
		if err := json.Unmarshal([]byte(answer), &p.screen); err != nil {
			p.t.Fatal(err)
		}
	case <-time.After(patience):
		p.t.Fatalf("%v: no answer within %v", c, patience)
	}
	for _, fault := range p.screen.Faults {
		p.t.Errorf("%v: %s", c, fault)
	}
	for _, r := range p.screen.Requests {
		if !strings.HasPrefix(r.URL, p.server+"/") {
			p.t.Errorf("%v: the mini program sent a request to %s, want only %s", c, r.URL, p.server)
		}
	}
	p.requests = append(p.requests, p.screen.Requests...)
}

// open opens a page. The query has the values as WeChat passes them on: encoded once.
func (p *miniPhone) open(scene int, page string, query map[string]string) {
	p.t.Helper()
	p.do(command{"do": "open", "scene": scene, "page": page, "query": query})
}

// scan scans a QR code with the URL of a login.
func (p *miniPhone) scan(scanURL string) {
	p.t.Helper()
	p.open(sceneScan, miniLogin, map[string]string{"q": url.QueryEscape(scanURL)})
}

// tap taps the button with a text.
func (p *miniPhone) tap(label string) {
	p.t.Helper()
	p.do(command{"do": "tap", "label": label})
}

// shareNumber taps the button that asks WeChat for the phone number, and lets WeChat share
// a number.
func (p *miniPhone) shareNumber(number string) {
	p.t.Helper()
	p.do(command{"do": "number", "label": "Use my WeChat phone number", "phone": number})
}

// typeInto types a text into a field.
func (p *miniPhone) typeInto(label, text string) {
	p.t.Helper()
	p.do(command{"do": "type", "label": label, "text": text})
}

// want checks that the screen shows texts.
func (p *miniPhone) want(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		if !strings.Contains(p.screen.Text, text) {
			p.t.Fatalf("the mini program shows:\n%s\nwant %q", p.screen.Text, text)
		}
	}
}

// wantButtons checks the texts of all buttons.
func (p *miniPhone) wantButtons(texts ...string) {
	p.t.Helper()
	var got []string
	for _, b := range p.screen.Buttons {
		got = append(got, b.Text)
	}
	if !slices.Equal(got, texts) {
		p.t.Errorf("the mini program shows the buttons %q, want %q", got, texts)
	}
}

// button returns the button with a text.
func (p *miniPhone) button(text string) miniButton {
	p.t.Helper()
	for _, b := range p.screen.Buttons {
		if b.Text == text {
			return b
		}
	}
	p.t.Fatalf("the mini program shows the buttons %v, want %q among them", p.screen.Buttons, text)
	return miniButton{}
}

// wantRequests checks how many requests the mini program has sent since it was installed.
func (p *miniPhone) wantRequests(when string, want int) {
	p.t.Helper()
	if len(p.requests) != want {
		p.t.Errorf("%s: the mini program has sent %d requests, want %d: %v", when, len(p.requests), want, p.requests)
	}
}
