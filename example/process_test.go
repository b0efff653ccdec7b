package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// processEnv makes the test's binary the program.
const processEnv = "SCANGATE_EXAMPLE_PROCESS"

func TestMain(m *testing.M) {
	if os.Getenv(processEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is the program in a process of its own.
type process struct {
	url    string      // the public one
	listen string      // host and port
	wechat string      // where the simulated one is, if the program has one
	codes  chan string // that its log shows
	stop   func()
}

// startProcess starts the program, which ends with the test.
func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	cmd.Env = append(os.Environ(), processEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log, logWriter := io.Pipe()
	cmd.Stderr = logWriter
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{codes: make(chan string, 100)}
	ended := make(chan string)
	go func() { ended <- p.read(log) }()
	stopped := false
	p.stop = func() {
		if stopped {
			return
		}
		stopped = true
		_ = cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		err := cmd.Wait()
		_ = logWriter.Close()
		if text := <-ended; err != nil || strings.Contains(text, "ERROR") {
			t.Errorf("the program ended with %v, and logged %s", err, text)
		}
	}
	t.Cleanup(p.stop)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, address, ok := strings.Cut(lines.Text(), "simulated, at "); ok {
			p.wechat = address
		}
		if address, ok := strings.CutPrefix(lines.Text(), "Listening on "); ok {
			p.listen = address
		}
		if address, ok := strings.CutPrefix(lines.Text(), "Open "); ok {
			p.url = address
			break
		}
	}
	if p.url == "" {
		p.stop()
		t.FailNow()
	}
	return p
}

var codeLogged = regexp.MustCompile(`TEXT MESSAGE.* code=([0-9]{6})`)

// read keeps the log's codes, and returns all of the log but what goes well.
func (p *process) read(log io.Reader) string {
	var other strings.Builder
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if found := codeLogged.FindStringSubmatch(lines.Text()); found != nil {
			p.codes <- found[1]
		} else if !strings.Contains(lines.Text(), " INFO ") {
			other.WriteString(lines.Text() + "\n")
		}
	}
	return other.String()
}

// code returns the next code that was sent.
func (p *process) code(t *testing.T) string {
	t.Helper()
	select {
	case code := <-p.codes:
		return code
	case <-time.After(patience):
		t.Fatal("no code was sent")
		return ""
	}
}
