package storetest

import (
	"strings"

	"github.com/scangate/scangate"
)

func findCases() []userCase {
	return []userCase{
		{"find/id", "FindByID returns the user", findID},
		{"find/id unknown", "FindByID returns ErrNotFound for an ID that nobody has", findIDUnknown},
		{"find/openid", "FindByWeChat returns the user who has the identity (AppID, OpenID)", findOpenID},
		{"find/unionid", "FindByWeChat returns the user who has an identity with that UnionID, if none has the (AppID, OpenID)", findUnionID},
		{"find/openid first", "FindByWeChat returns the user of the (AppID, OpenID), even if another has the UnionID", findOpenIDFirst},
		{"find/empty unionid", "an empty UnionID equals no other", findEmptyUnionID},
		{"find/other AppID", "the same OpenID at another AppID is somebody else", findOtherApp},
		{"find/wechat unknown", "FindByWeChat returns ErrNotFound if nobody has the identity", findWeChatUnknown},
		{"find/phone", "FindByPhone returns the user to whom the number is bound", findPhone},
		{"find/phone unknown", "FindByPhone returns ErrNotFound for a number that nobody has", findPhoneUnknown},
		{"find/empty phone", "an empty number is nobody's", findEmptyPhone},
		{"find/identities", "Identities are the WeChat identities linked to the user, all of them, but in FindByID", findIdentities},
		{"find/copies", "a user that a method returns is a copy", findCopies},
	}
}

func findID(u *users) {
	u.register(nil, bob())
	a := u.register(nil, ann())
	u.alike(u.byID(nil, a.ID), a)
}

// findIDUnknown tries what a database might take for the ID: MySQL finds the
// number 1 by "1x", and an unwise collation "a" by "A ".
func findIDUnknown(u *users) {
	u.byID(scangate.ErrNotFound, "nobody")
	id := u.register(nil, ann()).ID
	for _, near := range []string{
		"", id + " ", " " + id, id + "x", id + "%", id[1:],
		strings.ToUpper(id), strings.ToLower(id), strings.Repeat("_", len(id)), id + "' OR '1'='1",
	} {
		if near != id {
			u.byID(scangate.ErrNotFound, near)
		}
	}
}

func findOpenID(u *users) {
	a := u.register(nil, ann())
	u.register(nil, bob())
	u.same(u.byWeChat(nil, ann().Identity), a)
	u.same(u.byWeChat(nil, bare(ann().Identity)), a)
	unheard := ann().Identity
	unheard.UnionID = "u-of-nobody"
	u.same(u.byWeChat(nil, unheard), a)
}

func findUnionID(u *users) {
	a := u.register(nil, ann())
	u.register(nil, bob())
	u.same(u.byWeChat(nil, elsewhere(ann().Identity)), a)
	another := ann().Identity
	another.OpenID = "o-of-nobody"
	u.same(u.byWeChat(nil, another), a)
}

func findOpenIDFirst(u *users) {
	a := u.register(nil, ann())
	b := u.register(nil, bob())
	torn := ann().Identity
	torn.UnionID = bob().Identity.UnionID
	u.same(u.byWeChat(nil, torn), a)
	torn = bob().Identity
	torn.UnionID = ann().Identity.UnionID
	u.same(u.byWeChat(nil, torn), b)
}

func findEmptyUnionID(u *users) {
	u.register(nil, stranger(1))
	u.byWeChat(scangate.ErrNotFound, stranger(2).Identity)
}

func findOtherApp(u *users) {
	u.register(nil, ann())
	same := bare(ann().Identity)
	same.AppID = official
	u.byWeChat(scangate.ErrNotFound, same)
}

func findWeChatUnknown(u *users) {
	u.byWeChat(scangate.ErrNotFound, bob().Identity)
	u.register(nil, ann())
	u.byWeChat(scangate.ErrNotFound, bob().Identity)
	u.byWeChat(scangate.ErrNotFound, scangate.Identity{})
}

func findPhone(u *users) {
	u.register(nil, bob())
	a := u.register(nil, ann())
	u.alike(u.byPhone(nil, a.Phone), a)
}

func findPhoneUnknown(u *users) {
	u.byPhone(scangate.ErrNotFound, bob().Phone)
	u.register(nil, ann())
	for _, near := range []string{bob().Phone, ann().Phone[1:], ann().Phone + "0", ann().Phone[:10] + "%"} {
		u.byPhone(scangate.ErrNotFound, near)
	}
}

func findEmptyPhone(u *users) {
	u.byPhone(scangate.ErrNotFound, "")
	u.register(nil, stranger(1))
	u.byPhone(scangate.ErrNotFound, "")
}

func findIdentities(u *users) {
	a := u.register(nil, ann())
	second := elsewhere(ann().Identity)
	u.link(nil, a.ID, second)
	a.Identities = append(a.Identities, second)
	u.same(u.byWeChat(nil, bare(ann().Identity)), a)
	u.same(u.byWeChat(nil, scangate.Identity{AppID: "wx-third", OpenID: "o-third", UnionID: second.UnionID}), a)
	u.same(u.byPhone(nil, a.Phone), a)
}

func findCopies(u *users) {
	a := u.register(nil, ann())
	scribble(a)
	scribble(u.byWeChat(nil, ann().Identity))
	scribble(u.byPhone(nil, ann().Phone))
	a.Identities = []scangate.Identity{ann().Identity}
	u.stored(a)
}

// scribble writes over what a method returned.
func scribble(user scangate.User) {
	for i := range user.Identities {
		user.Identities[i].OpenID = "scribbled"
	}
}
