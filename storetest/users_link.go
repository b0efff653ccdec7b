package storetest

import "github.com/scangate/scangate"

func linkCases() []userCase {
	return []userCase{
		{"link/adds", "LinkWeChat adds the identity to the user", linkAdds},
		{"link/twice", "linking twice is no error, and all is as before", linkTwice},
		{"link/fills in", "a UnionID that was empty is filled in", linkFillsIn},
		{"link/empty unionid", "an empty UnionID given changes nothing", linkEmptyUnionID},
		{"link/one unionid", "the same person has another OpenID and the same UnionID at another account", linkOneUnionID},
		{"link/two unionids", "LinkWeChat refuses another UnionID for the same OpenID alone", linkTwoUnionIDs},
		{"link/openid taken", "LinkWeChat returns ErrIdentityTaken if another user has the (AppID, OpenID)", linkOpenIDTaken},
		{"link/unionid taken", "LinkWeChat returns ErrIdentityTaken if another user has the UnionID", linkUnionIDTaken},
		{"link/filled in taken", "LinkWeChat returns ErrIdentityTaken if another user has the UnionID that it would fill in", linkFilledInTaken},
		{"link/another openid", "LinkWeChat returns ErrIdentityTaken if the user has another OpenID at the same AppID", linkAnotherOpenID},
		{"link/another unionid", "LinkWeChat returns ErrIdentityTaken if the user has another UnionID for the same OpenID", linkAnotherUnionID},
		{"link/unknown", "LinkWeChat returns ErrNotFound if there is no such user", linkUnknown},
	}
}

func linkAdds(u *users) {
	a := u.register(nil, ann())
	b := u.register(nil, bob())
	second := elsewhere(ann().Identity)
	u.link(nil, a.ID, second)
	a.Identities = append(a.Identities, second)
	u.stored(a)
	u.stored(b)
}

func linkTwice(u *users) {
	a := u.register(nil, ann())
	u.link(nil, a.ID, ann().Identity)
	u.link(nil, a.ID, ann().Identity)
	u.stored(a)
}

func linkFillsIn(u *users) {
	who := ann()
	who.Identity = bare(who.Identity)
	a := u.register(nil, who)
	u.byWeChat(scangate.ErrNotFound, elsewhere(ann().Identity))
	u.link(nil, a.ID, ann().Identity)
	a.Identities = []scangate.Identity{ann().Identity}
	u.stored(a)
	u.same(u.byWeChat(nil, elsewhere(ann().Identity)), a)
}

func linkEmptyUnionID(u *users) {
	a := u.register(nil, ann())
	u.link(nil, a.ID, bare(ann().Identity))
	u.stored(a)
	u.same(u.byWeChat(nil, elsewhere(ann().Identity)), a)
}

func linkOneUnionID(u *users) {
	a := u.register(nil, ann())
	u.link(nil, a.ID, elsewhere(bare(ann().Identity)))
	u.link(nil, a.ID, elsewhere(ann().Identity))
	a.Identities = append(a.Identities, elsewhere(ann().Identity))
	u.stored(a)
}

func linkTwoUnionIDs(u *users) {
	a := u.register(nil, ann())
	second := elsewhere(ann().Identity)
	second.UnionID = "u-Ann-of-another-company"
	u.link(nil, a.ID, second)
	a.Identities = append(a.Identities, second)
	u.stored(a)
	for _, unionID := range []string{ann().Identity.UnionID, second.UnionID} {
		u.same(u.byWeChat(nil, scangate.Identity{AppID: "wx-third", OpenID: "o-third", UnionID: unionID}), a)
	}
}

// linkRefused demands that linking who to ann's user ends in ErrIdentityTaken
// and changes nothing of the users given.
func (u *users) linkRefused(id string, who scangate.Identity, unchanged ...scangate.User) {
	u.Helper()
	u.link(scangate.ErrIdentityTaken, id, who)
	for _, user := range unchanged {
		u.stored(user)
	}
}

func linkOpenIDTaken(u *users) {
	a := u.register(nil, ann())
	b := u.register(nil, bob())
	theirs := elsewhere(bob().Identity)
	u.link(nil, b.ID, theirs)
	b.Identities = append(b.Identities, theirs)
	theirs.UnionID = ""
	u.linkRefused(a.ID, theirs, a, b)
	theirs.UnionID = "u-of-nobody"
	u.linkRefused(a.ID, theirs, a, b)
	u.byWeChat(scangate.ErrNotFound, scangate.Identity{AppID: official, OpenID: "o-of-nobody", UnionID: "u-of-nobody"})
}

func linkUnionIDTaken(u *users) {
	a := u.register(nil, ann())
	b := u.register(nil, bob())
	torn := elsewhere(ann().Identity)
	torn.UnionID = bob().Identity.UnionID
	u.linkRefused(a.ID, torn, a, b)
	u.byWeChat(scangate.ErrNotFound, bare(torn))
}

