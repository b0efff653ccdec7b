package storetest

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/scangate/scangate"
)

func textCases() []userCase {
	return []userCase{
		{"text/openids", "OpenIDs are the same only byte for byte", textOpenIDs},
		{"text/appids", "AppIDs are the same only byte for byte", textAppIDs},
		{"text/unionids", "UnionIDs are the same only byte for byte", textUnionIDs},
		{"text/names", "Nickname and AvatarURL come back as they were given", textNames},
		{"text/long", "identifiers of 255 bytes are kept whole", textLong},
		{"text/odd", "an identifier that a store can't hold is an error or nobody's, and never somebody else's", textOdd},
	}
}

// lookalikes are texts that a database under some collation, or a careless
// query, takes for each other.
func lookalikes() []string {
	return []string{
		"o", "O", "o ", " o", "o\t", "o\n", "o\r\n", "ó", "o\u0301", "ö", "ο", "о", "ｏ", "o\u200b", "o\ufeff",
		"ß", "ss", "SS", "I", "İ", "ı", "i", "0", "00", "0.0", "1e0", "1", "01", "1.0", "null", "NULL", "true",
		`o'`, `o''`, `o"`, "o`", `o\`, `o\\`, `o\'`, "o%", "o_", "o?", "o$1", "o:id", "o;--", "o/*", "{o}", "[o]", "o,o", "o-o", "o:o",
		"\U0001F600", "\U0001F601", "\U0001F468\u200d\U0001F469", "\u4eba", "\u4eba\ufe00",
	}
}

// textPeople registers somebody for each lookalike, whom identity makes of it,
// and demands that each is found as themselves.
func (u *users) textPeople(identity, lookUp func(text string) scangate.Identity) {
	u.Helper()
	people := make(map[string]scangate.User)
	for _, text := range lookalikes() {
		u.byWeChat(scangate.ErrNotFound, lookUp(text))
		people[text] = u.register(nil, scangate.NewUser{Identity: identity(text)})
	}
	for text, want := range people {
		u.same(u.byWeChat(nil, lookUp(text)), want)
	}
}

func textOpenIDs(u *users) {
	openID := func(text string) scangate.Identity { return scangate.Identity{AppID: website, OpenID: text} }
	u.textPeople(openID, openID)
}

func textAppIDs(u *users) {
	appID := func(text string) scangate.Identity { return scangate.Identity{AppID: text, OpenID: "o-everywhere"} }
	u.textPeople(appID, appID)
}

func textUnionIDs(u *users) {
	u.textPeople(
		func(text string) scangate.Identity {
			return scangate.Identity{AppID: website, OpenID: "o-" + text, UnionID: text}
		},
		func(text string) scangate.Identity {
			return scangate.Identity{AppID: official, OpenID: "o-of-nobody", UnionID: text}
		},
	)
}

func textNames(u *users) {
	for i, name := range append(lookalikes(), strings.Repeat("\U0001F468", 64), "  spaces  ") {
		who := stranger(i)
		who.Nickname = name
		who.AvatarURL = "https://thirdwx.qlogo.cn/" + strings.Repeat("a", 1024-25-len(name)) + name
		a := u.register(nil, who)
		if a.Nickname != who.Nickname || a.AvatarURL != who.AvatarURL {
			u.broken("Register returned the name %q for %q", a.Nickname, who.Nickname)
		}
		u.stored(a)
	}
}

func textLong(u *users) {
	for i, last := range []string{"a", "b", "A", " "} {
		long := strings.Repeat("x", 254) + last
		who := scangate.Identity{AppID: long, OpenID: long, UnionID: long}
		a := u.register(nil, scangate.NewUser{Identity: who})
		u.stored(a)
		short := who
		short.OpenID, short.UnionID = long[:254], ""
		if i == 0 {
			u.byWeChat(scangate.ErrNotFound, short)
		}
	}
}

