package state_test

import (
	"testing"

	"github.com/scangate/scangate/internal/state"
)

// A login and its index entry have one place. All other keys are their own.
func TestIssue17PlaceOfAKey(t *testing.T) {
	for key, want := range map[string]string{
		"gate:login:ABCDEFGHIJKLMNOPQRSTUVWXYZ": "gate:AB",
		"gate:open:ABand-a-hash":                "gate:AB",
		"other:login:ABCDEFGHIJKLMNOPQRSTUVWXY": "other:AB",
		"gate:login:A":                          "gate:login:A",
		"gate:codes:login:AB":                   "gate:codes:login:AB",
		"gate:limit:login:192.0.2.1":            "gate:limit:login:192.0.2.1",
		"gate:ends":                             "gate:ends",
		"login:AB":                              "login:AB",
		"":                                      "",
	} {
		if got := state.Place(key); got != want {
			t.Errorf("Place of %q = %q, want %q", key, got, want)
		}
	}
	if got := state.NewPlace([]byte{0xff, 0x80, 0x7f}); got != "76" {
		t.Errorf("NewPlace of ff80... = %q, want %q", got, "76")
	}
}