func linkFilledInTaken(u *users) {
	who := ann()
	who.Identity = bare(who.Identity)
	a := u.register(nil, who)
	b := u.register(nil, bob())
	torn := who.Identity
	torn.UnionID = bob().Identity.UnionID
	u.linkRefused(a.ID, torn, a, b)
}

func linkAnotherOpenID(u *users) {
	a := u.register(nil, ann())
	another := ann().Identity
	another.OpenID = "o-Ann-once-more"
	u.linkRefused(a.ID, another, a)
	u.linkRefused(a.ID, bare(another), a)
	another.UnionID = "u-of-nobody"
	u.linkRefused(a.ID, another, a)
	u.byWeChat(scangate.ErrNotFound, another)
}

func linkAnotherUnionID(u *users) {
	a := u.register(nil, ann())
	another := ann().Identity
	another.UnionID = "u-of-nobody"
	u.linkRefused(a.ID, another, a)
	u.byWeChat(scangate.ErrNotFound, elsewhere(another))
}

func linkUnknown(u *users) {
	u.link(scangate.ErrNotFound, "nobody", ann().Identity)
	u.byWeChat(scangate.ErrNotFound, ann().Identity)
}

func unlinkCases() []userCase {
	return []userCase{
		{"unlink/removes", "UnlinkWeChat removes the identity from the user, and nothing else", unlinkRemoves},
		{"unlink/frees", "an identity that was unlinked, and its UnionID, are free for anybody", unlinkFrees},
		{"unlink/last", "a user may be left without an identity", unlinkLast},
		{"unlink/unionid", "UnlinkWeChat goes by (AppID, OpenID), whatever the UnionID", unlinkUnionID},
		{"unlink/keeps unionid", "a UnionID is the user's for as long as one of their identities has it", unlinkKeepsUnionID},
		{"unlink/not linked", "unlinking an identity that the user does not have is no error", unlinkNotLinked},
		{"unlink/another's", "unlinking an identity that another user has changes nothing", unlinkAnothers},
		{"unlink/unknown", "UnlinkWeChat returns ErrNotFound if there is no such user", unlinkUnknown},
	}
}

func unlinkRemoves(u *users) {
	a := u.register(nil, ann())
	second := scangate.Identity{AppID: official, OpenID: "o-Ann-at-the-official-account", UnionID: "u-Ann-of-another-company"}
	u.link(nil, a.ID, second)
	u.unlink(nil, a.ID, second)
	u.byWeChat(scangate.ErrNotFound, second)
	u.stored(a)
}

func unlinkFrees(u *users) {
	a := u.register(nil, ann())
	u.unlink(nil, a.ID, ann().Identity)
	again := ann()
	again.Phone = ""
	b := u.register(nil, again)
	u.stored(b)
	other := bob().Identity
	u.link(nil, a.ID, other)
	u.same(u.byWeChat(nil, other), scangate.User{
		ID: a.ID, Nickname: a.Nickname, AvatarURL: a.AvatarURL, Phone: a.Phone, Identities: []scangate.Identity{other},
	})
}

func unlinkLast(u *users) {
	a := u.register(nil, ann())
	u.unlink(nil, a.ID, ann().Identity)
	a.Identities = nil
	u.stored(a)
}

func unlinkUnionID(u *users) {
	a := u.register(nil, ann())
	u.unlink(nil, a.ID, bare(ann().Identity))
	u.byWeChat(scangate.ErrNotFound, ann().Identity)
	u.link(nil, a.ID, ann().Identity)
	another := ann().Identity
	another.UnionID = "u-of-nobody"
	u.unlink(nil, a.ID, another)
	u.byWeChat(scangate.ErrNotFound, ann().Identity)
}

func unlinkKeepsUnionID(u *users) {
	a := u.register(nil, ann())
	second := elsewhere(ann().Identity)
	u.link(nil, a.ID, second)
	u.unlink(nil, a.ID, ann().Identity)
	a.Identities = []scangate.Identity{second}
	u.stored(a)
	u.same(u.byWeChat(nil, ann().Identity), a)
	u.register(scangate.ErrIdentityTaken, scangate.NewUser{Identity: ann().Identity})
	u.unlink(nil, a.ID, second)
	u.byWeChat(scangate.ErrNotFound, second)
}

func unlinkNotLinked(u *users) {
	a := u.register(nil, ann())
	u.unlink(nil, a.ID, elsewhere(ann().Identity))
	u.unlink(nil, a.ID, scangate.Identity{AppID: website, OpenID: "o-of-nobody"})
	u.stored(a)
}

func unlinkAnothers(u *users) {
	a := u.register(nil, ann())
	b := u.register(nil, bob())
	u.unlink(nil, a.ID, bob().Identity)
	u.stored(a)
	u.stored(b)
}

func unlinkUnknown(u *users) {
	a := u.register(nil, ann())
	u.unlink(scangate.ErrNotFound, "nobody", ann().Identity)
	u.stored(a)
}
