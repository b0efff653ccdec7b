package state_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/state"
)

func TestNamedUsesCountOncePerName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := scangate.NewMemoryStore()
		tries := state.Quota{Key: "tries", Max: 2, Window: time.Hour}
		reserve := func(name string, want error) {
			t.Helper()
			err := state.ReserveNamed(t.Context(), store, tries, name)
			if want == nil && err != nil || want != nil && !errors.As(err, new(*state.QuotaError)) {
				t.Errorf("reserve %q: error = %v, want %v", name, err, want)
			}
		}
		used := &state.QuotaError{}
		for _, name := range []string{"a", "a", "b", "b", "a"} {
			reserve(name, nil)
		}
		reserve("c", used)
		if err := state.RefundNamed(t.Context(), store, tries, "a"); err != nil {
			t.Errorf("refund a: error = %v, want none", err)
		}
		if err := state.RefundNamed(t.Context(), store, tries, "x"); err != nil {
			t.Errorf("refund x, which has no use: error = %v, want none", err)
		}
		reserve("c", nil)
		reserve("a", used)
		<-time.After(30 * time.Minute)
		reserve("a", used) // the window begins with the first use
		<-time.After(30 * time.Minute)
		reserve("a", nil)
		if err := state.RefundNamed(t.Context(), store, tries, "a"); err != nil {
			t.Errorf("refund the only use: error = %v, want none", err)
		}
		for i := range 2 {
			reserve(fmt.Sprint(i), nil)
		}
	})
}

func TestNamesOfAnotherVersionBeginAnew(t *testing.T) {
	for _, stored := range []string{"", "\x01\x02\x02", "n", "n\x02\x05a", "n\x02\xff"} {
		store := scangate.NewMemoryStore()
		if err := store.Create(t.Context(), "tries", []byte(stored), time.Hour); err != nil {
			t.Fatal(err)
		}
		tries := state.Quota{Key: "tries", Max: 1, Window: time.Hour}
		if err := state.ReserveNamed(t.Context(), store, tries, "a"); err != nil {
			t.Errorf("stored %q: first use: error = %v, want none", stored, err)
		}
		if err := state.ReserveNamed(t.Context(), store, tries, "b"); !errors.As(err, new(*state.QuotaError)) {
			t.Errorf("stored %q: second use: error = %v, want a QuotaError", stored, err)
		}
	}
}
