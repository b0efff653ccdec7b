package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/scangate/scangate"
)

func registerFaults() []userFault {
	return []userFault{
		{"new users are signed out", []string{"register/user"}, func(s *faultyUsers, good scangate.UserStore) {
			s.register = func(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
				user, err := good.Register(ctx, who)
				user.SessionsEndedAt = user.SessionsEndedAt.Add(1)
				return user, err
			}
		}},
		{"one user may be without a unionid", []string{"register/empty", "..."}, func(s *faultyUsers, good scangate.UserStore) {
			var one atomic.Bool
			s.register = func(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
				if who.Identity.UnionID == "" && one.Swap(true) {
					return scangate.User{}, scangate.ErrIdentityTaken
				}
				return good.Register(ctx, who)
			}
		}},
		{"an ID is given again", []string{"register/ids", "text/names", "..."}, func(s *faultyUsers, good scangate.UserStore) {
			var n atomic.Int32
			s.register = func(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
				user, err := good.Register(ctx, who)
				user.ID = cond(err == nil && n.Add(1) >= 40, "40", user.ID)
				return user, err
			}
		}},
		{"an OpenID is one user's at all accounts", []string{"register/other AppID"}, func(s *faultyUsers, good scangate.UserStore) {
			s.register = func(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
				at := scangate.Identity{AppID: website, OpenID: who.Identity.OpenID}
				if _, err := good.FindByWeChat(ctx, at); err == nil {
					return scangate.User{}, scangate.ErrIdentityTaken
				}
				return good.Register(ctx, who)
			}
		}},
		{"an OpenID is overwritten", []string{"register/openid taken", "register/both taken", "register/identity refused", "..."}, func(s *faultyUsers, good scangate.UserStore) {
			s.register = func(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
				if owner, err := good.FindByWeChat(ctx, bare(who.Identity)); err == nil {
					return owner, good.LinkWeChat(ctx, owner.ID, bare(who.Identity))
				}
				return good.Register(ctx, who)
			}
		}},
		{"a unionid may be two users'", []string{"register/unionid taken", "unlink/keeps unionid", "race/register unionid"}, func(s *faultyUsers, good scangate.UserStore) {
			s.register = func(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
				user, err := good.Register(ctx, who)
				if errors.Is(err, scangate.ErrIdentityTaken) {
					who.Identity.UnionID = ""
					return good.Register(ctx, who)
				}
				return user, err
			}
		}},
		{"a number that is taken is left out", []string{"register/phone taken", "register/phone refused", "race/register phone", "race/bind and register"}, func(s *faultyUsers, good scangate.UserStore) {
			s.register = func(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
				user, err := good.Register(ctx, who)
				if errors.Is(err, scangate.ErrPhoneTaken) {
					who.Phone = ""
					return good.Register(ctx, who)
				}
				return user, err
			}
		}},
		{"two things taken are a failure", []string{"register/both taken"}, func(s *faultyUsers, good scangate.UserStore) {
			s.register = func(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
				a, err := good.FindByPhone(ctx, who.Phone)
				b, err2 := good.FindByWeChat(ctx, who.Identity)
				if err == nil && err2 == nil && a.ID == b.ID {
					return scangate.User{}, errFault
				}
				return good.Register(ctx, who)
			}
		}},
		{"the number stays of who was refused for the identity", []string{"register/identity refused"}, func(s *faultyUsers, good scangate.UserStore) {
			s.register = func(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
				user, err := good.Register(ctx, who)
				if errors.Is(err, scangate.ErrIdentityTaken) && who.Phone != "" {
					who.Identity = scangate.Identity{AppID: "wx-none", OpenID: "o-none"}
					_, _ = good.Register(ctx, who)
				}
				return user, err
			}
		}},
		{"the identity stays of who was refused for the number", []string{"register/phone refused", "race/register phone"}, func(s *faultyUsers, good scangate.UserStore) {
			s.register = func(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
				user, err := good.Register(ctx, who)
				if errors.Is(err, scangate.ErrPhoneTaken) {
					who.Phone = ""
					_, _ = good.Register(ctx, who)
				}
				return user, err
			}
		}},
	}
}

