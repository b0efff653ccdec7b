package scangate

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/scangate/scangate/wechat"
)

// Why a request may not pass, as [Gate.Check] returns it. Any other error of Check is
// the failure of a store.
var (
	// ErrLoginRequired reports that the request has no valid session: it carries none,
	// the user is disabled or deleted, or their sessions were ended.
	ErrLoginRequired = errors.New("scangate: login required")
	// ErrPhoneRequired reports that the user is logged in but has no phone number,
	// although [Phone.Require] is set.
	ErrPhoneRequired = errors.New("scangate: phone number required")
)

// Why a request cannot be served. The table in respond.go maps each to an answer, except
// errFreshLogin, which leads to a login. Package internal/login has the errors of a login's
// steps.
var (
	errBadRequest  = errors.New("malformed request")
	errForged      = errors.New("the request may be forged")
	errState       = errors.New("the OAuth state does not belong to this browser")
	errNoSession   = errors.New("the browser keeps no session")
	errCancelled   = errors.New("refused in WeChat")
	errSnapshot    = errors.New("WeChat returned a snapshot user, which identifies no person")
	errDisabled    = errors.New("the user is disabled")
	errOtherPerson = errors.New("WeChat vouches for another person than before")
	errOtherChat   = errors.New("the link is from another person's chat")
	errOnlyMini    = errors.New("the code is for the mini program, not for a browser")
	errNotJSON     = errors.New("the Content-Type is not application/json")
	errTooLarge    = errors.New("the body is too large")
	errOtherUser   = errors.New("the WeChat is not that of the user who is logged in")
	errFreshLogin  = errors.New("the user has to log in again first")
	errTooMany     = errors.New("too many requests")
	errRejected    = errors.New("Config.OnLogin refused")
	errWeChat      = errors.New("WeChat did not answer as documented")

	// errCodeRejected means that the person has to start again.
	errCodeRejected = errors.New("WeChat rejected the code")
)

// Why a person cannot be registered, linked or sent a code.
var (
	errNotRegistered = errors.New("not registered")
	errPhoneInvalid  = errors.New("this is not a phone number")
	errTermsRequired = errors.New("the person has not agreed to Config.Pages.Terms")
	errPhoneAbroad   = errors.New("this is not a phone number with a country's calling code")
	errPhoneCountry  = errors.New("Config.Phone.Countries does not have the number's country")
	errNeedsCode     = errors.New("the number needs a one-time code")
	errPhoneInUse    = errors.New("the phone number belongs to an account with another WeChat")
	errWeChatInUse   = errors.New("the WeChat identity belongs to another account")
	errLastIdentity  = errors.New("this is the account's last WeChat identity")
	errTooManyCodes  = errors.New("too many codes")
	errSendFailed    = errors.New("the code could not be sent")
)

// Why a request may not wait.
var (
	errTooManyTabs = errors.New("too many requests wait for this login, or from this address")
	errCrowded     = errors.New("too many browsers wait")
	errClosing     = errors.New("the gate is closed")
)

// errInvented is the error of a store that returns a record for an ID that no one has made.
var errInvented = errors.New("it returned a record for a random ID, instead of \"not found\"")

// detailedError is an error that the client may read about in a problem's detail.
type detailedError struct {
	error
	detail string // in English, without secrets
}

// Unwrap is for [errors.Is] and [errors.As].
func (e detailedError) Unwrap() error { return e.error }

// badRequest returns an errBadRequest with that detail.
func badRequest(detail string) error {
	return detailedError{fmt.Errorf("%w: %s", errBadRequest, detail), detail}
}

// forged returns an errForged with that detail.
func forged(detail string) error {
	return detailedError{fmt.Errorf("%w: %s", errForged, detail), detail}
}

// wrap annotates err with the action that failed. It returns nil if err is nil.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// wechatError marks an error of the WeChat client: as errCodeRejected if the person can
// start again, otherwise as errWeChat.
func wechatError(doing string, err error) error {
	mark := errWeChat
	// A timed-out exchange may have used the code, so ErrCodeUsed can be the second
	// answer to one person.
	for _, kind := range []error{wechat.ErrCodeInvalid, wechat.ErrCodeUsed, wechat.ErrRefused} {
		if errors.Is(err, kind) {
			mark = errCodeRejected
		}
	}
	return fmt.Errorf("%s: %w: %w", doing, mark, err)
}

// apiError is an error as it leaves the package.
type apiError struct{ error }

// publicError prepares err for a caller or a log: its text begins with "scangate: ",
// which does not occur again, and has no line break. Stores that belong to the
// application are free to return anything.
func publicError(err error) error {
	if err == nil {
		return nil
	}
	return apiError{err}
}

const errorPrefix = "scangate: "

// Error implements error.
func (e apiError) Error() string {
	text := strings.ReplaceAll(e.error.Error(), errorPrefix, "")
	return errorPrefix + strings.Join(strings.FieldsFunc(text, func(c rune) bool { return c == '\n' || c == '\r' }), "; ")
}

// Unwrap is for [errors.Is] and [errors.As].
func (e apiError) Unwrap() error { return e.error }

// both returns err, annotated with the error of its clean-up unless that is nil.
func both(err, undo error) error {
	if undo == nil {
		return err
	}
	return fmt.Errorf("%w; %w", err, undo)
}

// configErrors is an error that contains all faults of a Config, on one line. Each fault
// is also an error by itself.
type configErrors struct{ list []error }

// append adds an error that names a field, or several, unless it is nil.
func (e *configErrors) append(err error) {
	if several := new(configErrors); errors.As(err, &several) {
		e.list = append(e.list, several.list...)
	} else if err != nil {
		e.list = append(e.list, publicError(err))
	}
}

// Error implements error.
func (e *configErrors) Error() string {
	texts := make([]string, len(e.list))
	for i, err := range e.list {
		texts[i] = strings.TrimPrefix(err.Error(), errorPrefix)
	}
	return errorPrefix + strings.Join(texts, "; ")
}

// Unwrap returns the faults. It is for [errors.Is] and [errors.As].
func (e *configErrors) Unwrap() []error { return e.list }

// configError returns an error that names the field of Config at fault.
func configError(field, format string, args ...any) error {
	return fmt.Errorf(errorPrefix+"Config."+field+": "+format, args...)
}

// add adds a fault of a field of Config.
func (e *configErrors) add(field, format string, args ...any) {
	e.append(configError(field, format, args...))
}

// addError adds the fault of a field that err describes, unless err is nil.
func (e *configErrors) addError(field string, err error) {
	if err != nil {
		e.add(field, "%w", err)
	}
}

// holdsNil reports whether the value of an interface is a nil pointer or function.
func holdsNil(value any) bool {
	v := reflect.ValueOf(value)
	return (v.Kind() == reflect.Pointer || v.Kind() == reflect.Func) && v.IsNil()
}
