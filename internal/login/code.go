package login

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"time"
)

// The limits of a one-time code.
const (
	// CodeTTL is how long a code can be typed.
	CodeTTL = 5 * time.Minute
	// CodeLength is the number of a code's digits.
	CodeLength = 6
	// maxCodeTries is how often one code can be typed.
	maxCodeTries = 5
)

// code is the one code that a login accepts: for one number, and typed in the
// browser whose key made the MAC.
type code struct {
	Phone string
	MAC   string
	Sent  time.Time
	Tries int

	Wrong   string    // the MAC of the last wrong code
	WrongAt time.Time // when it was typed
}

// NewCode returns 6 random digits.
func NewCode() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%06d", n), nil
}

// setCode makes code the one that the login accepts for the number.
func (r *record) setCode(key Key, phone, digits string) error {
	if err := r.open(); err != nil {
		return err
	}
	r.Code = &code{Phone: phone, MAC: key.codeMAC(r.ID, phone, digits), Sent: time.Now()}
	return nil
}

// tryCode uses up one try and reports whether the code was right. A right one proves
// that the number is the authorizer's. It returns an error if there is nothing to try.
func (r *record) tryCode(key Key, digits string) (right bool, err error) {
	switch err := r.open(); {
	case err != nil:
		return false, err
	case r.State != StateIdentified:
		return false, ErrCodeWrong
	case r.Code == nil && r.Person.Phone != "":
		return true, ErrRepeated // the store failed after the right code
	case r.Code == nil, r.Code.Tries >= maxCodeTries, time.Since(r.Code.Sent) >= CodeTTL:
		return false, ErrCodeWrong
	}
	typed := key.codeMAC(r.ID, r.Code.Phone, digits)
	switch {
	case equal(r.Code.MAC, typed):
	case equal(r.Code.Wrong, typed) && time.Since(r.Code.WrongAt) < replayWindow:
		// The same request again, as browsers send it after a connection was reset. It
		// reveals nothing new, so it costs no try.
		return false, ErrCodeWrong
	default:
		r.Code.Tries++
		r.Code.Wrong, r.Code.WrongAt = typed, time.Now()
		return false, nil
	}
	r.Person.Phone, r.Code = r.Code.Phone, nil
	return true, nil
}