func findFaults() []userFault {
	return []userFault{
		{"FindByID knows no names", []string{"find/id", "..."}, func(s *faultyUsers, good scangate.UserStore) {
			s.findByID = func(ctx context.Context, id string) (scangate.User, error) {
				user, err := good.FindByID(ctx, id)
				user.Nickname = ""
				return user, err
			}
		}},
		{"an ID is padded", []string{"find/id unknown"}, func(s *faultyUsers, good scangate.UserStore) {
			s.findByID = func(ctx context.Context, id string) (scangate.User, error) {
				return good.FindByID(ctx, strings.TrimRight(id, " "))
			}
		}},
		{"who is found by openid must have the unionid", []string{"find/openid"}, func(s *faultyUsers, good scangate.UserStore) {
			s.findByWeChat = func(ctx context.Context, who scangate.Identity) (scangate.User, error) {
				user, err := good.FindByWeChat(ctx, who)
				if who.UnionID == "u-of-nobody" {
					return scangate.User{}, scangate.ErrNotFound
				}
				return user, err
			}
		}},
		{"the unionid does not count", []string{"find/unionid", "..."}, func(s *faultyUsers, good scangate.UserStore) {
			s.findByWeChat = func(ctx context.Context, who scangate.Identity) (scangate.User, error) {
				return good.FindByWeChat(ctx, bare(who))
			}
		}},
		{"the unionid goes first", []string{"find/openid first"}, func(s *faultyUsers, good scangate.UserStore) {
			s.findByWeChat = func(ctx context.Context, who scangate.Identity) (scangate.User, error) {
				user, err := good.FindByWeChat(ctx, scangate.Identity{UnionID: who.UnionID})
				if err != nil {
					return good.FindByWeChat(ctx, who)
				}
				return user, nil
			}
		}},
		{"who has no unionid is the other who has none", []string{"find/empty unionid"}, func(s *faultyUsers, good scangate.UserStore) {
			s.findByWeChat = func(ctx context.Context, who scangate.Identity) (scangate.User, error) {
				user, err := good.FindByWeChat(ctx, who)
				other, _ := good.FindByWeChat(ctx, stranger(1).Identity)
				if who == stranger(2).Identity && errors.Is(err, scangate.ErrNotFound) && other.Phone == "" && slices.Contains(other.Identities, stranger(1).Identity) {
					return other, nil
				}
				return user, err
			}
		}},
		{"an OpenID counts at any account", []string{"find/other AppID"}, func(s *faultyUsers, good scangate.UserStore) {
			s.findByWeChat = func(ctx context.Context, who scangate.Identity) (scangate.User, error) {
				user, err := good.FindByWeChat(ctx, who)
				if errors.Is(err, scangate.ErrNotFound) {
					who.AppID = website
					return good.FindByWeChat(ctx, who)
				}
				return user, err
			}
		}},
		{"nobody is a user", []string{"find/wechat unknown"}, func(s *faultyUsers, good scangate.UserStore) {
			s.findByWeChat = func(ctx context.Context, who scangate.Identity) (scangate.User, error) {
				if who == (scangate.Identity{}) {
					return scangate.User{}, nil
				}
				return good.FindByWeChat(ctx, who)
			}
		}},
		{"FindByPhone knows no names", []string{"find/phone", "..."}, func(s *faultyUsers, good scangate.UserStore) {
			s.findByPhone = func(ctx context.Context, phone string) (scangate.User, error) {
				user, err := good.FindByPhone(ctx, phone)
				user.Nickname = ""
				return user, err
			}
		}},
		{"a number is found by its digits", []string{"find/phone unknown"}, func(s *faultyUsers, good scangate.UserStore) {
			s.findByPhone = func(ctx context.Context, phone string) (scangate.User, error) {
				if phone != "" && phone[0] != '+' {
					phone = "+" + phone
				}
				return good.FindByPhone(ctx, phone)
			}
		}},
		{"who has no number is found by none", []string{"find/empty phone"}, func(s *faultyUsers, good scangate.UserStore) {
			s.findByPhone = func(ctx context.Context, phone string) (scangate.User, error) {
				if phone == "" {
					return good.FindByWeChat(ctx, stranger(1).Identity)
				}
				return good.FindByPhone(ctx, phone)
			}
		}},
		{"FindByPhone leaves the identities out", []string{"find/identities", "..."}, func(s *faultyUsers, good scangate.UserStore) {
			s.findByPhone = func(ctx context.Context, phone string) (scangate.User, error) {
				user, err := good.FindByPhone(ctx, phone)
				user.Identities = nil
				return user, err
			}
		}},
		{"FindByPhone returns what it keeps", []string{"find/copies"}, func(s *faultyUsers, good scangate.UserStore) {
			var kept memory[string, scangate.User]
			s.findByPhone = func(ctx context.Context, phone string) (scangate.User, error) {
				user, err := good.FindByPhone(ctx, phone)
				last := kept.get(phone)
				if len(last.Identities) > 0 && last.Identities[0].OpenID == "scribbled" {
					return last, nil
				}
				kept.put(phone, user)
				return user, err
			}
		}},
	}
}

