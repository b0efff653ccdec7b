package scangate

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestNormalizePhone(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		// mainland mobile numbers
		{"13800138000", "+8613800138000"},
		{"138 0013 8000", "+8613800138000"},
		{"138-0013-8000", "+8613800138000"},
		{"138\u00a00013\u30008000", "+8613800138000"},
		{"138\u20110013\u20148000", "+8613800138000"},
		{"１３８００１３８０００", "+8613800138000"},
		{"+8613800138000", "+8613800138000"},
		{"＋86 138 0013 8000", "+8613800138000"},
		{"+86-13800138000", "+8613800138000"},
		{"(+86) 13800138000", "+8613800138000"},
		{"（086）13800138000", ""},
		{"008613800138000", "+8613800138000"},
		{"0086 138 0013 8000", "+8613800138000"},
		{"8613800138000", "+8613800138000"},
		{"\t19912345678\n", "+8619912345678"},
		// others
		{"+852 5123 4567", "+85251234567"},
		{"00852 51234567", "+85251234567"},
		{"+1 (415) 555-2671", "+14155552671"},
		{"+44 7911 123456", "+447911123456"},
		// refused
		{"", ""},
		{"110", ""},
		{"12345678901", ""},
		{"1380013800", ""},
		{"138001380000", ""},
		{"010-12345678", ""},
		{"+86 10 1234 5678", ""},
		{"+0123456789", ""},
		{"+123456", ""},
		{"+1234567890123456", ""},
		{"13800138000;13900139000", ""},
		{"138+00138000", ""},
		{"++8613800138000", ""},
		{"1380013800x", ""},
		{"١٣٨٠٠١٣٨٠٠٠", ""},
		{"13800138000\x00", ""},
		{strings.Repeat(" ", 100) + "13800138000", ""},
		{"\xff13800138000", ""},
	} {
		got, err := normalizePhone(c.in)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %q, %v, want %q", c.in, got, err, c.want)
		}
	}
}

func FuzzNormalizePhone(f *testing.F) {
	for _, s := range []string{"13800138000", "+86 138-0013-8000", "００８６１３８００１３８０００", "+1 (415) 555-2671", "", "+"} {
		f.Add(s)
	}
	form := regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	f.Fuzz(func(t *testing.T, s string) {
		got, err := normalizePhone(s)
		if err != nil {
			return
		}
		if !form.MatchString(got) {
			t.Fatalf("%q becomes %q", s, got)
		}
		if again, err := normalizePhone(got); err != nil || again != got {
			t.Fatalf("%q becomes %q, and that %q, %v", s, got, again, err)
		}
	})
}

func TestMaskPhone(t *testing.T) {
	for in, want := range map[string]string{"+8613800138000": "+86138****8000", "+1234567": "****4567", "": "****"} {
		if got := maskPhone(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

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

func TestAllowances(t *testing.T) {
	// Code that spins in a bubble stops its clock, so only the process can be ended.
	defer time.AfterFunc(time.Minute, func() { panic("TestAllowances has not ended within a minute") }).Stop()
	synctest.Test(t, func(t *testing.T) {
		l := logins{store: NewMemoryStore(), ttl: time.Minute}
		small, large := allowance{"small", 2, time.Minute}, allowance{"large", 3, time.Hour}
		both := []allowance{large, small}
		for i, want := range []error{nil, nil, errTooManyCodes} {
			if err := l.takeAll(t.Context(), both); !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Errorf("%d: %v, want %v", i, err, want)
			}
		}
		<-time.After(time.Minute)
		// The one that was refused by the small allowance was given back to the large.
		if err := l.takeAll(t.Context(), both); err != nil {
			t.Errorf("a minute later: %v", err)
		}
		err := l.takeAll(t.Context(), both)
		var full tooManyCodesError
		if !errors.As(err, &full) || full.after != 59*time.Minute {
			t.Errorf("the large one is used up: %v", err)
		}
		if err := l.giveBackAll(t.Context(), both); err != nil {
			t.Error(err)
		}
		if err := l.takeAll(t.Context(), both); err != nil {
			t.Errorf("after giving one back: %v", err)
		}
	})
}
