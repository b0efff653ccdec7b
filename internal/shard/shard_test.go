package shard_test

import (
	"errors"
	"strconv"
	"testing"

	"github.com/scangate/scangate/internal/shard"
)

// keys is how many keys the tests spread.
const keys = 20_000

func never(int) bool { return false }

// Every server gets its share of the keys, within a tenth.
func TestIssue17SharesAreEqual(t *testing.T) {
	for _, n := range []int{1, 2, 3, 8} {
		counts := make([]int, n)
		for key := range keys {
			counts[shard.Pick(strconv.Itoa(key), n)]++
		}
		for i, count := range counts {
			if want := keys / n; count < want*9/10 || count > want*11/10 {
				t.Errorf("%d servers: server %d has %d of %d keys, want %d within a tenth", n, i, count, keys, want)
			}
		}
	}
}

// A new server at the end takes its share, and no key moves between the others.
func TestIssue17NewServerTakesOnlyItsShare(t *testing.T) {
	for n := 1; n < 8; n++ {
		moved := 0
		for key := range keys {
			before, after := shard.Pick(strconv.Itoa(key), n), shard.Pick(strconv.Itoa(key), n+1)
			if before == after {
				continue
			}
			moved++
			if after != n {
				t.Fatalf("from %d to %d servers: key %d moved from server %d to %d, want %d or no move", n, n+1, key, before, after, n)
			}
		}
		if want := keys / (n + 1); moved < want*9/10 || moved > want*11/10 {
			t.Errorf("from %d to %d servers: %d of %d keys moved, want %d within a tenth", n, n+1, moved, keys, want)
		}
	}
}

// The choice never changes: another one would lose the logins and sessions of all
// applications that update.
func TestIssue17ChoiceIsStable(t *testing.T) {
	for key, want := range map[string]int{"": 1, "gate:AB": 0, "a session's token": 1, "limit:login:192.0.2.1": 1, "b": 0, "i": 2} {
		if got := shard.Pick(key, 3); got != want {
			t.Errorf("Pick of %q out of 3 = %d, want %d", key, got, want)
		}
	}
}

// The keys of a server that is skipped are spread over all others.
func TestIssue17SkippedServer(t *testing.T) {
	counts := make([]int, 3)
	for key := range keys {
		name := strconv.Itoa(key)
		first := shard.Pick(name, 3)
		got := shard.PickExcept(name, 3, func(i int) bool { return i == 1 })
		if first != 1 && got != first {
			t.Fatalf("without server 1: key %d is at server %d, want %d as with it", key, got, first)
		}
		counts[got]++
	}
	if counts[1] != 0 || counts[0] < keys*45/100 || counts[2] < keys*45/100 {
		t.Errorf("without server 1: keys = %v, want none there and half at each of the others", counts)
	}
	if got := shard.PickExcept("key", 3, func(int) bool { return true }); got != -1 {
		t.Errorf("without any server: %d, want -1", got)
	}
	if got, want := shard.PickExcept("key", 3, never), shard.Pick("key", 3); got != want {
		t.Errorf("with all servers: %d, want %d", got, want)
	}
}

func TestIssue17ErrorNamesTheServer(t *testing.T) {
	cause := errors.New("scangate: Redis: loading a record: connection refused")
	err := error(&shard.Error{Err: cause, Number: 2, Of: 3})
	if want := "scangate: server 2 of 3: Redis: loading a record: connection refused"; err.Error() != want || !errors.Is(err, cause) {
		t.Errorf("error = %q, want %q, which wraps its cause", err, want)
	}
}

func BenchmarkPick(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		shard.Pick("0123456789ab:limit:login:192.0.2.1", 3)
	}
}
