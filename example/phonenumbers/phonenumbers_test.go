package phonenumbers

import (
	"strings"
	"testing"
)

// TestNormalize normalizes numbers of several countries in their local spellings.
func TestNormalize(t *testing.T) {
	for _, tt := range []struct{ name, typed, want string }{
		{"a mainland mobile", "13800138000", "+8613800138000"},
		{"with spaces", " 138 0013 8000 ", "+8613800138000"},
		{"with dashes", "138-0013-8000", "+8613800138000"},
		{"with the country code", "+86 138 0013 8000", "+8613800138000"},
		{"with 0086", "0086 138 0013 8000", "+8613800138000"},
		{"with 86", "8613800138000", "+8613800138000"},
		{"full-width", "１３８００１３８０００", "+8613800138000"},
		{"Hong Kong", "+852 6123 4567", "+85261234567"},
		{"Macau", "+853 6612 3456", "+85366123456"},
		{"Taiwan, with a trunk prefix", "+886 (0)912 345 678", "+886912345678"},
		{"the United States", "+1 (415) 555-2671", "+14155552671"},
		{"Germany, with 00", "0049 1512 3456789", "+4915123456789"},
		{"refused: a landline", "010-8888 8888", ""},
		{"refused: a landline abroad", "+49 30 901820", ""},
		{"refused: too short", "1380013800", ""},
		{"refused: too long", "138001380000", ""},
		{"refused: an unknown country code", "+999 123456789", ""},
		{"refused: an extension", "13800138000 ext. 5", ""},
		{"refused: a service number", "400 810 8888", ""},
		{"refused: words", "hello", ""},
		{"refused: nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Normalize(tt.typed)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("Normalize(%q) = %q, %v, want %q", tt.typed, got, err, tt.want)
			}
			if err != nil && tt.typed != "" && strings.Contains(err.Error(), tt.typed) {
				t.Errorf("Normalize: error %q contains the number", err)
			}
		})
	}
}