// linkFault is a fault of LinkWeChat alone.
func linkFault(name string, fails []string, link func(ctx context.Context, good scangate.UserStore, id string, who scangate.Identity) error) userFault {
	return userFault{name, fails, func(s *faultyUsers, good scangate.UserStore) {
		s.link = func(ctx context.Context, id string, who scangate.Identity) error { return link(ctx, good, id, who) }
	}}
}

// at returns the user's identity at an account.
func at(ctx context.Context, good scangate.UserStore, id, appID string) (scangate.Identity, bool) {
	user, _ := good.FindByID(ctx, id)
	i := slices.IndexFunc(user.Identities, func(who scangate.Identity) bool { return who.AppID == appID })
	if i < 0 {
		return scangate.Identity{}, false
	}
	return user.Identities[i], true
}

func linkFaults() []userFault {
	type store = scangate.UserStore
	type identity = scangate.Identity
	return []userFault{
		linkFault("linking adds nothing", []string{"link/adds", "..."}, func(ctx context.Context, good store, id string, who identity) error {
			if _, ok := at(ctx, good, id, who.AppID); !ok {
				return nil
			}
			return good.LinkWeChat(ctx, id, who)
		}),
		linkFault("linking twice is refused", []string{"link/twice", "race/unlink"}, func(ctx context.Context, good store, id string, who identity) error {
			if has, _ := at(ctx, good, id, who.AppID); has == who {
				return scangate.ErrIdentityTaken
			}
			return good.LinkWeChat(ctx, id, who)
		}),
		linkFault("no unionid is filled in", []string{"link/fills in", "link/one unionid", "race/link unionid"}, func(ctx context.Context, good store, id string, who identity) error {
			has, _ := at(ctx, good, id, who.AppID)
			if err := good.LinkWeChat(ctx, id, who); err != nil || has != bare(who) {
				return err
			}
			_ = good.UnlinkWeChat(ctx, id, who)
			return good.LinkWeChat(ctx, id, has)
		}),
		linkFault("an empty unionid erases", []string{"link/empty unionid"}, func(ctx context.Context, good store, id string, who identity) error {
			if has, _ := at(ctx, good, id, who.AppID); bare(has) == who {
				_ = good.UnlinkWeChat(ctx, id, who)
			}
			return good.LinkWeChat(ctx, id, who)
		}),
		linkFault("a unionid that the user has is not filled in", []string{"link/one unionid"}, func(ctx context.Context, good store, id string, who identity) error {
			has, _ := at(ctx, good, id, who.AppID)
			if owner, err := good.FindByWeChat(ctx, identity{UnionID: who.UnionID}); err == nil && owner.ID == id && has == bare(who) {
				return nil
			}
			return good.LinkWeChat(ctx, id, who)
		}),
		linkFault("a user has one unionid", []string{"link/two unionids", "unlink/removes"}, func(ctx context.Context, good store, id string, who identity) error {
			has, _ := at(ctx, good, id, website)
			if has.UnionID != "" && who.UnionID != "" && has.UnionID != who.UnionID {
				return scangate.ErrIdentityTaken
			}
			return good.LinkWeChat(ctx, id, who)
		}),
		linkFault("an OpenID goes to who asks last", []string{"link/openid taken", "..."}, func(ctx context.Context, good store, id string, who identity) error {
			if owner, err := good.FindByWeChat(ctx, bare(who)); err == nil && owner.ID != id {
				_ = good.UnlinkWeChat(ctx, owner.ID, who)
			}
			return good.LinkWeChat(ctx, id, who)
		}),
		linkFault("another's unionid is left out", []string{"link/unionid taken"}, func(ctx context.Context, good store, id string, who identity) error {
			_, has := at(ctx, good, id, who.AppID)
			err := good.LinkWeChat(ctx, id, who)
			if errors.Is(err, scangate.ErrIdentityTaken) && !has {
				return good.LinkWeChat(ctx, id, bare(who))
			}
			return err
		}),
		linkFault("another's unionid is not filled in", []string{"link/filled in taken", "race/link unionid"}, func(ctx context.Context, good store, id string, who identity) error {
			has, _ := at(ctx, good, id, who.AppID)
			err := good.LinkWeChat(ctx, id, who)
			return cond(has == bare(who), nil, err)
		}),
		linkFault("another OpenID takes the place of the first", []string{"link/another openid", "..."}, func(ctx context.Context, good store, id string, who identity) error {
			if has, ok := at(ctx, good, id, who.AppID); ok && has.OpenID != who.OpenID {
				_ = good.UnlinkWeChat(ctx, id, has)
			}
			return good.LinkWeChat(ctx, id, who)
		}),
		linkFault("another unionid is ignored", []string{"link/another unionid"}, func(ctx context.Context, good store, id string, who identity) error {
			has, _ := at(ctx, good, id, who.AppID)
			return good.LinkWeChat(ctx, id, cond(has.OpenID == who.OpenID && has.UnionID != "", bare(who), who))
		}),
		linkFault("linking to nobody is no error", []string{"link/unknown"}, func(ctx context.Context, good store, id string, who identity) error {
			err := good.LinkWeChat(ctx, id, who)
			return cond(errors.Is(err, scangate.ErrNotFound), nil, err)
		}),
	}
}

