package scangate

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/scangate/scangate/internal/phone"
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

// phoneTyped returns what a person typed as a number in E.164 form, or
// errPhoneInvalid.
func (g *Gate) phoneTyped(typed string) (string, error) {
	if len(typed) > phone.MaxLength {
		return "", errPhoneInvalid
	}
	number, err := g.config.NormalizePhone(typed)
	if err == nil {
		number, err = phone.CheckE164(number)
	}
	if err != nil {
		// Not wrapped: the application's error may quote the number, and errors are logged.
		return "", errPhoneInvalid
	}
	return number, nil
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
