package storetest

import "github.com/scangate/scangate"

// linkCases returns the cases of LinkWeChat.
func linkCases() []userCase {
	return []userCase{
		{"link/adds", "LinkWeChat adds the identity to the user", linkAdds},
		{"link/twice", "linking an identity twice is not an error and changes nothing", linkTwice},
		{"link/fills in", "LinkWeChat fills in a UnionID that was empty", linkFillsIn},
		{"link/empty unionid", "linking an identity again without its UnionID changes nothing", linkEmptyUnionID},
		{"link/one unionid", "a user can have the same UnionID at several accounts", linkOneUnionID},
		{"link/two unionids", "a user can have different UnionIDs at different accounts", linkTwoUnionIDs},
		{"link/openid taken", "LinkWeChat returns ErrIdentityTaken if another user has the (AppID, OpenID)", linkOpenIDTaken},
		{"link/unionid taken", "LinkWeChat returns ErrIdentityTaken if another user has the UnionID", linkUnionIDTaken},
		{"link/filled in taken", "LinkWeChat returns ErrIdentityTaken if another user has the UnionID to fill in", linkFilledInTaken},
		{"link/another openid", "LinkWeChat returns ErrIdentityTaken if the user has another OpenID at the same AppID", linkAnotherOpenID},
		{"link/another unionid", "LinkWeChat returns ErrIdentityTaken if the user has another UnionID for the same OpenID", linkAnotherUnionID},
		{"link/unknown", "LinkWeChat returns ErrNotFound if the user does not exist", linkUnknown},
	}
}

func linkAdds(u *userProbe) {
	ann := u.register(nil, newAnn())
	bob := u.register(nil, newBob())
	second := atOfficial(newAnn().Identity)
	u.link(nil, ann.ID, second)
	ann.Identities = append(ann.Identities, second)
	u.wantStored(ann)
	u.wantStored(bob)
}

func linkTwice(u *userProbe) {
	ann := u.register(nil, newAnn())
	u.link(nil, ann.ID, newAnn().Identity)
	u.link(nil, ann.ID, newAnn().Identity)
	u.wantStored(ann)
}

func linkFillsIn(u *userProbe) {
	newUser := newAnn()
	newUser.Identity = withoutUnionID(newUser.Identity)
	ann := u.register(nil, newUser)
	u.byWeChat(scangate.ErrNotFound, atOfficial(newAnn().Identity))
	u.link(nil, ann.ID, newAnn().Identity)
	ann.Identities = []scangate.Identity{newAnn().Identity}
	u.wantStored(ann)
	// The UnionID now finds the user at every account.
	u.wantUser(u.byWeChat(nil, atOfficial(newAnn().Identity)), ann)
}

func linkEmptyUnionID(u *userProbe) {
	ann := u.register(nil, newAnn())
	u.link(nil, ann.ID, withoutUnionID(newAnn().Identity))
	u.wantStored(ann)
	u.wantUser(u.byWeChat(nil, atOfficial(newAnn().Identity)), ann)
}

func linkOneUnionID(u *userProbe) {
	ann := u.register(nil, newAnn())
	// The UnionID is filled in although another identity of the user has it.
	u.link(nil, ann.ID, atOfficial(withoutUnionID(newAnn().Identity)))
	u.link(nil, ann.ID, atOfficial(newAnn().Identity))
	ann.Identities = append(ann.Identities, atOfficial(newAnn().Identity))
	u.wantStored(ann)
}

func linkTwoUnionIDs(u *userProbe) {
	ann := u.register(nil, newAnn())
	// Accounts of two companies share no UnionID.
	second := atOfficial(newAnn().Identity)
	second.UnionID = "u-Ann-of-another-company"
	u.link(nil, ann.ID, second)
	ann.Identities = append(ann.Identities, second)
	u.wantStored(ann)
	for _, unionID := range []string{newAnn().Identity.UnionID, second.UnionID} {
		u.wantUser(u.byWeChat(nil, scangate.Identity{AppID: "wx-third", OpenID: "o-third", UnionID: unionID}), ann)
	}
}

// wantLinkRefused ends the case unless linking identity to the user with the ID returns
// ErrIdentityTaken and does not change the given users.
func (u *userProbe) wantLinkRefused(id string, identity scangate.Identity, unchanged ...scangate.User) {
	u.Helper()
	u.link(scangate.ErrIdentityTaken, id, identity)
	for _, user := range unchanged {
		u.wantStored(user)
	}
}

func linkOpenIDTaken(u *userProbe) {
	ann := u.register(nil, newAnn())
	bob := u.register(nil, newBob())
	// At an account where Ann has no identity.
	identity := atOfficial(newBob().Identity)
	u.link(nil, bob.ID, identity)
	bob.Identities = append(bob.Identities, identity)
	identity.UnionID = ""
	u.wantLinkRefused(ann.ID, identity, ann, bob)
	identity.UnionID = "u-of-nobody"
	u.wantLinkRefused(ann.ID, identity, ann, bob)
	// The refused UnionID was not stored either.
	u.byWeChat(scangate.ErrNotFound, scangate.Identity{AppID: official, OpenID: "o-of-nobody", UnionID: "u-of-nobody"})
}

func linkUnionIDTaken(u *userProbe) {
	ann := u.register(nil, newAnn())
	bob := u.register(nil, newBob())
	mixed := atOfficial(newAnn().Identity)
	mixed.UnionID = newBob().Identity.UnionID
	u.wantLinkRefused(ann.ID, mixed, ann, bob)
	u.byWeChat(scangate.ErrNotFound, withoutUnionID(mixed))
}

