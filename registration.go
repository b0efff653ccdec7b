package scangate

import (
	"context"
	"errors"
	"strings"
	"unicode"

	"github.com/scangate/scangate/wechat"
)

// Registration says who may become a user.
type Registration string

const (
	// RegisterOpen makes everybody a user whom WeChat vouches for. It is the
	// default.
	RegisterOpen Registration = "open"
	// RegisterByPhone admits only people whose number the store has: they prove
	// it by a one-time code, and their WeChat is linked to that user.
	RegisterByPhone Registration = "phone"
	// RegisterClosed admits nobody new; see [Config.RegisterURL].
	RegisterClosed Registration = "closed"
)

// What can be wrong with a registration.
var (
	errNotRegistered   = errors.New("scangate: not registered")
	errNumberElsewhere = errors.New("scangate: the number is an account's with another WeChat")
	errWeChatElsewhere = errors.New("scangate: the WeChat is another account's")
	errLastIdentity    = errors.New("scangate: the account's last WeChat")
)

// maxNickname bounds a nickname, in characters: WeChat's own limit is lower.
const maxNickname = 64

// askWeChat exchanges a code and returns who that makes the authorizer: an
// identity, the user who has it if there is one, and for somebody new as much
// of a profile as the configuration and the person's consent allow.
func (g *Gate) askWeChat(ctx context.Context, a *attempt, r round, code string) (person, error) {
	client := g.client(a.AppID)
	if client == nil {
		return person{}, errUnknown // the configuration has changed since
	}
	token, err := client.Exchange(ctx, code)
	switch {
	case err != nil:
		return person{}, wechatError("exchanging the code", err)
	case token.SnapshotUser:
		return person{}, errSnapshot
	case a.Person != nil && a.Person.Identity.OpenID != token.OpenID:
		return person{}, errOtherPerson
	}
	who := person{
		Identity: Identity{AppID: a.AppID, OpenID: token.OpenID, UnionID: token.UnionID},
		Asked:    r == roundProfile,
	}
	if g.config.OnLogin != nil {
		who.Token = &token
	}
	if a.Purpose == purposeLink {
		who.UserID = a.For // whoever else it is, is told when they say yes
		return who, nil
	}
	if err := g.recognise(ctx, &who); err != nil || who.UserID != "" {
		return who, err
	}
	return who, g.fetchProfile(ctx, client, token, &who)
}

// fetchProfile completes somebody new by what the token allows to ask.
func (g *Gate) fetchProfile(ctx context.Context, client *wechat.Client, token wechat.Token, who *person) error {
	if !token.HasScope(wechat.ScopeUserInfo) && !token.HasScope(wechat.ScopeLogin) {
		return nil
	}
	who.Asked = true
	if !g.config.FetchProfile {
		return nil
	}
	info, err := client.UserInfo(ctx, token.AccessToken, token.OpenID)
	if err != nil {
		return wechatError("fetching the user info", err)
	}
	who.Profile = &info
	who.Nickname = cleanNickname(info.Nickname)
	who.AvatarURL = cleanAvatarURL(info.HeadImgURL)
	if info.UnionID == who.Identity.UnionID || info.UnionID == "" {
		return nil
	}
	who.Identity.UnionID = info.UnionID
	return g.recognise(ctx, who)
}

// needsProfile reports whether somebody new is to be asked for their user info:
// for a nickname, or since only the unionid in it tells whether they are known
// by the other account.
func (g *Gate) needsProfile(who *person) bool {
	both := g.official != nil && g.website != nil
	return who.UserID == "" && !who.Asked && (g.config.FetchProfile || both && who.Identity.UnionID == "")
}

// recognise is the registration check: it fills in the user who has the
// identity, if there is one, and links what is new of it.
func (g *Gate) recognise(ctx context.Context, who *person) error {
	user, err := g.users.FindByWeChat(ctx, who.Identity)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return wrap("looking an identity up", err)
	}
	who.UserID, who.Nickname, who.Bound = user.ID, cleanNickname(user.Nickname), user.Phone != ""
	if knows(user, who.Identity) {
		return nil
	}
	err = g.users.LinkWeChat(ctx, user.ID, who.Identity)
	if errors.Is(err, ErrIdentityTaken) {
		// The openid is one user's and the unionid another's. The openid decides;
		// nobody merges two people in silence.
		who.conflict = true
		return nil
	}
	return wrap("linking an identity", err)
}

// knows reports whether linking the identity to the user would change nothing.
func knows(user User, who Identity) bool {
	for _, has := range user.Identities {
		if has.AppID == who.AppID && has.OpenID == who.OpenID {
			return who.UnionID == "" || has.UnionID == who.UnionID
		}
	}
	return false
}

