package wechat

import (
	"encoding/json"
	"time"
)

// answer is the body of a successful response of one of WeChat's routes.
type answer interface {
	// problem returns the reason why the answer is unusable, without quoting it, or "".
	problem() string
}

// decode decodes the body of a response into answer, and returns WeChat's error if the
// body contains one. Unknown fields are ignored, and invalid UTF-8 is replaced.
func (r request) decode(body []byte, answer answer) error {
	// WeChat sends errors with status 200 too, and JSON as text/plain, so only the
	// body decides.
	var status struct {
		Errcode int
		Errmsg  string
	}
	if json.Unmarshal(body, &status) != nil {
		return r.responseError("not the expected JSON")
	}
	if status.Errcode != 0 {
		return r.apiError(status.Errcode, status.Errmsg)
	}
	// The error of Unmarshal could quote the body, which contains tokens.
	if json.Unmarshal(body, answer) != nil {
		return r.responseError("a field has an undocumented type")
	}
	if problem := answer.problem(); problem != "" {
		return r.responseError(problem)
	}
	return nil
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
	AccessToken    string `json:"access_token"`
	ExpiresIn      int64  `json:"expires_in"`
	RefreshToken   string `json:"refresh_token"`
	OpenID         string `json:"openid"`
	UnionID        string `json:"unionid"`
	Scope          string `json:"scope"`
	IsSnapshotUser int    `json:"is_snapshotuser"`
}

func (a *tokenAnswer) problem() string {
	switch {
	case !printable(a.OpenID, maxID):
		return "no openid"
	case !printable(a.AccessToken, maxToken):
		return "no access token"
	case a.RefreshToken != "" && !printable(a.RefreshToken, maxToken):
		return "malformed refresh token"
	case a.UnionID != "" && !printable(a.UnionID, maxID):
		return "malformed unionid"
	}
	return ""
}

// token returns the token of an answer to a request that was sent at the given time.
func (a *tokenAnswer) token(sent time.Time) Token {
	// A lifetime out of range does not make the login fail: most logins use the token
	// once, right away.
	const longest = 30 * 24 * 60 * 60
	lifetime := time.Duration(min(max(a.ExpiresIn, 0), longest)) * time.Second
	return Token{
		AccessToken:  a.AccessToken,
		RefreshToken: a.RefreshToken,
		Expiry:       sent.Add(lifetime),
		OpenID:       a.OpenID,
		UnionID:      a.UnionID,
		Scope:        a.Scope,
		SnapshotUser: a.IsSnapshotUser != 0,
	}
}

// verifyAnswer answers a verification with errcode 0.
type verifyAnswer struct {
	// Errcode is nil if the field is missing.
	Errcode *int `json:"errcode"`
}

func (a *verifyAnswer) problem() string {
	if a.Errcode == nil {
		return "no errcode"
	}
	return ""
}

// userInfoAnswer answers a request for the profile of a person.
type userInfoAnswer struct {
	requested  string   // the openid in the request
	OpenID     string   `json:"openid"`
	UnionID    string   `json:"unionid"`
	Nickname   string   `json:"nickname"`
	Sex        int      `json:"sex"`
	Language   string   `json:"language"`
	City       string   `json:"city"`
	Province   string   `json:"province"`
	Country    string   `json:"country"`
	HeadImgURL string   `json:"headimgurl"`
	Privilege  []string `json:"privilege"`
}

func (a *userInfoAnswer) problem() string {
	switch {
	case a.OpenID == "":
		return "no openid"
	case a.OpenID != a.requested:
		return "the openid of another person"
	case a.UnionID != "" && !printable(a.UnionID, maxID):
		return "malformed unionid"
	}
	return ""
}

// userInfo returns the profile in the answer.
func (a *userInfoAnswer) userInfo() UserInfo {
	return UserInfo{
		OpenID: a.OpenID, UnionID: a.UnionID, Nickname: a.Nickname, Sex: a.Sex,
		Language: a.Language, City: a.City, Province: a.Province, Country: a.Country,
		HeadImgURL: a.HeadImgURL, Privilege: a.Privilege,
	}
}