// cond returns yes or no.
func cond[T any](ok bool, yes, no T) T {
	if ok {
		return yes
	}
	return no
}

func unlinkFaults() []userFault {
	type store = scangate.UserStore
	type identity = scangate.Identity
	unlinkFault := func(name string, fails []string, unlink func(ctx context.Context, good store, id string, who identity) error) userFault {
		return userFault{name, fails, func(s *faultyUsers, good store) {
			s.unlink = func(ctx context.Context, id string, who identity) error { return unlink(ctx, good, id, who) }
		}}
	}
	return []userFault{
		unlinkFault("unlinking takes the others along", []string{"unlink/removes", "..."}, func(ctx context.Context, good store, id string, who identity) error {
			user, err := good.FindByID(ctx, id)
			for _, has := range user.Identities {
				_ = good.UnlinkWeChat(ctx, id, has)
			}
			return err
		}),
		{"what was unlinked stays taken", []string{"unlink/frees"}, func(s *faultyUsers, good store) {
			var buried memory[identity, bool]
			s.unlink = func(ctx context.Context, id string, who identity) error {
				buried.put(who, true)
				return good.UnlinkWeChat(ctx, id, who)
			}
			s.register = func(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
				if buried.get(who.Identity) && who.Nickname != "" {
					return scangate.User{}, scangate.ErrIdentityTaken
				}
				return good.Register(ctx, who)
			}
		}},
		unlinkFault("the last identity stays", []string{"unlink/last", "unlink/frees", "unlink/unionid", "unlink/keeps unionid", "..."}, func(ctx context.Context, good store, id string, who identity) error {
			if user, err := good.FindByID(ctx, id); err == nil && len(user.Identities) == 1 && bare(user.Identities[0]) == bare(who) {
				return nil
			}
			return good.UnlinkWeChat(ctx, id, who)
		}),
		unlinkFault("unlinking goes by the unionid too", []string{"unlink/unionid"}, func(ctx context.Context, good store, id string, who identity) error {
			if has, ok := at(ctx, good, id, who.AppID); ok && has != who {
				return nil
			}
			return good.UnlinkWeChat(ctx, id, who)
		}),
		{"unlinking forgets the unionid", []string{"unlink/keeps unionid"}, func(s *faultyUsers, good store) {
			var forgotten memory[string, bool]
			s.unlink = func(ctx context.Context, id string, who identity) error {
				forgotten.put(who.UnionID, who.AppID == website)
				return good.UnlinkWeChat(ctx, id, who)
			}
			s.findByWeChat = func(ctx context.Context, who identity) (scangate.User, error) {
				return good.FindByWeChat(ctx, cond(forgotten.get(who.UnionID) && who.AppID == website, bare(who), who))
			}
		}},
		unlinkFault("unlinking what the user has not is not found", []string{"unlink/not linked", "unlink/another's", "race/unlink"}, func(ctx context.Context, good store, id string, who identity) error {
			if has, _ := at(ctx, good, id, who.AppID); ctx.Err() == nil && bare(has) != bare(who) {
				return scangate.ErrNotFound
			}
			return good.UnlinkWeChat(ctx, id, who)
		}),
		unlinkFault("unlinking asks not whose it is", []string{"unlink/another's"}, func(ctx context.Context, good store, id string, who identity) error {
			owner, err := good.FindByWeChat(ctx, bare(who))
			if _, unknown := good.FindByID(ctx, id); err != nil || unknown != nil {
				return good.UnlinkWeChat(ctx, id, who)
			}
			return good.UnlinkWeChat(ctx, owner.ID, who)
		}),
		unlinkFault("unlinking from nobody is no error", []string{"unlink/unknown"}, func(ctx context.Context, good store, id string, who identity) error {
			err := good.UnlinkWeChat(ctx, id, who)
			return cond(errors.Is(err, scangate.ErrNotFound), nil, err)
		}),
	}
}

