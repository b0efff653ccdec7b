package scangate

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"

	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
	"unicode"

	"github.com/scangate/scangate/internal/state"
)

// What a one-time code allows.
const (
	codeLife  = 5 * time.Minute
	codeTries = 5
	codeGap   = time.Minute // between two codes to one number
	sendTime  = 10 * time.Second
)

// What can be wrong with a number or its code.
var (
	errPhoneInvalid = errors.New("scangate: this is no phone number")
	errCodeWrong    = errors.New("scangate: the code is wrong, used up or too old")
	errTooManyCodes = errors.New("scangate: too many codes")
	errSendFailed   = errors.New("scangate: the code could not be sent")
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

// phoneTyped normalises what a person typed.
func (g *Gate) phoneTyped(typed string) (string, error) {
	if len(typed) > maxPhone {
		return "", errPhoneInvalid
	}
	number, err := g.config.NormalizePhone(typed)
	if err != nil {
		return "", errPhoneInvalid
	}
	return checkE164(number)
}

// phoneCode is the one code that is good for an attempt: for one number, and in
// the browser whose key made the MAC.
type phoneCode struct {
	Phone string
	MAC   string
	Sent  time.Time
	Tries int
}

// newCode returns 6 random digits.
func newCode() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%06d", n), nil
}

// codeMAC is how an attempt remembers a code: without the browser's key it
// can't be found by trying.
func (k browserKey) codeMAC(id, phone, code string) string {
	return k.mac("code", id+" "+phone+" "+code)
}

// try uses up one try at the code. A right one proves the number to be the
// authorizer's.
func (a *attempt) try(key browserKey, code string) error {
	if err := a.open(); err != nil {
		return err
	}
	if a.State != stateIdentified || a.Code == nil || a.Code.Tries >= codeTries || time.Since(a.Code.Sent) >= codeLife {
		return errCodeWrong
	}
	a.Code.Tries++
	if !equalMAC(a.Code.MAC, key.codeMAC(a.ID, a.Code.Phone, code)) {
		return errCodeWrong
	}
	a.Person.Phone, a.Code = a.Code.Phone, nil
	return nil
}

// quotas returns what one code has to pass. If the code is not delivered, the first
// group is refunded, so that the person may try again at once. The tries are not: a
// sender that reports a failure may have delivered all the same.
func (g *Gate) quotas(phone, who, network string) (codes, tries []state.Quota) {
	quota := func(name, of string, limit int, window time.Duration) state.Quota {
		sum := sha256.Sum256([]byte(of)) // a store need not learn whose number it is
		return state.Quota{Key: "codes:" + name + ":" + base64.RawURLEncoding.EncodeToString(sum[:]), Max: limit, Window: window}
	}
	const hour, day = time.Hour, 24 * time.Hour
	codes = []state.Quota{
		quota("gap", phone, 1, codeGap),
		quota("phone-hour", phone, 5, hour),
		quota("phone-day", phone, 10, day),
		quota("person-hour", who, 10, hour),
		quota("person-day", who, 20, day),
		quota("address-hour", network, 60, hour),
		quota("address-day", network, 300, day),
		quota("all-hour", "", g.config.CodeLimit, hour),
	}
	tries = []state.Quota{
		quota("phone-tries", phone, 30, hour),
		quota("person-tries", who, 30, hour),
	}
	return codes, tries
}