// textOdd allows a store to refuse what it can't hold, as PostgreSQL refuses NUL
// and MySQL cuts what is too long.
func textOdd(u *users) {
	who := ann()
	who.Identity.OpenID = strings.Repeat("x", 255)
	a := u.register(nil, who)
	for i, odd := range []string{"\x00", "\xff", "\xed\xa0\x80", strings.Repeat("x", 300), strings.Repeat("x", 70_000)} {
		near := stranger(i)
		near.Identity.OpenID = who.Identity.OpenID + odd
		if got, err := u.store.FindByWeChat(u.Context(), near.Identity); err == nil {
			u.broken("FindByWeChat returned %s for another OpenID", portrait(got))
		}
		b, err := u.store.Register(u.Context(), near)
		switch {
		case err == nil:
			u.stored(b)
		case errors.Is(err, scangate.ErrIdentityTaken) || errors.Is(err, scangate.ErrPhoneTaken):
			u.broken("Register returned %s for an OpenID that nobody has", outcome(err))
		}
		u.stored(a)
	}
}

func callCases() []userCase {
	return []userCase{
		{"context/canceled", "a method whose context was canceled returns an error that is ctx.Err()", contextCanceled},
		{"context/deadline", "a method whose context's deadline has passed returns an error that is ctx.Err()", contextDeadline},
		{"errors/secrets", "no error's text holds a phone number, an OpenID or a UnionID", errorSecrets},
	}
}

// userCall is what a method returned.
type userCall struct {
	method string
	err    error
}

// calls calls every method with the context, for the user of that id.
func (u *users) calls(ctx context.Context, id string, who scangate.NewUser) []userCall {
	_, byID := u.store.FindByID(ctx, id)
	_, byWeChat := u.store.FindByWeChat(ctx, who.Identity)
	_, byPhone := u.store.FindByPhone(ctx, who.Phone)
	_, byNoPhone := u.store.FindByPhone(ctx, "")
	_, register := u.store.Register(ctx, who)
	return []userCall{
		{"FindByID", byID},
		{"FindByWeChat", byWeChat},
		{"FindByPhone", byPhone},
		{"FindByPhone of none", byNoPhone},
		{"Register", register},
		{"LinkWeChat", u.store.LinkWeChat(ctx, id, who.Identity)},
		{"UnlinkWeChat", u.store.UnlinkWeChat(ctx, id, elsewhere(who.Identity))},
		{"BindPhone", u.store.BindPhone(ctx, id, who.Phone)},
		{"EndSessions", u.store.EndSessions(ctx, id, sessionsEndedAt())},
		{"EndSessions at zero", u.store.EndSessions(ctx, id, time.Time{})},
	}
}

func contextCanceled(u *users) {
	a := u.register(nil, ann())
	ctx, cancel := context.WithCancel(u.Context())
	cancel()
	for _, call := range u.calls(ctx, a.ID, bob()) {
		u.is(call.method, call.err, context.Canceled)
	}
}

func contextDeadline(u *users) {
	a := u.register(nil, ann())
	ctx, cancel := context.WithTimeout(u.Context(), -time.Second)
	defer cancel()
	for _, call := range u.calls(ctx, a.ID, bob()) {
		u.is(call.method, call.err, context.DeadlineExceeded)
	}
}

// errorSecrets makes the store return as many errors as it has.
func errorSecrets(u *users) {
	u.register(nil, ann())
	b := u.register(nil, bob())
	ctx, cancel := context.WithCancel(u.Context())
	cancel()
	phoneOnly, torn, odd := stranger(1), stranger(2), ann()
	phoneOnly.Phone = ann().Phone
	torn.Identity.UnionID = ann().Identity.UnionID
	odd.Identity.OpenID += "\x00\xff" + strings.Repeat("x", 70_000)
	var seen []userCall
	for _, who := range []scangate.NewUser{ann(), phoneOnly, torn, odd} {
		seen = append(seen, u.calls(u.Context(), b.ID, who)...)
		seen = append(seen, u.calls(u.Context(), "nobody", who)...)
		seen = append(seen, u.calls(ctx, b.ID, who)...)
	}
	for _, call := range seen {
		u.keepsSecrets(call)
	}
}

func (u *users) keepsSecrets(call userCall) {
	u.Helper()
	if call.err == nil {
		return
	}
	text := call.err.Error()
	for _, secret := range []string{ann().Phone, ann().Identity.OpenID, ann().Identity.UnionID} {
		if strings.Contains(text, secret) || strings.Contains(text, strings.TrimPrefix(secret, "+")) {
			u.broken("%s returned the error %q", call.method, text)
		}
	}
}
