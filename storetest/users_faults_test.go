package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/scangate/scangate"
)

func registerFaults() []userFault {
	type store = scangate.UserStore
	return []userFault{
		faultyRegister("new users have a SessionsEndedAt", []string{"register/user"}, func(ctx context.Context, good store, newUser scangate.NewUser) (scangate.User, error) {
			user, err := good.Register(ctx, newUser)
			user.SessionsEndedAt = user.SessionsEndedAt.Add(1)
			return user, err
		}),
		{"only one user may have no UnionID", []string{"register/empty", "..."}, func(s *faultyUsers, good store) {
			var one atomic.Bool
			s.register = func(ctx context.Context, newUser scangate.NewUser) (scangate.User, error) {
				if newUser.Identity.UnionID == "" && one.Swap(true) {
					return scangate.User{}, scangate.ErrIdentityTaken
				}
				return good.Register(ctx, newUser)
			}
		}},
		{"an ID is given twice", []string{"register/ids", "text/names", "..."}, func(s *faultyUsers, good store) {
			var n atomic.Int32
			s.register = func(ctx context.Context, newUser scangate.NewUser) (scangate.User, error) {
				user, err := good.Register(ctx, newUser)
				user.ID = cond(err == nil && n.Add(1) >= 40, "40", user.ID)
				return user, err
			}
		}},
		faultyRegister("an OpenID is unique across all accounts", []string{"register/other AppID"}, func(ctx context.Context, good store, newUser scangate.NewUser) (scangate.User, error) {
			atWebsite := scangate.Identity{AppID: website, OpenID: newUser.Identity.OpenID}
			if _, err := good.FindByWeChat(ctx, atWebsite); err == nil {
				return scangate.User{}, scangate.ErrIdentityTaken
			}
			return good.Register(ctx, newUser)
		}),
	}
}

func registerTakenFaults() []userFault {
	type store = scangate.UserStore
	return []userFault{
		faultyRegister("registering an OpenID again returns its user", []string{"register/openid taken", "register/both taken", "register/identity refused", "..."}, func(ctx context.Context, good store, newUser scangate.NewUser) (scangate.User, error) {
			identity := withoutUnionID(newUser.Identity)
			if owner, err := good.FindByWeChat(ctx, identity); err == nil {
				return owner, good.LinkWeChat(ctx, owner.ID, identity)
			}
			return good.Register(ctx, newUser)
		}),
		faultyRegister("a taken UnionID is left out", []string{"register/unionid taken", "unlink/keeps unionid", "race/register unionid"}, func(ctx context.Context, good store, newUser scangate.NewUser) (scangate.User, error) {
			user, err := good.Register(ctx, newUser)
			if errors.Is(err, scangate.ErrIdentityTaken) {
				newUser.Identity.UnionID = ""
				return good.Register(ctx, newUser)
			}
			return user, err
		}),
		faultyRegister("a taken phone number is left out", []string{"register/phone taken", "register/phone refused", "race/register phone", "race/bind and register"}, func(ctx context.Context, good store, newUser scangate.NewUser) (scangate.User, error) {
			user, err := good.Register(ctx, newUser)
			if errors.Is(err, scangate.ErrPhoneTaken) {
				newUser.Phone = ""
				return good.Register(ctx, newUser)
			}
			return user, err
		}),
		faultyRegister("a taken identity and phone number are a failure", []string{"register/both taken"}, func(ctx context.Context, good store, newUser scangate.NewUser) (scangate.User, error) {
			byPhone, err := good.FindByPhone(ctx, newUser.Phone)
			byWeChat, err2 := good.FindByWeChat(ctx, newUser.Identity)
			if err == nil && err2 == nil && byPhone.ID == byWeChat.ID {
				return scangate.User{}, errFault
			}
			return good.Register(ctx, newUser)
		}),
	}
}

func registerRefusedFaults() []userFault {
	type store = scangate.UserStore
	return []userFault{
		faultyRegister("a refused identity leaves the phone number behind", []string{"register/identity refused"}, func(ctx context.Context, good store, newUser scangate.NewUser) (scangate.User, error) {
			user, err := good.Register(ctx, newUser)
			if errors.Is(err, scangate.ErrIdentityTaken) && newUser.Phone != "" {
				newUser.Identity = scangate.Identity{AppID: "wx-none", OpenID: "o-none"}
				_, _ = good.Register(ctx, newUser)
			}
			return user, err
		}),
		faultyRegister("a refused phone number leaves the identity behind", []string{"register/phone refused", "race/register phone"}, func(ctx context.Context, good store, newUser scangate.NewUser) (scangate.User, error) {
			user, err := good.Register(ctx, newUser)
			if errors.Is(err, scangate.ErrPhoneTaken) {
				newUser.Phone = ""
				_, _ = good.Register(ctx, newUser)
			}
			return user, err
		}),
	}
}

