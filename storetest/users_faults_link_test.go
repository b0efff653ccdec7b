package storetest

import (
	"context"
	"errors"
	"slices"

	"github.com/scangate/scangate"
)

// identityAt returns the user's identity at an account, and whether there is one.
func identityAt(ctx context.Context, good scangate.UserStore, id, appID string) (scangate.Identity, bool) {
	user, _ := good.FindByID(ctx, id)
	i := slices.IndexFunc(user.Identities, func(identity scangate.Identity) bool { return identity.AppID == appID })
	if i < 0 {
		return scangate.Identity{}, false
	}
	return user.Identities[i], true
}

func linkFaults() []userFault {
	type store = scangate.UserStore
	type identity = scangate.Identity
	return []userFault{
		faultyLink("linking does nothing", []string{"link/adds", "..."}, func(ctx context.Context, good store, id string, who identity) error {
			if _, ok := identityAt(ctx, good, id, who.AppID); !ok {
				return nil
			}
			return good.LinkWeChat(ctx, id, who)
		}),
		faultyLink("linking twice is refused", []string{"link/twice", "race/unlink"}, func(ctx context.Context, good store, id string, who identity) error {
			if linked, _ := identityAt(ctx, good, id, who.AppID); linked == who {
				return scangate.ErrIdentityTaken
			}
			return good.LinkWeChat(ctx, id, who)
		}),
		faultyLink("another OpenID replaces the first", []string{"link/another openid", "..."}, func(ctx context.Context, good store, id string, who identity) error {
			if linked, ok := identityAt(ctx, good, id, who.AppID); ok && linked.OpenID != who.OpenID {
				_ = good.UnlinkWeChat(ctx, id, linked)
			}
			return good.LinkWeChat(ctx, id, who)
		}),
		faultyLink("linking to an unknown user is not an error", []string{"link/unknown"}, func(ctx context.Context, good store, id string, who identity) error {
			err := good.LinkWeChat(ctx, id, who)
			return cond(errors.Is(err, scangate.ErrNotFound), nil, err)
		}),
	}
}

func linkUnionIDFaults() []userFault {
	type store = scangate.UserStore
	type identity = scangate.Identity
	return []userFault{
		faultyLink("an empty UnionID is not filled in", []string{"link/fills in", "link/one unionid", "race/link unionid"}, func(ctx context.Context, good store, id string, who identity) error {
			linked, _ := identityAt(ctx, good, id, who.AppID)
			if err := good.LinkWeChat(ctx, id, who); err != nil || linked != withoutUnionID(who) {
				return err
			}
			_ = good.UnlinkWeChat(ctx, id, who)
			return good.LinkWeChat(ctx, id, linked)
		}),
		faultyLink("linking without the UnionID erases it", []string{"link/empty unionid"}, func(ctx context.Context, good store, id string, who identity) error {
			if linked, _ := identityAt(ctx, good, id, who.AppID); withoutUnionID(linked) == who {
				_ = good.UnlinkWeChat(ctx, id, who)
			}
			return good.LinkWeChat(ctx, id, who)
		}),
		faultyLink("the user's own UnionID is not filled in", []string{"link/one unionid"}, func(ctx context.Context, good store, id string, who identity) error {
			linked, _ := identityAt(ctx, good, id, who.AppID)
			if owner, err := good.FindByWeChat(ctx, identity{UnionID: who.UnionID}); err == nil && owner.ID == id && linked == withoutUnionID(who) {
				return nil
			}
			return good.LinkWeChat(ctx, id, who)
		}),
		faultyLink("a user has at most one UnionID", []string{"link/two unionids", "unlink/removes"}, func(ctx context.Context, good store, id string, who identity) error {
			linked, _ := identityAt(ctx, good, id, website)
			if linked.UnionID != "" && who.UnionID != "" && linked.UnionID != who.UnionID {
				return scangate.ErrIdentityTaken
			}
			return good.LinkWeChat(ctx, id, who)
		}),
		faultyLink("another UnionID is ignored", []string{"link/another unionid"}, func(ctx context.Context, good store, id string, who identity) error {
			linked, _ := identityAt(ctx, good, id, who.AppID)
			ignore := linked.OpenID == who.OpenID && linked.UnionID != ""
			return good.LinkWeChat(ctx, id, cond(ignore, withoutUnionID(who), who))
		}),
	}
}

