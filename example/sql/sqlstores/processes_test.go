package sqlstores

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/sqlstore"
)

// The environment of a child process, which runs this test's own binary.
const (
	childEnv       = "SCANGATE_TEST_CHILD" // the name of a database; makes the binary a child
	childDSNEnv    = "SCANGATE_TEST_DSN"
	childPrefixEnv = "SCANGATE_TEST_PREFIX"
)

// The work of TestProcesses.
const (
	processes = 2
	calls     = 5  // concurrent calls of Register in each process and round
	rounds    = 20 // each registers another person
)

// TestProcesses lets two processes register the same person at the same moment, person
// after person. Exactly one call may succeed. The processes also create the tables at
// the same moment.
func TestProcesses(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, d database) {
		in := d.tables(t)
		var children []*childProcess
		for range processes {
			children = append(children, startChild(t, in))
		}
		for _, c := range children {
			if got := c.receive(t); got != "ready" {
				t.Fatalf("first line of a child = %q, want ready", got)
			}
		}
		for round := range rounds {
			// Send to both first, so that both work at the same time.
			for _, c := range children {
				c.send(t, fmt.Sprint(round))
			}
			winners := 0
			for _, c := range children {
				for _, outcome := range strings.Fields(c.receive(t)) {
					switch outcome {
					case "registered":
						winners++
					case "taken":
					default:
						t.Errorf("round %d: outcome = %q, want registered or taken", round, outcome)
					}
				}
			}
			if winners != 1 {
				t.Errorf("round %d: %d calls registered the person, want 1", round, winners)
			}
		}
		for _, table := range []string{"{users}", "{identities}", "{unionids}"} {
			var n int
			if err := in.QueryRowContext(t.Context(), in.expand("SELECT COUNT(*) FROM "+table)).Scan(&n); err != nil || n != rounds {
				t.Errorf("counting the rows of %s: got %d, %v, want %d", table, n, err, rounds)
			}
		}
	})
}

// childProcess is another process, with pipes to it.
type childProcess struct {
	in  io.Writer
	out *bufio.Scanner
}

// startChild starts a process. It ends when the test closes its standard input.
func startChild(t *testing.T, in tables) *childProcess {
	t.Helper()
	// Not t.Context: that would kill the process before the cleanup can wait for its
	// end.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+in.name, childDSNEnv+"="+in.DSN, childPrefixEnv+"="+in.Prefix)
	cmd.Stderr = os.Stderr
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
		if err := cmd.Wait(); err != nil {
			t.Errorf("a child process failed: %v", err)
		}
	})
	return &childProcess{stdin, bufio.NewScanner(stdout)}
}

// send writes a line to the child.
func (c *childProcess) send(t *testing.T, line string) {
	t.Helper()
	if _, err := fmt.Fprintln(c.in, line); err != nil {
		t.Fatal(err)
	}
}

// receive returns the next line of the child.
func (c *childProcess) receive(t *testing.T) string {
	t.Helper()
	if !c.out.Scan() {
		t.Fatalf("a child closed its output, want another line: %v", c.out.Err())
	}
	return c.out.Text()
}

// runChild is the main function of a child process. It creates the tables. Then it
// registers one person for each line that it reads, and prints the outcomes.
func runChild() int {
	ctx := context.Background()
	s, err := childStore(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		person := scangate.NewUser{Identity: scangate.Identity{
			AppID: "wx00000000000000a1", OpenID: "o-" + lines.Text(), UnionID: "u-" + lines.Text(),
		}}
		outcomes := make([]string, calls)
		var running sync.WaitGroup
		for i := range outcomes {
			running.Go(func() { outcomes[i] = childRegister(ctx, s, person) })
		}
		running.Wait()
		fmt.Println(strings.Join(outcomes, " "))
	}
	return 0
}

// childRegister registers a person and returns the outcome in one word.
func childRegister(ctx context.Context, s *sqlstore.Store, person scangate.NewUser) string {
	_, err := s.Register(ctx, person)
	switch {
	case err == nil:
		return "registered"
	case errors.Is(err, scangate.ErrIdentityTaken):
		return "taken"
	default:
		fmt.Fprintln(os.Stderr, err)
		return "failed"
	}
}

// childStore returns a Store on the tables that the environment names.
func childStore(ctx context.Context) (*sqlstore.Store, error) {
	for _, d := range databases() {
		if d.name != os.Getenv(childEnv) {
			continue
		}
		db, err := sql.Open(d.driver, os.Getenv(childDSNEnv))
		if err != nil {
			return nil, err
		}
		s, err := sqlstore.New(db, d.dialect, sqlstore.Prefix(os.Getenv(childPrefixEnv)))
		if err != nil {
			return nil, err
		}
		return s, s.Migrate(ctx)
	}
	return nil, errors.New("unknown database in " + childEnv)
}
