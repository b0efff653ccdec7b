package login

import "github.com/scangate/scangate/wechat"

// Identity mirrors the root package's Identity, which converts to it.
type Identity struct {
	AppID   string
	OpenID  string
	UnionID string
}

// Person is the authorizer as WeChat describes them, and the user that this makes.
type Person struct {
	Identity  Identity
	Nickname  string
	AvatarURL string
	Asked     bool   // user info was asked for, with or without success
	UserID    string // empty while not registered
	New       bool   // the gate has registered the user in this login
	Phone     string // the number proved in this login
	HasPhone  bool   // the user has a number, and it is not to be changed

	// Refusal is the reason why the person cannot log in, such as "not_registered";
	// empty if there is none.
	Refusal string

	Profile *wechat.UserInfo // as WeChat returned it; nil unless it was fetched
	Token   *wechat.Token    // kept only for Config.OnLogin

	// Conflict reports that the openid belongs to one user and the unionid to
	// another. It is not stored.
	Conflict bool
}

// sessionRefused is the refusal of a finished login whose session the application refuses.
const sessionRefused = "rejected"

// QuotaKey names the person in the quotas of one-time codes. A person has an openid at each
// account, so the unionid counts if it is known.
func (p Person) QuotaKey() string {
	switch {
	case p.UserID != "":
		return "user " + p.UserID
	case p.Identity.UnionID != "":
		return "unionid " + p.Identity.UnionID
	}
	return "openid " + p.Identity.AppID + " " + p.Identity.OpenID
}
