package wechat

import (
	"encoding/json"
	"time"
)

// answer is what one of WeChat's routes answers when all is well.
type answer interface {
	// flaw says what keeps the answer from being taken, without quoting it, or
	// returns "".
	flaw() string
}

// decode reads an answer's body, which is UTF-8 JSON whatever its Content-Type
// says. WeChat sends its errors with status 200 too. Unknown fields are ignored
// and invalid UTF-8 is replaced; the answer must be whole.
func (r request) decode(body []byte, answer answer) error {
	var status struct {
		Errcode int
		Errmsg  string
	}
	if json.Unmarshal(body, &status) != nil {
		return r.invalid("not the JSON expected")
	}
	if status.Errcode != 0 {
		return r.failed(status.Errcode, status.Errmsg)
	}
	if json.Unmarshal(body, answer) != nil {
		return r.invalid("a field of another type than documented")
	}
	if flaw := answer.flaw(); flaw != "" {
		return r.invalid(flaw)
	}
	return nil
}

// failed makes an [Error] of what WeChat answered. The message is scrubbed
// first: cutting it before could leave a part of a secret that no longer matches.
func (r request) failed(code int, errmsg string) error {
	message, rid := splitRID(r.scrub(errmsg))
	return &Error{Op: r.op, Code: code, Message: tidy(message), RID: rid}
}

// tokenAnswer is the answer to an exchange or a refresh. The latter has no
// unionid and no is_snapshotuser.
type tokenAnswer struct {
	AccessToken    string `json:"access_token"`
	ExpiresIn      int64  `json:"expires_in"`
	RefreshToken   string `json:"refresh_token"`
	OpenID         string `json:"openid"`
	UnionID        string `json:"unionid"`
	Scope          string `json:"scope"`
	IsSnapshotUser int    `json:"is_snapshotuser"`
}

func (a *tokenAnswer) flaw() string {
	switch {
	case !visible(a.OpenID, maxID):
		return "no openid"
	case !visible(a.AccessToken, maxToken):
		return "no access token"
	case a.RefreshToken != "" && !visible(a.RefreshToken, maxToken):
		return "a strange refresh token"
	case a.UnionID != "" && !visible(a.UnionID, maxID):
		return "a strange unionid"
	}
	return ""
}

// token returns the token. A lifetime that can't be one is brought within zero
// and 30 days: it is no reason to turn the person away.
func (a *tokenAnswer) token(asked time.Time) Token {
	const longest = 30 * 24 * 60 * 60
	lifetime := time.Duration(min(max(a.ExpiresIn, 0), longest)) * time.Second
	return Token{
		AccessToken:  a.AccessToken,
		RefreshToken: a.RefreshToken,
		Expiry:       asked.Add(lifetime),
		OpenID:       a.OpenID,
		UnionID:      a.UnionID,
		Scope:        a.Scope,
		SnapshotUser: a.IsSnapshotUser != 0,
	}
}

// verifyAnswer is the answer to a verification: the error that says "ok". A
// pointer tells a zero from nothing.
type verifyAnswer struct {
	Errcode *int `json:"errcode"`
}

func (a *verifyAnswer) flaw() string {
	if a.Errcode == nil {
		return "no errcode"
	}
	return ""
}

// userInfoAnswer is the answer to a question about the person asked for.
type userInfoAnswer struct {
	asked      string
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

func (a *userInfoAnswer) flaw() string {
	switch {
	case a.OpenID == "":
		return "no openid"
	case a.OpenID != a.asked:
		return "the openid of somebody else"
	case a.UnionID != "" && !visible(a.UnionID, maxID):
		return "a strange unionid"
	}
	return ""
}

func (a *userInfoAnswer) userInfo() UserInfo {
	return UserInfo{
		OpenID: a.OpenID, UnionID: a.UnionID, Nickname: a.Nickname, Sex: a.Sex,
		Language: a.Language, City: a.City, Province: a.Province, Country: a.Country,
		HeadImgURL: a.HeadImgURL, Privilege: a.Privilege,
	}
}
