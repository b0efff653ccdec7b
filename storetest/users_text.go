package storetest

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/scangate/scangate"
)

// textCases returns the cases about the contents of identifiers and names.
func textCases() []userCase {
	return []userCase{
		{"text/openids", "OpenIDs are compared byte for byte", textOpenIDs},
		{"text/appids", "AppIDs are compared byte for byte", textAppIDs},
		{"text/unionids", "UnionIDs are compared byte for byte", textUnionIDs},
		{"text/names", "Nickname and AvatarURL are returned as they were given", textNames},
		{"text/long", "identifiers of 255 bytes are stored in full", textLong},
		{"text/odd", "an identifier that the store cannot hold is refused or not found, and never taken for another", textOdd},
	}
}

// lookalikes returns texts that some collations or a careless query take for each other.
func lookalikes() []string {
	return []string{
		// Case, white space, accents, other alphabets and invisible characters.
		"o", "O", "o ", " o", "o\t", "o\n", "o\r\n", "ó", "o\u0301", "ö", "ο", "о", "ｏ", "o\u200b", "o\ufeff",
		// Letters with unusual case mappings, and texts that are converted to numbers.
		"ß", "ss", "SS", "I", "İ", "ı", "i", "0", "00", "0.0", "1e0", "1", "01", "1.0", "null", "NULL", "true",
		// Quotes, escapes, wildcards, placeholders, comments and separators.
		`o'`, `o''`, `o"`, "o`", `o\`, `o\\`, `o\'`, "o%", "o_", "o?", "o$1", "o:id", "o;--", "o/*", "{o}", "[o]", "o,o", "o-o", "o:o",
		// Outside of the basic plane, where MySQL's utf8mb3 stores question marks.
		"\U0001F600", "\U0001F601", "\U0001F468\u200d\U0001F469", "\u4eba", "\u4eba\ufe00",
	}
}

// wantDistinct registers a user per lookalike, with the identity that register makes of
// it. It ends the case unless the identity that find makes of it finds only that user.
func (u *userProbe) wantDistinct(register, find func(text string) scangate.Identity) {
	u.Helper()
	users := make(map[string]scangate.User)
	for _, text := range lookalikes() {
		// Not found before it is registered: no earlier one is taken for it.
		u.byWeChat(scangate.ErrNotFound, find(text))
		users[text] = u.register(nil, scangate.NewUser{Identity: register(text)})
	}
	for text, want := range users {
		u.wantUser(u.byWeChat(nil, find(text)), want)
	}
}

func textOpenIDs(u *userProbe) {
	openID := func(text string) scangate.Identity { return scangate.Identity{AppID: website, OpenID: text} }
	u.wantDistinct(openID, openID)
}

func textAppIDs(u *userProbe) {
	appID := func(text string) scangate.Identity { return scangate.Identity{AppID: text, OpenID: "o-everywhere"} }
	u.wantDistinct(appID, appID)
}

func textUnionIDs(u *userProbe) {
	u.wantDistinct(
		func(text string) scangate.Identity {
			return scangate.Identity{AppID: website, OpenID: "o-" + text, UnionID: text}
		},
		func(text string) scangate.Identity {
			// At another account, so that only the UnionID can match.
			return scangate.Identity{AppID: official, OpenID: "o-of-nobody", UnionID: text}
		},
	)
}

func textNames(u *userProbe) {
	for i, name := range append(lookalikes(), strings.Repeat("\U0001F468", 64), "  spaces  ") {
		newUser := newStranger(i)
		newUser.Nickname = name
		// 1024 bytes, the most that a store must hold.
		const host = "https://thirdwx.qlogo.cn/"
		newUser.AvatarURL = host + strings.Repeat("a", 1024-len(host)-len(name)) + name
		user := u.register(nil, newUser)
		newUser = u.lacks.without(newUser)
		if user.Nickname != newUser.Nickname {
			u.broken("Register returned the nickname %q, want %q", user.Nickname, newUser.Nickname)
		}
		if user.AvatarURL != newUser.AvatarURL {
			u.broken("Register returned the avatar URL %q, want %q", user.AvatarURL, newUser.AvatarURL)
		}
		u.wantStored(user)
	}
}

func textLong(u *userProbe) {
	// The identifiers differ in their last byte only.
	for _, last := range []string{"a", "b", "A", " "} {
		long := strings.Repeat("x", 254) + last
		identity := scangate.Identity{AppID: long, OpenID: long, UnionID: long}
		u.wantStored(u.register(nil, scangate.NewUser{Identity: identity}))
		// A store that compares fewer bytes finds the user by fewer.
		short := identity
		short.OpenID, short.UnionID = long[:254], ""
		u.byWeChat(scangate.ErrNotFound, short)
	}
}

