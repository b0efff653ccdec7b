package scangate

import (
	"errors"
	"regexp"
	"testing"
	"time"
)

func TestNewCode(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		code, err := newCode()
		if err != nil || !regexp.MustCompile(`^[0-9]{6}$`).MatchString(code) {
			t.Fatalf("%q, %v", code, err)
		}
		seen[code] = true
	}
	if len(seen) < 990 {
		t.Errorf("1,000 codes, %d of them different", len(seen))
	}
}

func TestCodeTries(t *testing.T) {
	const key = browserKey("PHONE")
	coded := func() attempt {
		a := attemptIn(kindScan, stateIdentified)
		a.Expires = time.Now().Add(time.Hour)
		a.Code = &phoneCode{Phone: "+8613800138000", MAC: key.codeMAC("ID", "+8613800138000", "123456"), Sent: time.Now()}
		return a
	}
	for _, c := range []struct {
		name string
		key  browserKey
		code string
		do   func(*attempt)
		want error
	}{
		{"right", key, "123456", func(*attempt) {}, nil},
		{"wrong", key, "123457", func(*attempt) {}, errCodeWrong},
		{"empty", key, "", func(*attempt) {}, errCodeWrong},
		{"another browser's", "OTHER", "123456", func(*attempt) {}, errCodeWrong},
		{"another number's", key, "123456", func(a *attempt) { a.Code.Phone = "+8613900139000" }, errCodeWrong},
		{"another attempt's", key, "123456", func(a *attempt) { a.ID = "OTHER" }, errCodeWrong},
		{"none sent", key, "123456", func(a *attempt) { a.Code = nil }, errCodeWrong},
		{"too old", key, "123456", func(a *attempt) { a.Code.Sent = a.Code.Sent.Add(-codeLife) }, errCodeWrong},
		{"the fifth try", key, "123456", func(a *attempt) { a.Code.Tries = codeTries - 1 }, nil},
		{"the sixth try", key, "123456", func(a *attempt) { a.Code.Tries = codeTries }, errCodeWrong},
		{"expired login", key, "123456", func(a *attempt) { a.Expires = time.Now() }, errExpired},
		{"denied login", key, "123456", func(a *attempt) { a.State = stateDenied }, errDenied},
	} {
		a := coded()
		c.do(&a)
		if err := a.try(c.key, c.code); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if (a.Person.Phone != "") != (c.want == nil) {
			t.Errorf("%s: proved %q", c.name, a.Person.Phone)
		}
	}
	a := coded()
	if err := a.try(key, "123456"); err != nil {
		t.Fatal(err)
	}
	if err := a.try(key, "123456"); !errors.Is(err, errCodeWrong) {
		t.Errorf("the same code twice: %v", err)
	}
}
