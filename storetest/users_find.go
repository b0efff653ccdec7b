package storetest

import (
	"strings"

	"github.com/scangate/scangate"
)

// findCases returns the cases of FindByID, FindByWeChat and FindByPhone.
func findCases() []userCase {
	return []userCase{
		{"find/id", "FindByID returns the user with the ID", findID},
		{"find/id unknown", "FindByID returns ErrNotFound if no user has the ID", findIDUnknown},
		{"find/openid", "FindByWeChat returns the user with the (AppID, OpenID)", findOpenID},
		{"find/unionid", "FindByWeChat returns the user with the UnionID if no user has the (AppID, OpenID)", findUnionID},
		{"find/openid first", "FindByWeChat returns the user with the (AppID, OpenID) even if another has the UnionID", findOpenIDFirst},
		{"find/empty unionid", "an empty UnionID equals no other", findEmptyUnionID},
		{"find/other AppID", "the same OpenID at another AppID is a different person", findOtherApp},
		{"find/wechat unknown", "FindByWeChat returns ErrNotFound if no user has the identity", findWeChatUnknown},
		{"find/phone", "FindByPhone returns the user with the phone number", findPhone},
		{"find/phone unknown", "FindByPhone returns ErrNotFound if no user has the phone number", findPhoneUnknown},
		{"find/empty phone", "FindByPhone returns ErrNotFound for an empty phone number", findEmptyPhone},
		{"find/identities", "FindByWeChat and FindByPhone return all identities of the user", findIdentities},
		{"find/copies", "a user that a method returns is a copy", findCopies},
	}
}

func findID(u *userProbe) {
	u.register(nil, newBob())
	ann := u.register(nil, newAnn())
	u.wantFields(u.byID(nil, ann.ID), ann)
}

func findIDUnknown(u *userProbe) {
	u.byID(scangate.ErrNotFound, "nobody")
	id := u.register(nil, newAnn()).ID
	// Texts that a database or a careless query takes for the ID: MySQL finds the
	// number 1 by "1x", and with some collations "a" by "A ".
	for _, similar := range []string{
		"", id + " ", " " + id, id + "x", id + "%", id[1:],
		strings.ToUpper(id), strings.ToLower(id), strings.Repeat("_", len(id)), id + "' OR '1'='1",
	} {
		// An ID without letters equals its upper and lower case.
		if similar != id {
			u.byID(scangate.ErrNotFound, similar)
		}
	}
}

func findOpenID(u *userProbe) {
	ann := u.register(nil, newAnn())
	u.register(nil, newBob())
	u.wantUser(u.byWeChat(nil, newAnn().Identity), ann)
	u.wantUser(u.byWeChat(nil, withoutUnionID(newAnn().Identity)), ann)
	// A UnionID that no user has does not matter.
	identity := newAnn().Identity
	identity.UnionID = "u-of-nobody"
	u.wantUser(u.byWeChat(nil, identity), ann)
}

func findUnionID(u *userProbe) {
	ann := u.register(nil, newAnn())
	u.register(nil, newBob())
	u.wantUser(u.byWeChat(nil, atOfficial(newAnn().Identity)), ann)
	// Also at an account where the user has another OpenID.
	identity := newAnn().Identity
	identity.OpenID = "o-of-nobody"
	u.wantUser(u.byWeChat(nil, identity), ann)
}

func findOpenIDFirst(u *userProbe) {
	ann := u.register(nil, newAnn())
	bob := u.register(nil, newBob())
	// Both ways, so that the order in which the users were stored does not decide.
	mixed := newAnn().Identity
	mixed.UnionID = newBob().Identity.UnionID
	u.wantUser(u.byWeChat(nil, mixed), ann)
	mixed = newBob().Identity
	mixed.UnionID = newAnn().Identity.UnionID
	u.wantUser(u.byWeChat(nil, mixed), bob)
}

func findEmptyUnionID(u *userProbe) {
	u.register(nil, newStranger(1))
	u.byWeChat(scangate.ErrNotFound, newStranger(2).Identity)
}

func findOtherApp(u *userProbe) {
	u.register(nil, newAnn())
	identity := withoutUnionID(newAnn().Identity)
	identity.AppID = official
	u.byWeChat(scangate.ErrNotFound, identity)
}

func findWeChatUnknown(u *userProbe) {
	u.byWeChat(scangate.ErrNotFound, newBob().Identity)
	u.register(nil, newAnn())
	u.byWeChat(scangate.ErrNotFound, newBob().Identity)
	u.byWeChat(scangate.ErrNotFound, scangate.Identity{})
}

func findPhone(u *userProbe) {
	u.register(nil, newBob())
	ann := u.register(nil, newAnn())
	u.wantFields(u.byPhone(nil, ann.Phone), ann)
}

func findPhoneUnknown(u *userProbe) {
	u.byPhone(scangate.ErrNotFound, newBob().Phone)
	u.register(nil, newAnn())
	phone := newAnn().Phone
	// Without the plus sign, with another digit, and as a pattern of LIKE.
	for _, similar := range []string{newBob().Phone, phone[1:], phone + "0", phone[:10] + "%"} {
		u.byPhone(scangate.ErrNotFound, similar)
	}
}

func findEmptyPhone(u *userProbe) {
	u.byPhone(scangate.ErrNotFound, "")
	// Also if a user has no number.
	u.register(nil, newStranger(1))
	u.byPhone(scangate.ErrNotFound, "")
}

func findIdentities(u *userProbe) {
	ann := u.register(nil, newAnn())
	second := atOfficial(newAnn().Identity)
	u.link(nil, ann.ID, second)
	ann.Identities = append(ann.Identities, second)
	// By OpenID, by UnionID and by phone number.
	u.wantUser(u.byWeChat(nil, withoutUnionID(newAnn().Identity)), ann)
	u.wantUser(u.byWeChat(nil, scangate.Identity{AppID: "wx-third", OpenID: "o-third", UnionID: second.UnionID}), ann)
	u.wantUser(u.byPhone(nil, ann.Phone), ann)
}

func findCopies(u *userProbe) {
	ann := u.register(nil, newAnn())
	overwrite(ann)
	overwrite(u.byWeChat(nil, newAnn().Identity))
	if !u.lacks.phones {
		overwrite(u.byPhone(nil, ann.Phone))
	}
	ann.Identities = []scangate.Identity{newAnn().Identity}
	u.wantStored(ann)
}

// overwrite changes the identities of a user that a method returned.
func overwrite(user scangate.User) {
	for i := range user.Identities {
		user.Identities[i].OpenID = "overwritten"
	}
}
