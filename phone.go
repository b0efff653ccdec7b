package scangate

import (
	"strings"
	"unicode"
)

// maxPhone bounds what is read as a phone number, in bytes.
const maxPhone = 64

// normalizePhone returns a number in E.164 form. It takes a mainland mobile
// number in any usual spelling, and any other that begins with + and its
// country's code, or with the 00 that stands for it.
func normalizePhone(s string) (string, error) {
	if len(s) > maxPhone {
		return "", errPhoneInvalid
	}
	digits, ok := phoneDigits(s)
	if !ok {
		return "", errPhoneInvalid
	}
	number, international := strings.CutPrefix(digits, "+")
	if !international {
		number, international = strings.CutPrefix(digits, "00")
	}
	switch {
	case international && !strings.HasPrefix(number, "86"):
		return checkE164("+" + number)
	case isMainlandMobile(strings.TrimPrefix(number, "86")):
		return "+86" + strings.TrimPrefix(number, "86"), nil
	}
	return "", errPhoneInvalid
}

// phoneDigits returns the digits of s, full-width ones as ASCII, with a leading
// plus if there is one, and without what people put between them.
func phoneDigits(s string) (string, bool) {
	var b strings.Builder
	for _, c := range s {
		switch {
		case c >= '0' && c <= '9':
			b.WriteRune(c)
		case c >= '０' && c <= '９':
			b.WriteRune(c - '０' + '0')
		case c == '+' || c == '＋':
			if b.Len() > 0 {
				return "", false
			}
			b.WriteByte('+')
		case unicode.IsSpace(c), unicode.Is(unicode.Pd, c), strings.ContainsRune("().（）·−", c):
		default:
			return "", false
		}
	}
	return b.String(), true
}

// isMainlandMobile reports whether s is a number of China's mobile plan: 11
// digits that begin with 13 to 19.
func isMainlandMobile(s string) bool {
	return len(s) == 11 && s[0] == '1' && s[1] >= '3' && s[1] <= '9'
}

// checkE164 returns s if it has the form of a number of ITU-T E.164: a plus and at
// most 15 digits, the first of which is no zero. Fewer than 7 are no telephone's.
func checkE164(s string) (string, error) {
	digits, ok := strings.CutPrefix(s, "+")
	if !ok || len(digits) < 7 || len(digits) > 15 || digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return "", errPhoneInvalid
	}
	return s, nil
}

// maskPhone hides the middle of a number.
func maskPhone(phone string) string {
	if len(phone) < 8 {
		return "****"
	}
	return phone[:len(phone)-8] + "****" + phone[len(phone)-4:]
}
