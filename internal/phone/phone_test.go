package phone

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

func TestNormalize(t *testing.T) {
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
		got, err := Normalize(c.in)
		if got != c.want || (err == nil) != (c.want != "") || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("Normalize(%q) = %q, %v, want %q", c.in, got, err, c.want)
		}
	}
}

func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"13800138000", "+86 138-0013-8000", "００８６１３８００１３８０００", "+1 (415) 555-2671", "", "+"} {
		f.Add(s)
	}
	form := regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	f.Fuzz(func(t *testing.T, s string) {
		got, err := Normalize(s)
		if err != nil {
			return
		}
		if !form.MatchString(got) {
			t.Fatalf("Normalize(%q) = %q, want a match of %v", s, got, form)
		}
		if again, err := Normalize(got); err != nil || again != got {
			t.Fatalf("Normalize(%q) = %q, %v, want its argument", got, again, err)
		}
	})
}

func TestDigits(t *testing.T) {
	for _, c := range []struct {
		in, want string
		ok       bool
	}{
		{"", "", true},
		{"＋８６ (138) 0013-8000", "+8613800138000", true},
		{"1.2·3−4\u2011(5)（6）\t7", "1234567", true},
		{" +1", "+1", true},
		{"1+", "", false},
		{"1a", "", false},
		{"٣", "", false},
	} {
		if got, ok := Digits(c.in); got != c.want || ok != c.ok {
			t.Errorf("Digits(%q) = %q, %t, want %q, %t", c.in, got, ok, c.want, c.ok)
		}
	}
}

func TestCheckE164(t *testing.T) {
	for _, good := range []string{"+1234567", "+8613800138000", "+123456789012345"} {
		if got, err := CheckE164(good); got != good || err != nil {
			t.Errorf("CheckE164(%q) = %q, %v, want its argument", good, got, err)
		}
	}
	for _, bad := range []string{"", "+", "8613800138000", "+123456", "+1234567890123456", "+0123456789", "+1234 567", "+１２３４５６７", "+1234567\n"} {
		if got, err := CheckE164(bad); got != "" || !errors.Is(err, ErrInvalid) {
			t.Errorf("CheckE164(%q) = %q, %v, want %v", bad, got, err, ErrInvalid)
		}
	}
}

func TestTail(t *testing.T) {
	for in, want := range map[string]string{"+8613800138000": "8000", "+1234567": "4567", "+123456": "", "": "", "8613800138000": "", "+86138 00138000": "", "<b>+8613800138000": ""} {
		if got := Tail(in); got != want {
			t.Errorf("Tail(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestMask(t *testing.T) {
	for in, want := range map[string]string{"+8613800138000": "138****8000", "+85212345678": "+852****5678", "+864001234567": "+8640****4567", "+1234567": "****4567", "": "****"} {
		if got := Mask(in); got != want {
			t.Errorf("Mask(%q) = %q, want %q", in, got, want)
		}
	}
}
