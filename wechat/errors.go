package wechat

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What went wrong, for errors.Is. Every error of a call matches one of these,
// except an [Error] whose code isn't listed here, and a call that was canceled,
// which matches [context.Canceled] alone.
var (
	// ErrCodeUsed: the code was exchanged before (40163). WeChat delivers some
	// callbacks twice; the first one's result holds. An exchange that timed out
	// may have used its code as well.
	ErrCodeUsed = errors.New("code already used")
	// ErrCodeInvalid: the code is expired, mistyped, missing or another
	// account's (40029, 41008, 42003), or such that WeChat wasn't even asked.
	// The person logs in again.
	ErrCodeInvalid = errors.New("invalid code")
	// ErrTokenExpired: the access token's two hours are over (42001). Refresh it.
	ErrTokenExpired = errors.New("access token expired")
	// ErrTokenInvalid: the access or refresh token and the openid don't hold,
	// or no longer (40003, 40014, 40030, 41009, 42002, 42007, and 40001 except
	// from an exchange), or are such that WeChat wasn't even asked. The person
	// logs in again.
	ErrTokenInvalid = errors.New("invalid token")
	// ErrBusy: WeChat was busy (-1) each time it was asked. Try later.
	ErrBusy = errors.New("WeChat is busy")
	// ErrQuota: too many calls today (45009) or this minute (45011).
	ErrQuota = errors.New("WeChat's quota is reached")
	// ErrConfiguration: the account isn't set up right. Its AppID or secret is
	// wrong (40013, 40125, 41002, 41004, and 40001 from an exchange), the
	// server's address isn't on its list (40164), the scope doesn't allow the
	// call (48001), or a parameter is missing (41001, 41003). Nothing a person
	// does helps.
	ErrConfiguration = errors.New("WeChat account misconfigured")
	// ErrRefused: the person did not agree, or WeChat restricts them (50001,
	// 50002).
	ErrRefused = errors.New("not authorized by the user")
	// ErrResponse: the answer was none of WeChat's: a redirect or any status
	// other than 200, no JSON, more than 1 MiB, or one without an openid or an
	// access token, or with an openid other than the one asked for.
	ErrResponse = errors.New("no valid answer")
	// ErrUnreachable: no answer came in time, or at all. The error also wraps
	// the cause, as far as the cause holds no secret.
	ErrUnreachable = errors.New("WeChat can't be reached")
)

// The names of the calls, as they stand in [Error.Op].
const (
	opExchange = "exchange"
	opRefresh  = "refresh"
	opVerify   = "verify"
	opUserInfo = "userinfo"
)

// Error is an error that WeChat answered with. Use errors.Is with this package's
// Err variables rather than its code, which means different things in different
// calls.
type Error struct {
	// Op is the call: exchange, refresh, verify or userinfo.
	Op string
	// Code is WeChat's errcode ("全局返回码").
	Code int
	// Message is WeChat's errmsg, of bounded length, without request ids and
	// without anything secret that was part of the request.
	Message string
	// RID is the request id that WeChat's support asks for, or empty.
	RID string
}

// Error returns such as "wechat: exchange: 40029 invalid code (rid 65c1...)".
func (e *Error) Error() string {
	text := fmt.Sprintf("wechat: %s: %d %s", e.Op, e.Code, e.Message)
	if e.RID != "" {
		text += " (rid " + e.RID + ")"
	}
	return text
}

// Is reports whether target is the Err variable that covers e.
func (e *Error) Is(target error) bool {
	kind := e.kind()
	return kind != nil && kind == target
}

// kind sorts errcodes as "全局返回码" describes them.
func (e *Error) kind() error {
	switch e.Code {
	case -1:
		return ErrBusy
	case 40163:
		return ErrCodeUsed
	case 40029, 41008, 42003:
		return ErrCodeInvalid
	case 42001:
		return ErrTokenExpired
	case 40003, 40014, 40030, 41009, 42002, 42007:
		return ErrTokenInvalid
	case 45009, 45011:
		return ErrQuota
	case 40013, 40125, 40164, 41001, 41002, 41003, 41004, 48001:
		return ErrConfiguration
	case 50001, 50002:
		return ErrRefused
	case 40001:
		return e.invalidCredential()
	}
	return nil
}

// invalidCredential tells the two meanings of 40001 apart: only an exchange
// carries the account's secret, the other calls carry a token.
func (e *Error) invalidCredential() error {
	if e.Op == opExchange {
		return ErrConfiguration
	}
	return ErrTokenInvalid
}

// maxMessage bounds, in bytes, what of WeChat's errmsg is kept.
const maxMessage = 200

// tidy makes one bounded, printable line of a message.
func tidy(message string) string {
	message = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, message)
	message = strings.Join(strings.Fields(message), " ")
	for len(message) > maxMessage {
		_, size := utf8.DecodeLastRuneInString(message)
		message = message[:len(message)-size]
	}
	return message
}

// splitRID takes the request id out of an errmsg. WeChat appends ", rid: ID",
// sometimes without the comma, and in older answers " hints: [ req_id: ID ]".
func splitRID(message string) (text, rid string) {
	for _, mark := range []string{"hints: [ req_id:", "hints: [", "rid:"} {
		at := strings.LastIndex(message, mark)
		if at < 0 || at > 0 && !strings.ContainsRune(" ,", rune(message[at-1])) {
			continue
		}
		rid = strings.TrimSpace(strings.TrimSuffix(message[at+len(mark):], " ]"))
		if !visible(rid, maxID) {
			rid = ""
		}
		return strings.TrimRight(message[:at], " ,"), rid
	}
	return message, ""
}
