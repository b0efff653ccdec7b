package scangate

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
	"unicode"
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

// allowance is how many codes may go to a number, a person, an address or all
// in a time.
type allowance struct {
	key    string
	max    int
	window time.Duration
}

// tally is the stored form of what an allowance has given.
type tally struct {
	N     int       `json:"n"`
	Until time.Time `json:"until"`
}

// tooManyCodesError says when the next one may be asked for.
type tooManyCodesError struct{ after time.Duration }

func (tooManyCodesError) Error() string   { return errTooManyCodes.Error() }
func (tooManyCodesError) Is(e error) bool { return e == errTooManyCodes }

// allowances are all that one code has to pass. What could not be delivered is
// given back to the first, so that a person may try again at once, and not to the
// tries: a sender that fails may have delivered all the same.
func (g *Gate) allowances(phone, who, network string) (codes, tries []allowance) {
	key := func(what, of string) string {
		sum := sha256.Sum256([]byte(of)) // a store need not know whose number it is
		return "codes:" + what + ":" + base64.RawURLEncoding.EncodeToString(sum[:])
	}
	const hour, day = time.Hour, 24 * time.Hour
	codes = []allowance{
		{key("gap", phone), 1, codeGap},
		{key("phone-hour", phone), 5, hour},
		{key("phone-day", phone), 10, day},
		{key("person-hour", who), 10, hour},
		{key("person-day", who), 20, day},
		{key("address-hour", network), 60, hour},
		{key("address-day", network), 300, day},
		{key("all-hour", ""), g.config.CodeLimit, hour},
	}
	tries = []allowance{
		{key("phone-tries", phone), 30, hour},
		{key("person-tries", who), 30, hour},
	}
	return codes, tries
}

// takeAll takes one from each allowance, or none.
func (l *logins) takeAll(ctx context.Context, all []allowance) error {
	for i, a := range all {
		if err := l.take(ctx, a); err != nil {
			return errors.Join(err, l.giveBackAll(ctx, all[:i]))
		}
	}
	return nil
}

// giveBackAll makes it so that nothing was taken.
func (l *logins) giveBackAll(ctx context.Context, all []allowance) error {
	var failed error
	for _, a := range all {
		failed = errors.Join(failed, l.count(ctx, a, func(t *tally) error { t.N = max(t.N-1, 0); return nil }))
	}
	return failed
}

// take takes one from an allowance, or returns a tooManyCodesError.
func (l *logins) take(ctx context.Context, a allowance) error {
	return l.count(ctx, a, func(t *tally) error {
		if t.N >= a.max {
			return tooManyCodesError{time.Until(t.Until)}
		}
		t.N++
		return nil
	})
}

// count changes an allowance's tally by a compare-and-set.
func (l *logins) count(ctx context.Context, a allowance, change func(*tally) error) error {
	for range changeTries {
		var t tally
		value, version, err := l.store.Load(ctx, a.key)
		switch {
		case errors.Is(err, ErrNotFound):
			t.Until = time.Now().Add(a.window)
		case err != nil:
			return err
		case json.Unmarshal(value, &t) != nil:
			return fmt.Errorf("scangate: a damaged tally: %w", errTooManyCodes)
		}
		if err := change(&t); err != nil {
			return err
		}
		left := time.Until(t.Until)
		if value, err = json.Marshal(t); err != nil || left <= 0 {
			return err
		}
		if version == 0 {
			err = l.store.Create(ctx, a.key, value, left)
		} else {
			err = l.store.Update(ctx, a.key, version, value, left)
		}
		if !errors.Is(err, ErrExists) && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return fmt.Errorf("scangate: counting codes: %w", ErrConflict)
}