// register makes a user of somebody new, or finds who became one just now.
func (g *Gate) register(ctx context.Context, who *person) (id string, isNew bool, err error) {
	if g.config.Registration != RegisterOpen {
		return "", false, errNotRegistered
	}
	user, err := g.users.Register(ctx, who.newUser())
	if errors.Is(err, ErrIdentityTaken) { // by another request, just now
		user, err = g.users.FindByWeChat(ctx, who.Identity)
		return user.ID, false, wrap("looking an identity up", err)
	}
	return user.ID, true, wrap("registering", err)
}

// newUser is the person as a store registers them.
func (p *person) newUser() NewUser {
	return NewUser{Identity: p.Identity, Phone: p.Phone, Nickname: p.Nickname, AvatarURL: p.AvatarURL}
}

// needsPhone reports whether the person is to prove a number.
func (g *Gate) needsPhone(a *attempt) bool {
	who := a.Person
	switch {
	case a.Purpose == purposeLink, who.Bound:
		return false
	case a.Purpose == purposePhone:
		return true
	case who.UserID == "" && g.config.Registration == RegisterByPhone:
		return true
	}
	return g.config.RequirePhone
}

// bindPhone is the phone-binding check: it makes the number that the person has
// proved theirs, and returns the user that this makes them, and what happened.
// Somebody new whose number is a user's already becomes that user, unless that
// one has another WeChat of the same account.
func (g *Gate) bindPhone(ctx context.Context, who *person) (string, EventName, error) {
	if who.UserID != "" {
		err := g.users.BindPhone(ctx, who.UserID, who.Phone)
		if errors.Is(err, ErrPhoneTaken) {
			return "", "", errNumberElsewhere
		}
		return who.UserID, EventBound, wrap("binding a number", err)
	}
	if g.config.Registration == RegisterClosed {
		return "", "", errNotRegistered
	}
	owner, err := g.users.FindByPhone(ctx, who.Phone)
	switch {
	case err == nil:
		return g.linkOwner(ctx, owner, who)
	case !errors.Is(err, ErrNotFound):
		return "", "", wrap("looking a number up", err)
	case g.config.Registration != RegisterOpen:
		return "", "", errNotRegistered
	}
	user, err := g.users.Register(ctx, who.newUser())
	switch {
	case errors.Is(err, ErrPhoneTaken), errors.Is(err, ErrIdentityTaken):
		return g.bindLate(ctx, who)
	case err != nil:
		return "", "", wrap("registering", err)
	}
	return user.ID, EventRegistered, nil
}

// linkOwner makes the person the user who has their number.
func (g *Gate) linkOwner(ctx context.Context, owner User, who *person) (string, EventName, error) {
	err := g.users.LinkWeChat(ctx, owner.ID, who.Identity)
	if errors.Is(err, ErrIdentityTaken) {
		return "", "", errNumberElsewhere
	}
	return owner.ID, EventLinked, wrap("linking an identity", err)
}

// bindLate is bindPhone for somebody whom another request made a user, or whose
// number one gave to a user, just now.
func (g *Gate) bindLate(ctx context.Context, who *person) (string, EventName, error) {
	owner, err := g.users.FindByPhone(ctx, who.Phone)
	if err == nil {
		return g.linkOwner(ctx, owner, who)
	}
	if !errors.Is(err, ErrNotFound) {
		return "", "", wrap("looking a number up", err)
	}
	user, err := g.users.FindByWeChat(ctx, who.Identity)
	if err != nil {
		return "", "", wrap("looking an identity up", err)
	}
	if user.Phone != "" && user.Phone != who.Phone {
		return user.ID, EventBound, nil // the other request's number came first
	}
	return user.ID, EventBound, wrap("binding a number", g.users.BindPhone(ctx, user.ID, who.Phone))
}

// client returns the client of an account, or nil.
func (g *Gate) client(appID string) *wechat.Client {
	for _, c := range []*wechat.Client{g.official, g.website} {
		if c != nil && c.AppID() == appID {
			return c
		}
	}
	return nil
}

// cleanNickname bounds a nickname and takes out what could deceive a reader:
// control characters, and those that turn the writing direction around.
func cleanNickname(s string) string {
	var b strings.Builder
	n := 0
	for _, c := range strings.ToValidUTF8(s, "\uFFFD") {
		if unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) || unicode.Is(unicode.Zl, c) || unicode.Is(unicode.Zp, c) {
			continue
		}
		if n++; n > maxNickname {
			break
		}
		b.WriteRune(c)
	}
	return strings.TrimSpace(b.String())
}

// cleanAvatarURL returns s if it is an https URL of moderate length, http
// rewritten to https, else "".
func cleanAvatarURL(s string) string {
	if rest, ok := strings.CutPrefix(s, "http://"); ok {
		s = "https://" + rest
	}
	if len(s) > 1024 || !strings.HasPrefix(s, "https://") || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return ""
	}
	return s
}
