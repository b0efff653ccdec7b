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

// The environment of this test's binary where it is another process.
const (
	childEnv       = "SCANGATE_TEST_CHILD" // the name of the database
	childDSNEnv    = "SCANGATE_TEST_DSN"
	childPrefixEnv = "SCANGATE_TEST_PREFIX"
)

// What the processes do.
const (
	processes = 2
	calls     = 5 // at once, in each
	rounds    = 20
)

// TestProcesses has two processes register one person at the same moment, person
// after person, in tables that neither has made before.
func TestProcesses(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		in := d.tables(t)
		var peers []*peer
		for range processes {
			peers = append(peers, start(t, in))
		}
		for _, p := range peers {
			if got := p.hear(t); got != "ready" {
				t.Fatalf("a process says %q", got)
			}
		}
		for round := range rounds {
			for _, p := range peers {
				p.tell(t, fmt.Sprint(round))
			}
			winners := 0
			for _, p := range peers {
				for _, outcome := range strings.Fields(p.hear(t)) {
					switch outcome {
					case "registered":
						winners++
					case "taken":
					default:
						t.Errorf("round %d: a call ended in %q", round, outcome)
					}
				}
			}
			if winners != 1 {
				t.Errorf("round %d: %d calls registered the person", round, winners)
			}
		}
		for _, table := range []string{"{users}", "{identities}", "{unionids}"} {
			var n int
			if err := in.QueryRowContext(t.Context(), in.named("SELECT COUNT(*) FROM "+table)).Scan(&n); err != nil || n != rounds {
				t.Errorf("%s has %d rows, want %d: %v", table, n, rounds, err)
			}
		}
	})
}

// peer is another process.
type peer struct {
	in  io.Writer
	out *bufio.Scanner
}

// start starts another process, which ends when its input does.
func start(t *testing.T, in tables) *peer {
	t.Helper()
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
			t.Errorf("a process ended: %v", err)
		}
	})
	return &peer{stdin, bufio.NewScanner(stdout)}
}

func (p *peer) tell(t *testing.T, line string) {
	t.Helper()
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		t.Fatal(err)
	}
}

func (p *peer) hear(t *testing.T) string {
	t.Helper()
	if !p.out.Scan() {
		t.Fatalf("a process says no more: %v", p.out.Err())
	}
	return p.out.Text()
}

// child is the other process: it makes the tables, and registers the person of
// each line that it reads.
func child() int {
	ctx := context.Background()
	s, err := childStore(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		who := scangate.NewUser{Identity: scangate.Identity{
			AppID: "wx00000000000000a1", OpenID: "o-" + lines.Text(), UnionID: "u-" + lines.Text(),
		}}
		outcomes := make([]string, calls)
		var all sync.WaitGroup
		for i := range outcomes {
			all.Go(func() { outcomes[i] = childRegister(ctx, s, who) })
		}
		all.Wait()
		fmt.Println(strings.Join(outcomes, " "))
	}
	return 0
}

func childRegister(ctx context.Context, s *sqlstore.Store, who scangate.NewUser) string {
	_, err := s.Register(ctx, who)
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
	return nil, errors.New("no such database")
}
