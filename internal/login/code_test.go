package login

import (
	"errors"
	"strings"
	"testing"
	"time"
)

const number = "+8613800138000"

// coded returns a record that waits for the code 123456, typed on the phone.
func coded(t *testing.T) *record {
	t.Helper()
	r := recordIn(CrossDevice, StateIdentified)
	if err := r.setCode(phone, number, "123456"); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTryCode(t *testing.T) {
	unchanged := func(*record) {}
	for _, c := range []struct {
		name  string
		key   Key
		code  string
		setup func(*record)
		right bool
		err   error
	}{
		{"right", phone, "123456", unchanged, true, nil},
		{"wrong", phone, "123457", unchanged, false, nil},
		{"empty", phone, "", unchanged, false, nil},
		{"another browser's", attacker, "123456", unchanged, false, nil},
		{"another number's", phone, "123456", func(r *record) { r.Code.Phone = "+8613900139000" }, false, nil},
		{"another login's", phone, "123456", func(r *record) { r.ID = "OTHER" }, false, nil},
		{"fifth try", phone, "123456", func(r *record) { r.Code.Tries = maxCodeTries - 1 }, true, nil},
		{"sixth try", phone, "123456", func(r *record) { r.Code.Tries = maxCodeTries }, false, ErrCodeWrong},
		{"none sent", phone, "123456", func(r *record) { r.Code = nil }, false, ErrCodeWrong},
		{"too old", phone, "123456", func(r *record) { r.Code.Sent = r.Code.Sent.Add(-CodeTTL) }, false, ErrCodeWrong},
		{"expired login", phone, "123456", func(r *record) { r.Expires = time.Now() }, false, ErrExpired},
		{"denied login", phone, "123456", func(r *record) { r.State = StateDenied }, false, ErrDenied},
		{"approved login", phone, "123456", func(r *record) { r.State = StateApproved }, false, ErrCodeWrong},
	} {
		r := coded(t)
		c.setup(r)
		right, err := r.tryCode(c.key, c.code)
		if right != c.right || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: right = %v, error = %v, want %v, %v", c.name, right, err, c.right, c.err)
		}
		if proved := r.Person.Phone == number; proved != c.right {
			t.Errorf("%s: proved number = %q, want proved: %v", c.name, r.Person.Phone, c.right)
		}
		if c.err == nil && !c.right && r.Code.Tries != 1 {
			t.Errorf("%s: tries = %d, want 1", c.name, r.Code.Tries)
		}
	}
}

func TestNewCode(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		code, err := NewCode()
		if err != nil || len(code) != 6 || strings.Trim(code, "0123456789") != "" {
			t.Fatalf("code = %q, error = %v, want 6 digits", code, err)
		}
		seen[code] = true
	}
	if len(seen) < 990 {
		t.Errorf("of 1,000 codes %d are different, want nearly all", len(seen))
	}
}

func TestRightCodeTwiceIsRepeated(t *testing.T) {
	r := coded(t)
	if _, err := r.tryCode(phone, "123456"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.tryCode(phone, "123456"); !errors.Is(err, ErrRepeated) {
		t.Errorf("error = %v, want ErrRepeated", err)
	}
}