func phoneFaults() []userFault {
	type store = scangate.UserStore
	bindFault := func(name string, fails []string, bind func(ctx context.Context, good store, id, phone string) error) userFault {
		return userFault{name, fails, func(s *faultyUsers, good store) {
			s.bindPhone = func(ctx context.Context, id, phone string) error { return bind(ctx, good, id, phone) }
		}}
	}
	signOutFault := func(name string, fails []string, endSessions func(ctx context.Context, good store, id string, before time.Time) error) userFault {
		return userFault{name, fails, func(s *faultyUsers, good store) {
			s.endSessions = func(ctx context.Context, id string, before time.Time) error {
				return endSessions(ctx, good, id, before)
			}
		}}
	}
	return []userFault{
		bindFault("a first number is not bound", []string{"phone/sets", "..."}, func(ctx context.Context, good store, id, phone string) error {
			if user, err := good.FindByID(ctx, id); err == nil && user.Phone == "" {
				return nil
			}
			return good.BindPhone(ctx, id, phone)
		}),
		{"an earlier number still finds", []string{"phone/replaces", "phone/empty", "..."}, func(s *faultyUsers, good store) {
			var earlier memory[string, string]
			s.bindPhone = func(ctx context.Context, id, phone string) error {
				user, _ := good.FindByID(ctx, id)
				earlier.put(user.Phone, id)
				return good.BindPhone(ctx, id, phone)
			}
			s.findByPhone = func(ctx context.Context, phone string) (scangate.User, error) {
				user, err := good.FindByPhone(ctx, phone)
				if id := earlier.get(phone); errors.Is(err, scangate.ErrNotFound) && id != "" {
					return good.FindByID(ctx, id)
				}
				return user, err
			}
		}},
		bindFault("no number can be taken away", []string{"phone/empty", "phone/all empty"}, func(ctx context.Context, good store, id, phone string) error {
			if _, err := good.FindByID(ctx, id); err == nil && phone == "" {
				return nil
			}
			return good.BindPhone(ctx, id, phone)
		}),
		{"one user may be without a number", []string{"phone/all empty"}, func(s *faultyUsers, good store) {
			var one memory[string, string]
			s.bindPhone = func(ctx context.Context, id, phone string) error {
				if _, err := good.FindByID(ctx, id); phone == "" && err == nil {
					if one.get("") != "" && one.get("") != id {
						return scangate.ErrPhoneTaken
					}
					one.put("", id)
				}
				return good.BindPhone(ctx, id, phone)
			}
		}},
		bindFault("a number is the user's own already", []string{"phone/again"}, func(ctx context.Context, good store, id, phone string) error {
			if user, err := good.FindByID(ctx, id); err == nil && user.Phone == phone && phone != "" {
				return scangate.ErrPhoneTaken
			}
			return good.BindPhone(ctx, id, phone)
		}),
		bindFault("a number goes to who asks last", []string{"phone/taken", "..."}, func(ctx context.Context, good store, id, phone string) error {
			if owner, err := good.FindByPhone(ctx, phone); err == nil && owner.ID != id {
				_ = good.BindPhone(ctx, owner.ID, "")
			}
			return good.BindPhone(ctx, id, phone)
		}),
		bindFault("binding to nobody is no error", []string{"phone/unknown"}, func(ctx context.Context, good store, id, phone string) error {
			err := good.BindPhone(ctx, id, phone)
			return cond(errors.Is(err, scangate.ErrNotFound), nil, err)
		}),
		signOutFault("SessionsEndedAt is in milliseconds", []string{"end sessions/keeps", "end sessions/later", "end sessions/earlier", "race/end sessions"}, func(ctx context.Context, good store, id string, before time.Time) error {
			return good.EndSessions(ctx, id, before.Truncate(time.Millisecond))
		}),
		signOutFault("the first SessionsEndedAt stays", []string{"end sessions/later", "..."}, func(ctx context.Context, good store, id string, before time.Time) error {
			if user, err := good.FindByID(ctx, id); err == nil && !user.SessionsEndedAt.IsZero() {
				return nil
			}
			return good.EndSessions(ctx, id, before)
		}),
		{"the last SessionsEndedAt stays", []string{"end sessions/earlier", "..."}, func(s *faultyUsers, good store) {
			var last memory[string, time.Time]
			s.endSessions = func(ctx context.Context, id string, before time.Time) error {
				last.put(id, cond(before.IsZero(), last.get(id), before))
				return good.EndSessions(ctx, id, before)
			}
			s.findByID = func(ctx context.Context, id string) (scangate.User, error) {
				user, err := good.FindByID(ctx, id)
				user.SessionsEndedAt = last.get(id)
				return user, err
			}
		}},
		signOutFault("the zero time is now", []string{"end sessions/zero"}, func(ctx context.Context, good store, id string, before time.Time) error {
			return good.EndSessions(ctx, id, cond(before.IsZero(), time.Now(), before))
		}),
		signOutFault("a SessionsEndedAt before 1970 is none", []string{"end sessions/zero"}, func(ctx context.Context, good store, id string, before time.Time) error {
			return good.EndSessions(ctx, id, cond(before.Unix() < 0, time.Time{}, before))
		}),
		signOutFault("signing nobody out is no error", []string{"end sessions/unknown"}, func(ctx context.Context, good store, id string, before time.Time) error {
			err := good.EndSessions(ctx, id, before)
			return cond(errors.Is(err, scangate.ErrNotFound), nil, err)
		}),
	}
}

