package wechat

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Token identifies a person and authorizes calls about them. It prints and logs without
// the access token and the refresh token. Its JSON contains both, so that a token can be
// stored.
type Token struct {
	// AccessToken authorizes [Client.UserInfo] and [Client.Verify] until Expiry, two
	// hours after the exchange or refresh.
	AccessToken string
	// RefreshToken authorizes [Client.Refresh] for 30 days. No call extends that time.
	RefreshToken string
	// Expiry is the end of AccessToken's lifetime, counted from before the call.
	Expiry time.Time
	// OpenID identifies the person at this AppID. It is never empty.
	OpenID string
	// UnionID identifies the person at all accounts that are bound to the same Open
	// Platform account. It is empty if the account is not bound to one, with
	// [ScopeBase], and after [Client.Refresh].
	UnionID string
	// Scope lists the scopes that the person agreed to, separated by commas.
	Scope string
	// SnapshotUser marks a visitor of a snapshot page. WeChat makes up their openid,
	// unionid, nickname and picture.
	SnapshotUser bool
	// Oddities lists the undocumented properties of WeChat's answer that the client
	// tolerated: the names of fields with another type, and "control characters". It is
	// nil for an answer as documented. It quotes nothing, so it may be logged.
	Oddities []string `json:",omitempty"`
}

// HasScope reports whether the person agreed to scope.
func (t Token) HasScope(scope Scope) bool {
	return slices.Contains(strings.Split(t.Scope, ","), string(scope))
}

// String returns a description of the token without its secrets.
func (t Token) String() string {
	return fmt.Sprintf("token of %s for %s until %s", t.OpenID, t.Scope, t.Expiry.Format(time.RFC3339))
}

// GoString implements [fmt.GoStringer] without the token's secrets.
func (t Token) GoString() string { return "wechat.Token{" + t.String() + "}" }

// LogValue implements [slog.LogValuer] without the token's secrets.
func (t Token) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("openid", t.OpenID),
		slog.String("scope", t.Scope),
		slog.Time("expiry", t.Expiry),
		slog.Bool("snapshot_user", t.SnapshotUser),
	)
}

// UserInfo is a person's profile. The person chooses all of it except for the IDs, so
// escape it, and expect emoji. Since October 2021 WeChat sends Sex as 0 and the region
// empty.
type UserInfo struct {
	OpenID, UnionID, Nickname string
	// Sex is 1 for male, 2 for female and 0 for unknown.
	Sex                               int
	Language, City, Province, Country string
	// HeadImgURL is the address of the person's picture. The last part of its path is
	// the size: 0, 46, 64, 96 or 132. The address becomes invalid when the person
	// changes the picture. It comes from outside: a server that fetches it should
	// check the host first.
	HeadImgURL string
	// Privilege lists memberships, such as "chinaunicom".
	Privilege []string
	// Oddities is described at [Token].
	Oddities []string `json:",omitempty"`
}
