package redisconn

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

// ErrReply reports a reply whose form does not fit the call.
var ErrReply = errors.New("a reply of unexpected form")

var errAddress = errors.New("the address is not a valid URL")

// ErrSlow reports that a limit of the [Transport] was reached. The connection may be dead.
var ErrSlow = errors.New("no answer in time")

// ErrBusy reports that all connections of a pool are in use. Redis may be well.
var ErrBusy = errors.New("all connections are in use")

// Refusal is an error that Redis returned, up to the first argument that it quotes.
type Refusal string

// NewRefusal returns an error of Redis's without the quoted part, because that may be an
// argument of the command.
func NewRefusal(text string) Refusal {
	for _, quote := range []string{" '", " `", ` "`, ", with args"} {
		text, _, _ = strings.Cut(text, quote)
	}
	return Refusal(text)
}

func (r Refusal) Error() string { return string(r) }

// Code returns the error's first word, such as "NOPERM".
func (r Refusal) Code() string {
	code, _, _ := strings.Cut(string(r), " ")
	return code
}

// asRefusal returns err as a [Refusal] if Redis returned it.
func asRefusal(err error) (Refusal, bool) {
	if err == nil {
		return "", false // the usual case, without the allocations of errors.As
	}
	var refused redis.Error
	if errors.As(err, &refused) {
		return NewRefusal(string(refused)), true
	}
	var refusal Refusal
	return refusal, errors.As(err, &refusal)
}

// Cause returns err as the methods of a [Transport] return it. It returns a context's
// error only if ctx has ended. The limits of the transport, of its pool and of its
// connections may be contexts as well, and their errors would look like the caller's.
func Cause(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var address *url.Error
	refusal, refused := asRefusal(err)
	switch {
	case ended(ctx) != nil:
		return ended(ctx)
	case refused:
		return refusal
	case isTimeout(err):
		return ErrSlow
	case errors.As(err, &address) && address.Op == "parse":
		return errAddress // the cause quotes a part of the URL, which may be the password
	case errors.As(err, &address):
		return address.Err // without the URL, which contains the password
	}
	return err
}

// IsBroken reports whether err means that the connection of a call broke at once. The
// call may then succeed on another connection.
func IsBroken(err error) bool {
	_, refused := asRefusal(err)
	return err != nil && !refused && !isTimeout(err) && !isBusy(err)
}

// ended returns ctx.Err(). It also detects a deadline that has passed before ctx
// noticed it.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// isTimeout reports whether a limit other than the caller's was reached.
func isTimeout(err error) bool {
	var limit net.Error
	return errors.As(err, &limit) && limit.Timeout() || errors.Is(err, context.Canceled)
}

// isBusy reports whether a pool has no connection left.
func isBusy(err error) bool { return errors.Is(err, redis.ErrPoolExhausted) || errors.Is(err, ErrBusy) }
