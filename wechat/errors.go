package wechat

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The kinds of errors, for errors.Is. Every error of a call matches exactly one of them,
// with three exceptions. An [Error] whose code is not listed here matches none. The error
// of a canceled call matches [context.Canceled] only, and that of a token source matches
// what the source returned. An error that matches [ErrIdentity] matches [ErrResponse] as
// well. The numbers are WeChat's errcodes.
var (
	// ErrCodeUsed means that the code was exchanged before (40163). WeChat delivers
	// some callbacks twice; the first has the token. An exchange that timed out may
	// have used its code too.
	ErrCodeUsed = errors.New("code already used")
	// ErrCodeInvalid means that the code is expired, malformed, missing or another
	// account's (40029, 41008, 42003). The client itself returns it for a malformed
	// code. The person has to log in again.
	ErrCodeInvalid = errors.New("invalid code")
	// ErrTokenExpired means that the access token is older than two hours (42001). Use
	// [Client.Refresh]. Calls with the account's own token fetch another one first.
	ErrTokenExpired = errors.New("access token expired")
	// ErrTokenInvalid means that the access token, the refresh token or the openid is
	// not valid, or no longer (40003, 40014, 40030, 41009, 42002, 42007, and 40001
	// from a call without the account's secret). The client itself returns it for a
	// malformed value. The person has to log in again.
	ErrTokenInvalid = errors.New("invalid token")
	// ErrBusy means that WeChat was busy at every attempt (-1). Try again later.
	ErrBusy = errors.New("WeChat is busy")
	// ErrQuota means too many calls today (45009) or in this minute (45011).
	ErrQuota = errors.New("WeChat's quota is reached")
	// ErrConfiguration means that the account is misconfigured or restricted. Its AppID
	// or secret is wrong (40013, 40125, 41002, 41004, and 40001 from an exchange) or the
	// secret is frozen (40243). The server's address is not on its list (40164, 61004),
	// or an administrator has to confirm it or has rejected it (89501, 89503, 89506,
	// 89507). The scope or the account's permissions do not allow the call (48001,
	// 61007), the account is punished (48004), or it is frozen, deregistered or moved
	// (50002). A parameter is missing (41001, 41003), a mini program has no such page
	// (41030), or a scene is invalid (40169). The client itself returns it for an argument
	// that WeChat would refuse. The person cannot do anything about it.
	ErrConfiguration = errors.New("WeChat account misconfigured")
	// ErrRefused means that the person did not agree (50001), or that WeChat considers
	// them a high risk (40226).
	ErrRefused = errors.New("not authorized by the user")
	// ErrResponse means that the response is not one of WeChat's. It has another status
	// than 200, is not JSON or has more than 1 MiB, it has no openid or access token, or
	// it matches ErrIdentity.
	ErrResponse = errors.New("invalid response")
	// ErrIdentity means that the response is wrong about the person: its openid is not
	// the requested one, or its unionid is malformed. Do not log the person in.
	ErrIdentity = errors.New("wrong identity")
	// ErrUnreachable means that no complete response came in time. The error also
	// wraps the cause, unless that contains a secret.
	ErrUnreachable = errors.New("WeChat can't be reached")
)

// The values of [Error.Op].
const (
	opExchange = "exchange"
	opRefresh  = "refresh"
	opVerify   = "verify"
	opUserInfo = "userinfo"

	opStableToken     = "stable_token"
	opCreateQRCode    = "qrcode"
	opFollower        = "user_info"
	opSession         = "jscode2session"
	opPhoneNumber     = "phone_number"
	opMiniProgramCode = "wxacode"
)

// Error is an error in a response of WeChat. To handle it, use errors.Is with the Err
// variables of this package instead of Code, whose meaning depends on the call.
type Error struct {
	// Op is the call: exchange, refresh, verify, userinfo, stable_token, qrcode,
	// user_info, jscode2session, phone_number or wxacode.
	Op string
	// Code is WeChat's errcode ("全局返回码").
	Code int
	// Message is WeChat's errmsg, cut to 200 bytes, without the request ID and without
	// the secrets of the request.
	Message string
	// RID is the request ID, which WeChat's support asks for. It may be empty.
	RID string
}

// Error returns a text such as "wechat: exchange: 40029 invalid code (rid 65c1...)".
func (e *Error) Error() string {
	text := fmt.Sprintf("wechat: %s: %d %s", e.Op, e.Code, e.Message)
	if e.RID != "" {
		text += " (rid " + e.RID + ")"
	}
	return text
}

// Is reports whether target is the Err variable for the code of e.
func (e *Error) Is(target error) bool {
	kind := e.kind()
	return kind != nil && kind == target
}

// kind returns the Err variable for the code of e, or nil. It follows "全局返回码".
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
	case 40013, 40125, 40164, 40169, 40243, 41001, 41002, 41003, 41004, 41030, 48001, 48004, 50002,
		61004, 61007, 89501, 89503, 89506, 89507:
		return ErrConfiguration
	case 40226, 50001:
		return ErrRefused
	case 40001:
		// "Invalid credential": these calls carry the account's secret, and every other
		// call carries a token.
		if e.Op == opExchange || e.Op == opStableToken || e.Op == opSession {
			return ErrConfiguration
		}
		return ErrTokenInvalid
	}
	return nil
}

// maxMessage limits [Error.Message], in bytes.
const maxMessage = 200

// cleanMessage returns message as a single printable line of at most maxMessage bytes.
func cleanMessage(message string) string {
	// Control characters could forge log lines or change a terminal's state.
	message = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, message)
	message = strings.Join(strings.Fields(message), " ")
	// Cut whole characters.
	for len(message) > maxMessage {
		_, size := utf8.DecodeLastRuneInString(message)
		message = message[:len(message)-size]
	}
	return message
}

// splitRID returns message without its request ID, and the request ID.
func splitRID(message string) (text, rid string) {
	// WeChat appends ", rid: ID", sometimes without the comma, and in older messages
	// " hints: [ req_id: ID ]".
	for _, mark := range []string{"hints: [ req_id:", "hints: [", "rid:"} {
		at := strings.LastIndex(message, mark)
		// The mark may be the end of a longer word.
		if at < 0 || at > 0 && !strings.ContainsRune(" ,", rune(message[at-1])) {
			continue
		}
		rid = strings.TrimSpace(strings.TrimSuffix(message[at+len(mark):], " ]"))
		if !printable(rid, maxID) {
			rid = ""
		}
		return strings.TrimRight(message[:at], " ,"), rid
	}
	return message, ""
}
