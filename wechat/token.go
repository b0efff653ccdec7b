package wechat

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Token is what WeChat gives for a code: who came, and the keys to ask more
// about them. It prints and logs without those keys. As JSON it is whole, so
// that it can be stored.
type Token struct {
	// AccessToken admits to [Client.UserInfo] and [Client.Verify] until Expiry,
	// two hours later.
	AccessToken string
	// RefreshToken buys a new AccessToken for 30 days, which nothing extends.
	RefreshToken string
	// Expiry is when AccessToken ends, reckoned from before the call.
	Expiry time.Time
	// OpenID names the person at this AppID, and is never empty.
	OpenID string
	// UnionID names the person at all accounts bound to one Open Platform
	// account. It is empty if this account isn't, with [ScopeBase], and after
	// [Client.Refresh].
	UnionID string
	// Scope holds what the person agreed to, separated by commas.
	Scope string
	// SnapshotUser marks a visitor of a snapshot page, whose openid, unionid,
	// nickname and picture are all made up by WeChat.
	SnapshotUser bool
}

// HasScope reports whether the person agreed to scope.
func (t Token) HasScope(scope Scope) bool {
	return slices.Contains(strings.Split(t.Scope, ","), string(scope))
}

// String describes the token without the keys in it.
func (t Token) String() string {
	return fmt.Sprintf("token of %s for %s until %s", t.OpenID, t.Scope, t.Expiry.Format(time.RFC3339))
}

// GoString implements [fmt.GoStringer] without the keys.
func (t Token) GoString() string { return "wechat.Token{" + t.String() + "}" }

// LogValue implements [slog.LogValuer] without the keys.
func (t Token) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("openid", t.OpenID),
		slog.String("scope", t.Scope),
		slog.Time("expiry", t.Expiry),
		slog.Bool("snapshot_user", t.SnapshotUser),
	)
}

// UserInfo is what a person shows of themselves. Everything but the ids is
// theirs to choose: escape it, and expect emoji. Since October 2021 WeChat sends
// Sex as 0 and the region empty.
type UserInfo struct {
	OpenID, UnionID, Nickname string
	// Sex is 1 for male, 2 for female and 0 for unknown.
	Sex                               int
	Language, City, Province, Country string
	// HeadImgURL is their picture. Its last part is the size: 0, 46, 64, 96 or
	// 132. It dies when they change the picture. It comes from outside: a server
	// that fetches it should look where it leads.
	HeadImgURL string
	// Privilege lists memberships, such as "chinaunicom".
	Privilege []string
}