func textOdd(u *userProbe) {
	newUser := newAnn()
	newUser.Identity.OpenID = strings.Repeat("x", 255)
	ann := u.register(nil, newUser)
	// PostgreSQL refuses NUL. MySQL in its non-strict mode cuts a text that is too long,
	// which leaves Ann's OpenID.
	for i, odd := range []string{"\x00", "\xff", "\xed\xa0\x80", strings.Repeat("x", 300), strings.Repeat("x", 70_000)} {
		similar := newStranger(i)
		similar.Identity.OpenID = newUser.Identity.OpenID + odd
		if got, err := u.store.FindByWeChat(u.Context(), similar.Identity); err == nil {
			u.broken("FindByWeChat of an unknown OpenID returned the user %s, want an error", format(got))
		}
		// A store that can hold the identifier stores it. Another returns an error of
		// its own.
		second, err := u.store.Register(u.Context(), u.lacks.without(similar))
		switch {
		case err == nil:
			u.wantStored(second)
		case errors.Is(err, scangate.ErrIdentityTaken) || errors.Is(err, scangate.ErrPhoneTaken):
			u.broken("Register of an unknown OpenID returned %s, want no error or another", describe(err))
		}
		u.wantStored(ann)
	}
}

// userCallCases returns the cases that concern every method.
func userCallCases() []userCase {
	return []userCase{
		{"context/canceled", "a method whose context is canceled returns an error that matches ctx.Err()", contextCanceled},
		{"context/deadline", "a method whose deadline has passed returns an error that matches ctx.Err()", contextDeadline},
		{"errors/secrets", "no error contains a phone number, an OpenID or a UnionID", errorSecrets},
	}
}

// userCall is a method and the error that it returned.
type userCall struct {
	method string
	err    error
}

// calls calls every method with ctx, for the user with the ID and the values of newUser.
func (u *userProbe) calls(ctx context.Context, id string, newUser scangate.NewUser) []userCall {
	newUser = u.lacks.without(newUser)
	_, byID := u.store.FindByID(ctx, id)
	_, byWeChat := u.store.FindByWeChat(ctx, newUser.Identity)
	_, byPhone := u.store.FindByPhone(ctx, newUser.Phone)
	// A store may answer these two without a query. The context must count all the same.
	_, byNoPhone := u.store.FindByPhone(ctx, "")
	endAtZero := u.store.EndSessions(ctx, id, time.Time{})
	_, register := u.store.Register(ctx, newUser)
	return []userCall{
		{"FindByID", byID},
		{"FindByWeChat", byWeChat},
		{"FindByPhone", byPhone},
		{"FindByPhone of an empty number", byNoPhone},
		{"Register", register},
		{"LinkWeChat", u.store.LinkWeChat(ctx, id, newUser.Identity)},
		{"UnlinkWeChat", u.store.UnlinkWeChat(ctx, id, atOfficial(newUser.Identity))},
		{"BindPhone", u.store.BindPhone(ctx, id, newUser.Phone)},
		{"EndSessions", u.store.EndSessions(ctx, id, sessionsEndedAt())},
		{"EndSessions at the zero time", endAtZero},
	}
}

func contextCanceled(u *userProbe) {
	ann := u.register(nil, newAnn())
	ctx, cancel := context.WithCancel(u.Context())
	cancel()
	for _, call := range u.calls(ctx, ann.ID, newBob()) {
		u.wantError(call.method, call.err, context.Canceled)
	}
}

func contextDeadline(u *userProbe) {
	ann := u.register(nil, newAnn())
	ctx, cancel := context.WithTimeout(u.Context(), -time.Second)
	defer cancel()
	for _, call := range u.calls(ctx, ann.ID, newBob()) {
		u.wantError(call.method, call.err, context.DeadlineExceeded)
	}
}

func errorSecrets(u *userProbe) {
	u.register(nil, newAnn())
	bob := u.register(nil, newBob())
	ctx, cancel := context.WithCancel(u.Context())
	cancel()
	// Provoke every kind of error: Ann's identity, phone number or UnionID, which are
	// taken, and an OpenID that a store may refuse.
	phoneOnly, unionIDOnly, odd := newStranger(1), newStranger(2), newAnn()
	phoneOnly.Phone = newAnn().Phone
	unionIDOnly.Identity.UnionID = newAnn().Identity.UnionID
	odd.Identity.OpenID += "\x00\xff" + strings.Repeat("x", 70_000)
	var seen []userCall
	for _, newUser := range []scangate.NewUser{newAnn(), phoneOnly, unionIDOnly, odd} {
		seen = append(seen, u.calls(u.Context(), bob.ID, newUser)...)
		seen = append(seen, u.calls(u.Context(), "nobody", newUser)...)
		seen = append(seen, u.calls(ctx, bob.ID, newUser)...)
	}
	for _, call := range seen {
		u.wantNoSecret(call)
	}
}

// wantNoSecret ends the case if an error contains an identifier or Ann's phone number.
func (u *userProbe) wantNoSecret(call userCall) {
	u.Helper()
	if call.err == nil {
		return
	}
	text := call.err.Error()
	for _, secret := range []string{newAnn().Phone, newAnn().Identity.OpenID, newAnn().Identity.UnionID} {
		// The number without its plus sign is as secret.
		if strings.Contains(text, strings.TrimPrefix(secret, "+")) {
			u.broken("%s returned the error %q, want no %q in it", call.method, text, secret)
		}
	}
}
