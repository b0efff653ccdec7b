package wechat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// answer is the body of a successful response of one of WeChat's routes.
type answer interface {
	// problem returns the reason why the answer is unusable, without quoting it, or
	// nil. It wraps [ErrIdentity] if the answer is wrong about the person's identity.
	problem() error
	// tolerate notes something in the body that WeChat does not document.
	tolerate(oddity string)
}

// decode decodes the body of a response into answer, and returns WeChat's error if the
// body contains one. Unknown fields are ignored, and invalid UTF-8 is replaced.
func (r request) decode(body []byte, answer answer) error {
	// WeChat sends errors with status 200 too, and JSON as text/plain, so only the
	// body decides.
	var status struct {
		Errcode int
		Errmsg  tolerant[string]
	}
	repaired := json.Unmarshal(body, &status) != nil
	if repaired {
		body = repair(body)
		if json.Unmarshal(body, &status) != nil {
			return r.responseError("not the expected JSON")
		}
	}
	if status.Errcode != 0 {
		return r.apiError(status.Errcode, status.Errmsg.value)
	}
	// The error of Unmarshal could quote the body, which contains tokens.
	if json.Unmarshal(body, answer) != nil {
		return r.responseError("not the expected JSON")
	}
	if repaired {
		answer.tolerate("control characters")
	}
	if problem := answer.problem(); problem != nil {
		return fmt.Errorf("wechat: %s: %w: %w", r.op, ErrResponse, problem)
	}
	return nil
}

// repair returns body without the faults that make strict parsers refuse WeChat's
// JSON: a byte order mark, and unescaped control characters, which become spaces.
func repair(body []byte) []byte {
	// Nicknames contain such characters, and WeChat does not escape all of them.
	// Outside of a string, a space is as good as a line end.
	body = bytes.Clone(bytes.TrimPrefix(body, []byte("\ufeff")))
	for i, b := range body {
		if b < ' ' {
			body[i] = ' '
		}
	}
	return body
}

// apiError returns the [Error] for an errcode and its message.
func (r request) apiError(code int, errmsg string) error {
	// Redact first: a message that is cut before could end in a part of a secret,
	// which would no longer match.
	message, rid := splitRID(r.redact(errmsg))
	return &Error{Op: r.op, Code: code, Message: cleanMessage(message), RID: rid}
}

// tokenAnswer answers an exchange or a refresh. That of a refresh has no unionid and no
// is_snapshotuser.
type tokenAnswer struct {
	oddities
	AccessToken    tolerant[string] `json:"access_token"`
	ExpiresIn      tolerant[int64]  `json:"expires_in"`
	RefreshToken   tolerant[string] `json:"refresh_token"`
	OpenID         tolerant[string] `json:"openid"`
	UnionID        tolerant[string] `json:"unionid"`
	Scope          tolerant[string] `json:"scope"`
	IsSnapshotUser snapshotFlag     `json:"is_snapshotuser"`
}

func (a *tokenAnswer) problem() error {
	switch {
	case a.OpenID.odd || !printable(a.OpenID.value, maxID):
		return errors.New("no openid")
	case a.AccessToken.odd || !printable(a.AccessToken.value, maxToken):
		return errors.New("no access token")
	}
	return checkUnionID(a.UnionID)
}

// checkUnionID returns an error unless the unionid is missing, empty or well-formed.
func checkUnionID(id tolerant[string]) error {
	if id.odd || id.value != "" && !printable(id.value, maxID) {
		return fmt.Errorf("%w: malformed unionid", ErrIdentity)
	}
	return nil
}

// token returns the token of an answer to a request that was sent at the given time.
func (a *tokenAnswer) token(sent time.Time) Token {
	// Logins do not use the refresh token, so a malformed one does not matter to them.
	refresh := a.RefreshToken
	if refresh.odd || refresh.value != "" && !printable(refresh.value, maxToken) {
		refresh = tolerant[string]{odd: true}
	}
	return Token{
		AccessToken:  a.AccessToken.value,
		RefreshToken: refresh.value,
		Expiry:       sent.Add(lifetime(a.ExpiresIn)),
		OpenID:       a.OpenID.value,
		UnionID:      a.UnionID.value,
		Scope:        a.Scope.value,
		SnapshotUser: a.IsSnapshotUser.set,
		Oddities: a.with([]oddity{
			{"expires_in", a.ExpiresIn.odd},
			{"refresh_token", refresh.odd},
			{"scope", a.Scope.odd},
			{"is_snapshotuser", a.IsSnapshotUser.odd},
		}),
	}
}

// lifetime returns the duration of an expires_in, which counts seconds.
func lifetime(expiresIn tolerant[int64]) time.Duration {
	// A value out of range does not make a login fail: most logins use the token once,
	// right away.
	const longest = 30 * 24 * 60 * 60
	return time.Duration(min(max(expiresIn.value, 0), longest)) * time.Second
}

// verifyAnswer answers a verification with errcode 0.
type verifyAnswer struct {
	oddities
	// Errcode is nil if the field is missing.
	Errcode *int `json:"errcode"`
}

func (a *verifyAnswer) problem() error {
	if a.Errcode == nil {
		return errors.New("no errcode")
	}
	return nil
}

// userInfoAnswer answers a request for the profile of a person.
type userInfoAnswer struct {
	oddities
	requested  string             // the openid in the request
	OpenID     tolerant[string]   `json:"openid"`
	UnionID    tolerant[string]   `json:"unionid"`
	Nickname   tolerant[string]   `json:"nickname"`
	Sex        tolerant[int]      `json:"sex"`
	Language   tolerant[string]   `json:"language"`
	City       tolerant[string]   `json:"city"`
	Province   tolerant[string]   `json:"province"`
	Country    tolerant[string]   `json:"country"`
	HeadImgURL tolerant[string]   `json:"headimgurl"`
	Privilege  tolerant[[]string] `json:"privilege"`
}

func (a *userInfoAnswer) problem() error {
	switch {
	case !a.OpenID.odd && a.OpenID.value == "":
		return errors.New("no openid")
	case a.OpenID.odd || a.OpenID.value != a.requested:
		return fmt.Errorf("%w: the openid of another person", ErrIdentity)
	}
	return checkUnionID(a.UnionID)
}

// userInfo returns the profile in the answer.
func (a *userInfoAnswer) userInfo() UserInfo {
	return UserInfo{
		OpenID: a.OpenID.value, UnionID: a.UnionID.value, Nickname: a.Nickname.value, Sex: a.Sex.value,
		Language: a.Language.value, City: a.City.value, Province: a.Province.value, Country: a.Country.value,
		HeadImgURL: a.HeadImgURL.value, Privilege: a.Privilege.value,
		Oddities: a.with([]oddity{
			{"nickname", a.Nickname.odd},
			{"sex", a.Sex.odd},
			{"language", a.Language.odd},
			{"city", a.City.odd},
			{"province", a.Province.odd},
			{"country", a.Country.odd},
			{"headimgurl", a.HeadImgURL.odd},
			{"privilege", a.Privilege.odd},
		}),
	}
}
