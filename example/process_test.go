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

	"github.com/scangate/scangate/internal/testparallel"
)

// processEnv makes the test's binary run the program.
const processEnv = "SCANGATE_EXAMPLE_PROCESS"

// TestMain runs the tests, or the program in a child process.
func TestMain(m *testing.M) {
	if os.Getenv(processEnv) != "" {
		main()
		return
	}
	testparallel.More()
	status := m.Run()
	stopBrowsers()
	os.Exit(status)
}

// process is the program in a process of its own.
type process struct {
	url    string      // the public URL
	listen string      // host and port
	wechat string      // the simulator's URL; empty if the program has none
	codes  chan string // the verification codes in its log
	stop   func()      // stops the process and checks its log; only the first call counts
}

// startProcess starts the program in a process of its own until the test ends. It fails
// the test if the process fails or logs an error.
func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	// Not t.Context: that would kill the process before p.stop can.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], append([]string{"-addr", "127.0.0.1:0", "-verbose"}, args...)...)
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
	logged := make(chan string)
	go func() { logged <- p.readLog(log) }()
	stopped := false
	p.stop = func() {
		if stopped {
			return
		}
		stopped = true
		// SIGTERM shuts the program down in at most 10 s. Twice that means it hangs.
		_ = cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		err := cmd.Wait()
		_ = logWriter.Close()
		if text := <-logged; err != nil || strings.Contains(text, "ERROR") {
			t.Errorf("stopping the program: %v, want exit status 0 and no error in its log: %s", err, text)
		}
	}
	t.Cleanup(p.stop)
	// The program prints its addresses, and "Open" last.
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, address, ok := strings.Cut(lines.Text(), "simulated at "); ok {
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
		p.stop() // reports the program's error
		t.Fatal("the program ended its output without a line \"Open ...\"")
	}
	return p
}

var codeLogged = regexp.MustCompile(`text message .* code=([0-9]{6})`)

// readLog reads the log to its end. It sends the verification codes to p.codes and returns
// the other lines, except those of level INFO.
func (p *process) readLog(log io.Reader) string {
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

// code waits for the next verification code.
func (p *process) code(t *testing.T) string {
	t.Helper()
	select {
	case code := <-p.codes:
		return code
	case <-time.After(patience):
		t.Fatalf("no verification code in the log after %v", patience)
		return ""
	}
}

// skipShort skips a test with -short, and gives the reason.
func skipShort(t *testing.T, reason string) {
	t.Helper()
	if testing.Short() {
		t.Skip(reason)
	}
}
