// Package phone normalizes and masks telephone numbers.
package phone

import (
	"errors"
	"strings"
	"unicode"
)

// ErrInvalid reports that a text is not a telephone number.
var ErrInvalid = errors.New("not a phone number")

// MaxLength is the length in bytes of the longest text that is read as a number. It
// leaves room for separators and full-width digits.
const MaxLength = 64

// Normalize returns the number in E.164 form, or [ErrInvalid]. It accepts mainland
// Chinese mobile numbers in any usual spelling. Any other number has to begin with its
// country's code, after + or 00, and has one spelling: a zero that is dialled at home only
// is dropped. It refuses numbers that belong to no country.
func Normalize(s string) (string, error) {
	if len(s) > MaxLength {
		return "", ErrInvalid
	}
	digits, ok := Digits(s)
	if !ok {
		return "", ErrInvalid
	}
	number, international := cutInternational(digits)
	if international && !strings.HasPrefix(number, "86") {
		number, ok = canonical(number)
		if !ok {
			return "", ErrInvalid
		}
		return CheckE164("+" + number)
	}
	// The zero was dialled before numbers of other cities.
	number = strings.TrimPrefix(strings.TrimPrefix(number, "86"), "0")
	if !isMainlandMobile(number) {
		return "", ErrInvalid // a landline of China's, for example, which receives no SMS
	}
	return "+86" + number, nil
}

// International reports whether s is written as a number outside mainland China: it begins
// with + or 00, and another calling code than 86. The rest of it may be anything.
func International(s string) bool {
	end := strings.IndexFunc(s, func(c rune) bool { _, ok := Digits(string(c)); return !ok })
	if end < 0 {
		end = len(s)
	}
	digits, _ := Digits(s[:end])
	number, international := cutInternational(digits)
	return international && !strings.HasPrefix(number, "86")
}

// cutInternational removes the + or 00 before a calling code, and reports whether there
// was one.
func cutInternational(digits string) (string, bool) {
	number, ok := strings.CutPrefix(digits, "+")
	if !ok {
		number, ok = strings.CutPrefix(digits, "00")
	}
	return number, ok
}

// Digits returns the digits of s in ASCII, after a plus sign if s begins with one. It
// drops spaces, dashes, parentheses, dots and invisible marks, which copied numbers often
// have. It reports false if s contains anything else, such as letters or digits of other
// scripts.
func Digits(s string) (string, bool) {
	var b strings.Builder
	for _, c := range s {
		switch {
		case c >= '0' && c <= '9':
			b.WriteRune(c)
		case c >= '０' && c <= '９': // full-width, as Chinese input methods write them
			b.WriteRune(c - '０' + '0')
		case c == '+' || c == '＋':
			if b.Len() > 0 {
				return "", false
			}
			b.WriteByte('+')
		case unicode.IsSpace(c), unicode.Is(unicode.Pd, c), unicode.Is(unicode.Cf, c), strings.ContainsRune("().（）·−", c):
		default:
			return "", false
		}
	}
	return b.String(), true
}

// isMainlandMobile reports whether s is a mobile number of mainland China without its
// country code: 11 digits that begin with 13 to 19.
func isMainlandMobile(s string) bool {
	return len(s) == 11 && s[0] == '1' && s[1] >= '3' && s[1] <= '9'
}

// CheckE164 returns s if it has the form of a number of ITU-T E.164, and [ErrInvalid]
// otherwise: a plus sign and 7 to 15 digits, the first of which is not zero.
func CheckE164(s string) (string, error) {
	digits, ok := strings.CutPrefix(s, "+")
	// E.164 sets no lower bound. Subscriber numbers are not shorter than 7 digits.
	if !ok || len(digits) < 7 || len(digits) > 15 || digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return "", ErrInvalid
	}
	return s, nil
}

// Mask returns a number in E.164 form with four digits of its middle hidden. A mainland
// number comes without its calling code, as people there write it: "138****8000".
func Mask(number string) string {
	if local, ok := strings.CutPrefix(number, "+86"); ok && isMainlandMobile(local) {
		number = local
	}
	if len(number) < 8 {
		return "****"
	}
	return number[:len(number)-8] + "****" + number[len(number)-4:]
}

// Tail returns the last four digits of a number in E.164 form, by which its owner
// recognizes it. It returns "" for any other text.
func Tail(number string) string {
	if _, err := CheckE164(number); err != nil {
		return ""
	}
	return number[len(number)-4:]
}