func textFaults() []userFault {
	type identity = scangate.Identity
	// A find fault tries again, after a miss, with what the identity is near to.
	find := func(name string, fails []string, near func(identity) identity) userFault {
		return userFault{name, fails, func(s *faultyUsers, good scangate.UserStore) {
			s.findByWeChat = func(ctx context.Context, who identity) (scangate.User, error) {
				user, err := good.FindByWeChat(ctx, who)
				if errors.Is(err, scangate.ErrNotFound) && who != near(who) {
					return good.FindByWeChat(ctx, near(who))
				}
				return user, err
			}
		}}
	}
	cut := func(s string) string { return s[:min(len(s), 254)] }
	return []userFault{
		find("OpenIDs have no case", []string{"text/openids"}, func(who identity) identity {
			return identity{AppID: who.AppID, OpenID: strings.ToLower(who.OpenID)}
		}),
		find("AppIDs are padded", []string{"text/appids"}, func(who identity) identity {
			return identity{AppID: strings.TrimRight(who.AppID, " "), OpenID: who.OpenID}
		}),
		find("UnionIDs outside the basic plane are one", []string{"text/unionids"}, func(who identity) identity {
			return identity{UnionID: strings.ReplaceAll(who.UnionID, "\U0001F601", "\U0001F600")}
		}),
		{"names have no emoji", []string{"text/names"}, func(s *faultyUsers, good scangate.UserStore) {
			s.register = func(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
				who.Nickname = strings.ReplaceAll(who.Nickname, "\U0001F468", "?")
				return good.Register(ctx, who)
			}
		}},
		{"identifiers are cut", []string{"text/long", "text/odd"}, func(s *faultyUsers, good scangate.UserStore) {
			s.register = func(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
				who.Identity.OpenID = cut(who.Identity.OpenID)
				return good.Register(ctx, who)
			}
			s.findByWeChat = func(ctx context.Context, who identity) (scangate.User, error) {
				who.OpenID = cut(who.OpenID)
				return good.FindByWeChat(ctx, who)
			}
		}},
		find("identifiers end at NUL", []string{"text/odd"}, func(who identity) identity {
			who.OpenID, _, _ = strings.Cut(who.OpenID, "\x00")
			return who
		}),
		{"what can't be held is taken", []string{"text/odd"}, func(s *faultyUsers, good scangate.UserStore) {
			s.register = func(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
				if strings.Contains(who.Identity.OpenID, "\x00") {
					return scangate.User{}, scangate.ErrIdentityTaken
				}
				return good.Register(ctx, who)
			}
		}},
	}
}

