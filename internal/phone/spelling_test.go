package phone

import (
	"errors"
	"testing"
)

// TestCaseB17OneSpelling: several spellings of one number normalize to one, and those that
// could be another number are refused.
func TestCaseB17OneSpelling(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		// a zero for calls at home is dropped
		{"+49 0151 23456789", "+4915123456789"},
		{"+49 (0)151 23456789", "+4915123456789"},
		{"0049 151 23456789", "+4915123456789"},
		{"+44 (0)7911 123456", "+447911123456"},
		{"+44 07911 123456", "+447911123456"},
		{"＋４４（０）７９１１　１２３４５６", "+447911123456"},
		{"+886 0912 345 678", "+886912345678"},
		{"+86 0138 0013 8000", "+8613800138000"},
		{"0138 0013 8000", "+8613800138000"},
		// or kept where it is a part of the number
		{"+39 06 1234 5678", "+390612345678"},
		{"+39 312 345 6789", "+393123456789"},
		{"+225 07 08 09 10 11", "+2250708091011"},
		// or refused where no number begins with it
		{"+852 0512 3456", ""},
		{"+65 0812 3456", ""},
		{"+34 0612 345 678", ""},
		{"+49 00151 23456789", ""},
		// other digits for calls at home
		{"+7 916 123-45-67", "+79161234567"},
		{"+7 8 916 123-45-67", ""},
		{"+1 1 415 555 2671", ""},
		{"+1 (015) 555 2671", ""},
		{"+1 (115) 555 2671", ""},
		{"+1 (415) 155 2671", ""},
		{"+52 1 55 1234 5678", ""},
		{"+52 55 1234 5678", "+525512345678"},
		{"+54 9 11 1234 5678", "+5491112345678"},
		{"+54 11 15 1234 5678", ""},
		// marks that a copied number brings along
		{"\u202d+86 138 0013 8000\u202c", "+8613800138000"},
		{"\ufeff138\u200b0013\u20608000", "+8613800138000"},
	} {
		got, err := Normalize(c.in)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("Normalize(%q) = %q, %v, want %q", c.in, got, err, c.want)
		}
	}
}

// TestThreat73NumbersOfNoCountry: services, satellites and unassigned codes.
func TestThreat73NumbersOfNoCountry(t *testing.T) {
	for _, in := range []string{
		"+979 123 456 789", "+882 16 1234 5678", "+883 510 012 345", "+881 6 1234 5678", "+870 773 123 456",
		"+878 10 1234 5678", "+800 1234 5678", "+808 1234 5678", "+888 1234 5678", "+999 123 456 789", "+210 1234 5678",
		"+1 900 555 2671", "+1 800 555 2671", "+1 888 555 2671", "+1 500 555 2671", "+1 700 555 2671", "001 900 555 2671",
	} {
		if got, err := Normalize(in); got != "" || !errors.Is(err, ErrInvalid) {
			t.Errorf("Normalize(%q) = %q, %v, want %v", in, got, err, ErrInvalid)
		}
	}
}

func TestCallingCode(t *testing.T) {
	for number, want := range map[string]string{
		"+8613800138000": "86", "+85251234567": "852", "+14155552671": "1", "+18765552671": "1876", "+79161234567": "7",
		"+390612345678": "39", "+19005552671": "", "+979123456789": "", "+999123456789": "", "": "", "+": "",
	} {
		if got := CallingCode(number); got != want {
			t.Errorf("CallingCode(%q) = %q, want %q", number, got, want)
		}
	}
	for code, want := range map[string]bool{
		"86": true, "1": true, "1876": true, "852": true,
		"": false, " ": false, "+86": false, "086": false, "979": false, "882": false, "1900": false, "86 1": false, "8": false,
	} {
		if got := IsCallingCode(code); got != want {
			t.Errorf("IsCallingCode(%q) = %t, want %t", code, got, want)
		}
	}
}

// TestInternational: the page explains the form of the number that was meant.
func TestInternational(t *testing.T) {
	for in, want := range map[string]bool{
		"+49 151": true, "＋49 151": true, " (+49) 151": true, "0049 151": true, "+49 151 x": true, "００４９": true,
		"+86 138": false, "0086 138": false, "138": false, "0138": false, "": false, "x": false,
	} {
		if got := International(in); got != want {
			t.Errorf("International(%q) = %t, want %t", in, got, want)
		}
	}
}