func findByIDFaults() []userFault {
	type store = scangate.UserStore
	return []userFault{
		faultyFindByID("FindByID returns no nickname", []string{"find/id", "..."}, func(ctx context.Context, good store, id string) (scangate.User, error) {
			user, err := good.FindByID(ctx, id)
			user.Nickname = ""
			return user, err
		}),
		faultyFindByID("FindByID ignores trailing spaces", []string{"find/id unknown"}, func(ctx context.Context, good store, id string) (scangate.User, error) {
			return good.FindByID(ctx, strings.TrimRight(id, " "))
		}),
	}
}

func findByWeChatFaults() []userFault {
	type store = scangate.UserStore
	type identity = scangate.Identity
	return []userFault{
		faultyFindByWeChat("an unknown UnionID is not found", []string{"find/openid"}, func(ctx context.Context, good store, who identity) (scangate.User, error) {
			user, err := good.FindByWeChat(ctx, who)
			if who.UnionID == "u-of-nobody" {
				return scangate.User{}, scangate.ErrNotFound
			}
			return user, err
		}),
		faultyFindByWeChat("FindByWeChat ignores the UnionID", []string{"find/unionid", "..."}, func(ctx context.Context, good store, who identity) (scangate.User, error) {
			return good.FindByWeChat(ctx, withoutUnionID(who))
		}),
		faultyFindByWeChat("FindByWeChat prefers the UnionID", []string{"find/openid first"}, func(ctx context.Context, good store, who identity) (scangate.User, error) {
			user, err := good.FindByWeChat(ctx, identity{UnionID: who.UnionID})
			if err != nil {
				return good.FindByWeChat(ctx, who)
			}
			return user, nil
		}),
		faultyFindByWeChat("an empty UnionID equals another", []string{"find/empty unionid"}, func(ctx context.Context, good store, who identity) (scangate.User, error) {
			user, err := good.FindByWeChat(ctx, who)
			first, second := newStranger(1).Identity, newStranger(2).Identity
			other, _ := good.FindByWeChat(ctx, first)
			if who == second && errors.Is(err, scangate.ErrNotFound) && other.Phone == "" && slices.Contains(other.Identities, first) {
				return other, nil
			}
			return user, err
		}),
		faultyFindByWeChat("FindByWeChat ignores the AppID", []string{"find/other AppID"}, func(ctx context.Context, good store, who identity) (scangate.User, error) {
			user, err := good.FindByWeChat(ctx, who)
			if errors.Is(err, scangate.ErrNotFound) {
				who.AppID = website
				return good.FindByWeChat(ctx, who)
			}
			return user, err
		}),
		faultyFindByWeChat("an empty identity finds an empty user", []string{"find/wechat unknown"}, func(ctx context.Context, good store, who identity) (scangate.User, error) {
			if who == (identity{}) {
				return scangate.User{}, nil
			}
			return good.FindByWeChat(ctx, who)
		}),
	}
}

func findByPhoneFaults() []userFault {
	type store = scangate.UserStore
	return []userFault{
		faultyFindByPhone("FindByPhone returns no nickname", []string{"find/phone", "..."}, func(ctx context.Context, good store, phone string) (scangate.User, error) {
			user, err := good.FindByPhone(ctx, phone)
			user.Nickname = ""
			return user, err
		}),
		faultyFindByPhone("FindByPhone adds a missing plus sign", []string{"find/phone unknown"}, func(ctx context.Context, good store, phone string) (scangate.User, error) {
			if phone != "" && phone[0] != '+' {
				phone = "+" + phone
			}
			return good.FindByPhone(ctx, phone)
		}),
		faultyFindByPhone("an empty number finds a user without one", []string{"find/empty phone"}, func(ctx context.Context, good store, phone string) (scangate.User, error) {
			if phone == "" {
				return good.FindByWeChat(ctx, newStranger(1).Identity)
			}
			return good.FindByPhone(ctx, phone)
		}),
		faultyFindByPhone("FindByPhone returns no identities", []string{"find/identities", "..."}, func(ctx context.Context, good store, phone string) (scangate.User, error) {
			user, err := good.FindByPhone(ctx, phone)
			user.Identities = nil
			return user, err
		}),
		{"FindByPhone returns the stored slice", []string{"find/copies"}, func(s *faultyUsers, good store) {
			var stored memory[string, scangate.User]
			s.findByPhone = func(ctx context.Context, phone string) (scangate.User, error) {
				user, err := good.FindByPhone(ctx, phone)
				last := stored.get(phone)
				if len(last.Identities) > 0 && last.Identities[0].OpenID == "overwritten" {
					return last, nil
				}
				stored.put(phone, user)
				return user, err
			}
		}},
	}
}