func callFaults() []userFault {
	// deaf calls the good store's EndSessions as if its context had not ended by err.
	deaf := func(name string, fails []string, end error) userFault {
		return userFault{name, fails, func(s *faultyUsers, good scangate.UserStore) {
			s.endSessions = func(ctx context.Context, id string, before time.Time) error {
				if errors.Is(ctx.Err(), end) {
					ctx = context.WithoutCancel(ctx)
				}
				return good.EndSessions(ctx, id, before)
			}
		}}
	}
	return []userFault{
		deaf("a context that was canceled is used", []string{"context/canceled"}, context.Canceled),
		deaf("a context that is too late is used", []string{"context/deadline"}, context.DeadlineExceeded),
		{"FindByPhone of none asks not for the context", []string{"context/canceled", "context/deadline"}, func(s *faultyUsers, good scangate.UserStore) {
			s.findByPhone = func(ctx context.Context, phone string) (scangate.User, error) {
				if phone == "" {
					return scangate.User{}, scangate.ErrNotFound
				}
				return good.FindByPhone(ctx, phone)
			}
		}},
		{"errors quote the number", []string{"errors/secrets"}, func(s *faultyUsers, good scangate.UserStore) {
			s.bindPhone = func(ctx context.Context, id, phone string) error {
				if err := good.BindPhone(ctx, id, phone); err != nil {
					return fmt.Errorf("binding %s: %w", phone, err)
				}
				return nil
			}
		}},
		{"errors quote the unionid", []string{"errors/secrets"}, func(s *faultyUsers, good scangate.UserStore) {
			s.register = func(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
				user, err := good.Register(ctx, who)
				if err != nil {
					return user, fmt.Errorf("duplicate entry '%s': %w", who.Identity.UnionID, err)
				}
				return user, nil
			}
		}},
	}
}

