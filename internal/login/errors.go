package login

import "errors"

// Why a login cannot take a step.
var (
	// ErrUnknown reports that there is no such login, or none for this browser.
	ErrUnknown = errors.New("unknown login")
	// ErrExpired reports that the login's time is over.
	ErrExpired = errors.New("the login has expired")
	// ErrDenied reports that the login was denied.
	ErrDenied = errors.New("the login was denied")
	// ErrFinished reports that the login is finished.
	ErrFinished = errors.New("the login is finished")
	// ErrReplaced reports that the initiator has a newer login.
	ErrReplaced = errors.New("the login was replaced by a newer one")
	// ErrInUse reports that another phone has authorized the login.
	ErrInUse = errors.New("another phone has this login")
	// ErrExchanging reports that another callback is exchanging a code.
	ErrExchanging = errors.New("another callback is exchanging a code")
	// ErrNotApproved reports that the login has not come far enough.
	ErrNotApproved = errors.New("the login is not approved")
	// ErrTooManyFailures reports that too many exchanges of the login have failed.
	ErrTooManyFailures = errors.New("too many failed exchanges for this login")
	// ErrCodeWrong reports that a one-time code is wrong, used up or too old.
	ErrCodeWrong = errors.New("the code is wrong, used up or too old")

	// ErrRepeated reports that the step was taken before. The login that comes with
	// it is as the step has left it.
	ErrRepeated = errors.New("the step was taken before")
)

// RejectedError is an error of WeChat's, which the ask function of [Store.Exchange]
// returns. A login may have 10 of them.
type RejectedError struct {
	// Reason is a word that the caller understands, if the code is of no use any more.
	// Exchange stores it, and returns it for the same code again without asking. It is
	// empty if the code may still be good.
	Reason string
	Err    error // nil if the reason was read from the store
}

// Error implements error.
func (e *RejectedError) Error() string {
	if e.Err == nil {
		return "the code was rejected before: " + e.Reason
	}
	return e.Err.Error()
}

// Unwrap is for [errors.Is] and [errors.As].
func (e *RejectedError) Unwrap() error { return e.Err }

// errDamaged reports that a stored record is not a login of this version.
var errDamaged = errors.New("a damaged login")