func linkFilledInTaken(u *userProbe) {
	newUser := newAnn()
	newUser.Identity = withoutUnionID(newUser.Identity)
	ann := u.register(nil, newUser)
	bob := u.register(nil, newBob())
	mixed := newUser.Identity
	mixed.UnionID = newBob().Identity.UnionID
	u.wantLinkRefused(ann.ID, mixed, ann, bob)
}

func linkAnotherOpenID(u *userProbe) {
	ann := u.register(nil, newAnn())
	another := newAnn().Identity
	another.OpenID = "o-Ann-once-more"
	// With the user's UnionID, with none and with an unknown one.
	u.wantLinkRefused(ann.ID, another, ann)
	u.wantLinkRefused(ann.ID, withoutUnionID(another), ann)
	another.UnionID = "u-of-nobody"
	u.wantLinkRefused(ann.ID, another, ann)
	u.byWeChat(scangate.ErrNotFound, another)
}

func linkAnotherUnionID(u *userProbe) {
	ann := u.register(nil, newAnn())
	another := newAnn().Identity
	another.UnionID = "u-of-nobody"
	u.wantLinkRefused(ann.ID, another, ann)
	u.byWeChat(scangate.ErrNotFound, atOfficial(another))
}

func linkUnknown(u *userProbe) {
	u.link(scangate.ErrNotFound, "nobody", newAnn().Identity)
	u.byWeChat(scangate.ErrNotFound, newAnn().Identity)
}

// unlinkCases returns the cases of UnlinkWeChat.
func unlinkCases() []userCase {
	return []userCase{
		{"unlink/removes", "UnlinkWeChat removes the identity from the user and nothing else", unlinkRemoves},
		{"unlink/frees", "an unlinked identity and its UnionID are free for any user", unlinkFrees},
		{"unlink/last", "UnlinkWeChat also removes a user's last identity", unlinkLast},
		{"unlink/unionid", "UnlinkWeChat removes the (AppID, OpenID) and ignores the given UnionID", unlinkUnionID},
		{"unlink/keeps unionid", "a user keeps a UnionID as long as one of the user's identities has it", unlinkKeepsUnionID},
		{"unlink/not linked", "unlinking an identity that the user does not have is not an error", unlinkNotLinked},
		{"unlink/another's", "unlinking an identity of another user changes nothing", unlinkAnothers},
		{"unlink/unknown", "UnlinkWeChat returns ErrNotFound if the user does not exist", unlinkUnknown},
	}
}

func unlinkRemoves(u *userProbe) {
	ann := u.register(nil, newAnn())
	second := scangate.Identity{AppID: official, OpenID: "o-Ann-at-the-official-account", UnionID: "u-Ann-of-another-company"}
	u.link(nil, ann.ID, second)
	u.unlink(nil, ann.ID, second)
	u.byWeChat(scangate.ErrNotFound, second)
	u.wantStored(ann)
}

func unlinkFrees(u *userProbe) {
	ann := u.register(nil, newAnn())
	u.unlink(nil, ann.ID, newAnn().Identity)
	// A second user registers with the identity. Ann still has the phone number.
	second := newAnn()
	second.Phone = ""
	u.wantStored(u.register(nil, second))
	// Ann can have another OpenID at the same account now.
	identity := newBob().Identity
	u.link(nil, ann.ID, identity)
	u.wantUser(u.byWeChat(nil, identity), scangate.User{
		ID: ann.ID, Nickname: ann.Nickname, AvatarURL: ann.AvatarURL, Phone: ann.Phone, Identities: []scangate.Identity{identity},
	})
}

func unlinkLast(u *userProbe) {
	ann := u.register(nil, newAnn())
	u.unlink(nil, ann.ID, newAnn().Identity)
	ann.Identities = nil
	u.wantStored(ann)
}

func unlinkUnionID(u *userProbe) {
	ann := u.register(nil, newAnn())
	u.unlink(nil, ann.ID, withoutUnionID(newAnn().Identity))
	// By its UnionID, the identity would still be found if that had stayed.
	u.byWeChat(scangate.ErrNotFound, newAnn().Identity)
	u.link(nil, ann.ID, newAnn().Identity)
	another := newAnn().Identity
	another.UnionID = "u-of-nobody"
	u.unlink(nil, ann.ID, another)
	u.byWeChat(scangate.ErrNotFound, newAnn().Identity)
}

func unlinkKeepsUnionID(u *userProbe) {
	ann := u.register(nil, newAnn())
	second := atOfficial(newAnn().Identity)
	u.link(nil, ann.ID, second)
	u.unlink(nil, ann.ID, newAnn().Identity)
	ann.Identities = []scangate.Identity{second}
	u.wantStored(ann)
	// The unlinked identity still leads to Ann, by its UnionID.
	u.wantUser(u.byWeChat(nil, newAnn().Identity), ann)
	u.register(scangate.ErrIdentityTaken, scangate.NewUser{Identity: newAnn().Identity})
	u.unlink(nil, ann.ID, second)
	u.byWeChat(scangate.ErrNotFound, second)
}

func unlinkNotLinked(u *userProbe) {
	ann := u.register(nil, newAnn())
	// One at another account, and another OpenID at the same account.
	u.unlink(nil, ann.ID, atOfficial(newAnn().Identity))
	u.unlink(nil, ann.ID, scangate.Identity{AppID: website, OpenID: "o-of-nobody"})
	u.wantStored(ann)
}

func unlinkAnothers(u *userProbe) {
	ann := u.register(nil, newAnn())
	bob := u.register(nil, newBob())
	u.unlink(nil, ann.ID, newBob().Identity)
	u.wantStored(ann)
	u.wantStored(bob)
}

func unlinkUnknown(u *userProbe) {
	ann := u.register(nil, newAnn())
	u.unlink(scangate.ErrNotFound, "nobody", newAnn().Identity)
	u.wantStored(ann)
}