func raceFaults() []userFault {
	type store = scangate.UserStore
	// register and link faults act on the outcome of a call that crossed another.
	register := func(name string, fails []string, crossed func(ctx context.Context, good store, who scangate.NewUser, err error) error) userFault {
		return userFault{name, fails, func(s *faultyUsers, good store) {
			var c crossing
			s.register = func(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
				met := c.crosses()
				user, err := good.Register(ctx, who)
				if met {
					err = crossed(ctx, good, who, err)
				}
				return user, err
			}
		}}
	}
	link := func(name string, fails []string, crossed func(id string, who scangate.Identity, err error) error) userFault {
		return userFault{name, fails, func(s *faultyUsers, good store) {
			var c crossing
			s.link = func(ctx context.Context, id string, who scangate.Identity) error {
				met := c.crosses()
				err := good.LinkWeChat(ctx, id, who)
				if met {
					err = crossed(id, who, err)
				}
				return err
			}
		}}
	}
	bind := func(name string, fails []string, crossed func(ctx context.Context, good store, id, phone string, err error) error) userFault {
		return userFault{name, fails, func(s *faultyUsers, good store) {
			var c crossing
			s.bindPhone = func(ctx context.Context, id, phone string) error {
				met := c.crosses()
				err := good.BindPhone(ctx, id, phone)
				if met {
					err = crossed(ctx, good, id, phone, err)
				}
				return err
			}
		}}
	}
	// besides is a fault of Register while calls of another method are under way.
	besides := func(name string, fails []string, lost error) userFault {
		return userFault{name, fails, func(s *faultyUsers, good store) {
			var c crossing
			s.link = func(ctx context.Context, id string, who scangate.Identity) error {
				c.crosses()
				return good.LinkWeChat(ctx, id, who)
			}
			s.bindPhone = func(ctx context.Context, id, phone string) error {
				c.crosses()
				return good.BindPhone(ctx, id, phone)
			}
			s.register = func(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
				c.mu.Lock()
				met := c.under > 0
				c.mu.Unlock()
				user, err := good.Register(ctx, who)
				return user, cond(met && errors.Is(err, lost), errFault, err)
			}
		}}
	}
	return []userFault{
		{"reads that cross fail", []string{"race/strangers"}, func(s *faultyUsers, good store) {
			var c crossing
			s.findByID = func(ctx context.Context, id string) (scangate.User, error) {
				if c.crosses() {
					return scangate.User{}, errFault
				}
				return good.FindByID(ctx, id)
			}
		}},
		register("crossing calls deadlock on an OpenID", []string{"race/register openid", "race/link and register"}, func(ctx context.Context, good store, who scangate.NewUser, err error) error {
			_, free := good.FindByWeChat(ctx, bare(who.Identity))
			return cond(errors.Is(err, scangate.ErrIdentityTaken) && free == nil, errFault, err)
		}),
		register("crossing calls register one unionid twice", []string{"race/register unionid"}, func(ctx context.Context, good store, who scangate.NewUser, err error) error {
			_, free := good.FindByWeChat(ctx, bare(who.Identity))
			return cond(errors.Is(err, scangate.ErrIdentityTaken) && free != nil, nil, err)
		}),
		register("crossing calls leave the identity behind", []string{"race/register phone", "race/bind and register"}, func(ctx context.Context, good store, who scangate.NewUser, err error) error {
			return cond(errors.Is(err, scangate.ErrPhoneTaken), nil, err)
		}),
		link("crossing calls link one OpenID twice", []string{"race/link openid", "race/link one user", "race/link and register"}, func(_ string, who scangate.Identity, err error) error {
			return cond(errors.Is(err, scangate.ErrIdentityTaken) && who.AppID == official, nil, err)
		}),
		link("crossing calls link one unionid twice", []string{"race/link unionid"}, func(_ string, who scangate.Identity, err error) error {
			return cond(errors.Is(err, scangate.ErrIdentityTaken) && who.AppID == website, nil, err)
		}),
		besides("a Register that crosses a LinkWeChat fails", []string{"race/link and register"}, scangate.ErrIdentityTaken),
		bind("crossing calls bind one number twice", []string{"race/bind phone", "race/bind and register"}, func(ctx context.Context, good store, id, phone string, err error) error {
			return cond(errors.Is(err, scangate.ErrPhoneTaken), nil, err)
		}),
		bind("crossing calls are refused", []string{"race/bind one user"}, func(ctx context.Context, good store, id, phone string, err error) error {
			who, _ := good.FindByWeChat(ctx, ann().Identity)
			return cond(err == nil && who.ID == id, scangate.ErrPhoneTaken, err)
		}),
		besides("a Register that crosses a BindPhone fails", []string{"race/bind and register"}, scangate.ErrPhoneTaken),
		{"an unlinking that crosses another leaves the unionid", []string{"race/unlink"}, func(s *faultyUsers, good store) {
			var c crossing
			s.unlink = func(ctx context.Context, id string, who scangate.Identity) error {
				if c.crosses() {
					return nil
				}
				return good.UnlinkWeChat(ctx, id, who)
			}
		}},
		{"a signing out that crosses another is lost", []string{"race/end sessions"}, func(s *faultyUsers, good store) {
			var c crossing
			s.endSessions = func(ctx context.Context, id string, before time.Time) error {
				if c.crosses() {
					return nil
				}
				return good.EndSessions(ctx, id, before)
			}
		}},
	}
}