func linkTakenFaults() []userFault {
	type store = scangate.UserStore
	type identity = scangate.Identity
	return []userFault{
		faultyLink("linking takes an OpenID from its owner", []string{"link/openid taken", "..."}, func(ctx context.Context, good store, id string, who identity) error {
			if owner, err := good.FindByWeChat(ctx, withoutUnionID(who)); err == nil && owner.ID != id {
				_ = good.UnlinkWeChat(ctx, owner.ID, who)
			}
			return good.LinkWeChat(ctx, id, who)
		}),
		faultyLink("a taken UnionID is left out", []string{"link/unionid taken"}, func(ctx context.Context, good store, id string, who identity) error {
			_, linked := identityAt(ctx, good, id, who.AppID)
			err := good.LinkWeChat(ctx, id, who)
			if errors.Is(err, scangate.ErrIdentityTaken) && !linked {
				return good.LinkWeChat(ctx, id, withoutUnionID(who))
			}
			return err
		}),
		faultyLink("a taken UnionID is silently not filled in", []string{"link/filled in taken", "race/link unionid"}, func(ctx context.Context, good store, id string, who identity) error {
			linked, _ := identityAt(ctx, good, id, who.AppID)
			err := good.LinkWeChat(ctx, id, who)
			return cond(linked == withoutUnionID(who), nil, err)
		}),
	}
}

func unlinkFaults() []userFault {
	type store = scangate.UserStore
	type identity = scangate.Identity
	return []userFault{
		faultyUnlink("unlinking removes every identity", []string{"unlink/removes", "..."}, func(ctx context.Context, good store, id string, _ identity) error {
			user, err := good.FindByID(ctx, id)
			for _, linked := range user.Identities {
				_ = good.UnlinkWeChat(ctx, id, linked)
			}
			return err
		}),
		{"an unlinked identity stays taken", []string{"unlink/frees"}, func(s *faultyUsers, good store) {
			var unlinked memory[identity, bool]
			s.unlink = func(ctx context.Context, id string, who identity) error {
				unlinked.put(who, true)
				return good.UnlinkWeChat(ctx, id, who)
			}
			s.register = func(ctx context.Context, newUser scangate.NewUser) (scangate.User, error) {
				if unlinked.get(newUser.Identity) && newUser.Nickname != "" {
					return scangate.User{}, scangate.ErrIdentityTaken
				}
				return good.Register(ctx, newUser)
			}
		}},
		faultyUnlink("the last identity stays", []string{"unlink/last", "unlink/frees", "unlink/unionid", "unlink/keeps unionid", "..."}, func(ctx context.Context, good store, id string, who identity) error {
			if user, err := good.FindByID(ctx, id); err == nil && len(user.Identities) == 1 && withoutUnionID(user.Identities[0]) == withoutUnionID(who) {
				return nil
			}
			return good.UnlinkWeChat(ctx, id, who)
		}),
		faultyUnlink("unlinking an identity that is not linked is an error", []string{"unlink/not linked", "unlink/another's", "race/unlink"}, func(ctx context.Context, good store, id string, who identity) error {
			if linked, _ := identityAt(ctx, good, id, who.AppID); ctx.Err() == nil && withoutUnionID(linked) != withoutUnionID(who) {
				return scangate.ErrNotFound
			}
			return good.UnlinkWeChat(ctx, id, who)
		}),
		faultyUnlink("unlinking ignores the owner", []string{"unlink/another's"}, func(ctx context.Context, good store, id string, who identity) error {
			owner, err := good.FindByWeChat(ctx, withoutUnionID(who))
			if _, unknown := good.FindByID(ctx, id); err != nil || unknown != nil {
				return good.UnlinkWeChat(ctx, id, who)
			}
			return good.UnlinkWeChat(ctx, owner.ID, who)
		}),
		faultyUnlink("unlinking from an unknown user is not an error", []string{"unlink/unknown"}, func(ctx context.Context, good store, id string, who identity) error {
			err := good.UnlinkWeChat(ctx, id, who)
			return cond(errors.Is(err, scangate.ErrNotFound), nil, err)
		}),
	}
}

func unlinkUnionIDFaults() []userFault {
	type store = scangate.UserStore
	type identity = scangate.Identity
	return []userFault{
		faultyUnlink("unlinking compares the UnionID too", []string{"unlink/unionid"}, func(ctx context.Context, good store, id string, who identity) error {
			if linked, ok := identityAt(ctx, good, id, who.AppID); ok && linked != who {
				return nil
			}
			return good.UnlinkWeChat(ctx, id, who)
		}),
		{"unlinking always frees the UnionID", []string{"unlink/keeps unionid"}, func(s *faultyUsers, good store) {
			var freed memory[string, bool]
			s.unlink = func(ctx context.Context, id string, who identity) error {
				freed.put(who.UnionID, who.AppID == website)
				return good.UnlinkWeChat(ctx, id, who)
			}
			s.findByWeChat = func(ctx context.Context, who identity) (scangate.User, error) {
				return good.FindByWeChat(ctx, cond(freed.get(who.UnionID) && who.AppID == website, withoutUnionID(who), who))
			}
		}},
	}
}
