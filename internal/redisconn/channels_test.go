package redisconn_test

import (
	"slices"
	"testing"

	"github.com/scangate/scangate/internal/redisconn"
)

func TestChannelSet(t *testing.T) {
	set := redisconn.NewChannelSet()
	demand := func(doing string, wantIn, wantOut []string) {
		t.Helper()
		in, out := set.Take()
		slices.Sort(in)
		slices.Sort(out)
		if !slices.Equal(in, wantIn) || !slices.Equal(out, wantOut) {
			t.Errorf("Take after %s = %q, %q, want %q, %q", doing, in, out, wantIn, wantOut)
		}
	}
	changed := func() bool {
		select {
		case <-set.Changed():
			return true
		default:
			return false
		}
	}
	if changed() {
		t.Error("an empty set has changed, want no change")
	}
	set.Add("a")
	set.Add("b")
	if !changed() || changed() {
		t.Error("Changed after two changes: want one token")
	}
	demand("adding", []string{"a", "b"}, nil)
	demand("nothing", nil, nil)
	set.Remove("none")
	if changed() {
		t.Error("removing a channel that is not in the set: changed, want no change")
	}
	set.Remove("a")
	set.Add("c")
	set.Remove("c")
	set.Remove("b")
	set.Add("b") // as new for the goroutine that follows: its subscription may have ended
	demand("adding and removing", []string{"b"}, []string{"a", "c"})
	if !set.Has("b") || set.Has("a") {
		t.Errorf("Has(b), Has(a) = %t, %t, want true, false", set.Has("b"), set.Has("a"))
	}
}
