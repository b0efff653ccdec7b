package state_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/state"
)

func TestReserveTakesFromAllQuotasOrNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := scangate.NewMemoryStore()
		minute := state.Quota{Key: "minute", Max: 2, Window: time.Minute}
		hour := state.Quota{Key: "hour", Max: 3, Window: time.Hour}
		for i, used := range []bool{false, false, true} {
			err := state.Reserve(t.Context(), store, hour, minute)
			if got := errors.As(err, new(*state.QuotaError)); got != used || !used && err != nil {
				t.Errorf("reservation %d: error = %v, want the quota used up: %v", i+1, err, used)
			}
		}
		<-time.After(time.Minute)
		// The third reservation failed at the minute's quota and was refunded to the hour's.
		if err := state.Reserve(t.Context(), store, hour, minute); err != nil {
			t.Errorf("a minute later: error = %v, want none", err)
		}
		err := state.Reserve(t.Context(), store, hour, minute)
		var quota *state.QuotaError
		if !errors.As(err, &quota) || quota.After != 59*time.Minute {
			t.Errorf("the hour's quota used up: error = %v, want a QuotaError for 59 minutes", err)
		}
		if err := state.Refund(t.Context(), store, hour, minute); err != nil {
			t.Errorf("refund: error = %v, want none", err)
		}
		if err := state.Reserve(t.Context(), store, hour, minute); err != nil {
			t.Errorf("after the refund: error = %v, want none", err)
		}
	})
}

func TestCounterOfAnotherVersionBeginsAnew(t *testing.T) {
	for _, stored := range []string{"", `{"n":9,"until":"2026-01-01T00:00:00Z"}`, "\x02\x02\x02", "\x01", "\x01\x02", "\x01\x01\x02", "\x01\x02\x02more"} {
		store := scangate.NewMemoryStore()
		if err := store.Create(t.Context(), "quota", []byte(stored), time.Hour); err != nil {
			t.Fatal(err)
		}
		quota := state.Quota{Key: "quota", Max: 1, Window: time.Hour}
		if err := state.Reserve(t.Context(), store, quota); err != nil {
			t.Errorf("stored %q: first reservation: error = %v, want none", stored, err)
		}
		if err := state.Reserve(t.Context(), store, quota); !errors.As(err, new(*state.QuotaError)) {
			t.Errorf("stored %q: second reservation: error = %v, want a QuotaError", stored, err)
		}
	}
}
