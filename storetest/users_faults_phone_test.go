package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/scangate/scangate"
)

func bindFaults() []userFault {
	type store = scangate.UserStore
	return []userFault{
		faultyBind("a first number is not bound", []string{"phone/sets", "..."}, func(ctx context.Context, good store, id, phone string) error {
			if user, err := good.FindByID(ctx, id); err == nil && user.Phone == "" {
				return nil
			}
			return good.BindPhone(ctx, id, phone)
		}),
		{"an earlier number still finds the user", []string{"phone/replaces", "phone/empty", "..."}, func(s *faultyUsers, good store) {
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
		faultyBind("a number cannot be removed", []string{"phone/empty", "phone/all empty"}, func(ctx context.Context, good store, id, phone string) error {
			if _, err := good.FindByID(ctx, id); err == nil && phone == "" {
				return nil
			}
			return good.BindPhone(ctx, id, phone)
		}),
		{"only one user may have no number", []string{"phone/all empty"}, func(s *faultyUsers, good store) {
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
		faultyBind("binding to an unknown user is not an error", []string{"phone/unknown"}, func(ctx context.Context, good store, id, phone string) error {
			err := good.BindPhone(ctx, id, phone)
			return cond(errors.Is(err, scangate.ErrNotFound), nil, err)
		}),
	}
}

func bindTakenFaults() []userFault {
	type store = scangate.UserStore
	return []userFault{
		faultyBind("the user's own number is taken", []string{"phone/again"}, func(ctx context.Context, good store, id, phone string) error {
			if user, err := good.FindByID(ctx, id); err == nil && user.Phone == phone && phone != "" {
				return scangate.ErrPhoneTaken
			}
			return good.BindPhone(ctx, id, phone)
		}),
		faultyBind("binding takes a number from its owner", []string{"phone/taken", "..."}, func(ctx context.Context, good store, id, phone string) error {
			if owner, err := good.FindByPhone(ctx, phone); err == nil && owner.ID != id {
				_ = good.BindPhone(ctx, owner.ID, "")
			}
			return good.BindPhone(ctx, id, phone)
		}),
	}
}

func endSessionsFaults() []userFault {
	type store = scangate.UserStore
	return []userFault{
		faultyEndSessions("SessionsEndedAt has milliseconds", []string{"end sessions/keeps", "end sessions/later", "end sessions/earlier", "race/end sessions"}, func(ctx context.Context, good store, id string, before time.Time) error {
			return good.EndSessions(ctx, id, before.Truncate(time.Millisecond))
		}),
		faultyEndSessions("the first SessionsEndedAt stays", []string{"end sessions/later", "..."}, func(ctx context.Context, good store, id string, before time.Time) error {
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
		faultyEndSessions("the zero time means now", []string{"end sessions/zero"}, func(ctx context.Context, good store, id string, before time.Time) error {
			return good.EndSessions(ctx, id, cond(before.IsZero(), time.Now(), before))
		}),
		faultyEndSessions("a time before 1970 is the zero time", []string{"end sessions/zero"}, func(ctx context.Context, good store, id string, before time.Time) error {
			return good.EndSessions(ctx, id, cond(before.Unix() < 0, time.Time{}, before))
		}),
		faultyEndSessions("ending an unknown user's sessions is not an error", []string{"end sessions/unknown"}, func(ctx context.Context, good store, id string, before time.Time) error {
			err := good.EndSessions(ctx, id, before)
			return cond(errors.Is(err, scangate.ErrNotFound), nil, err)
		}),
	}
}

// faultyTextFind returns a fault of FindByWeChat. If the identity is not found, the
// store looks for what similar makes of it.
func faultyTextFind(name string, fails []string, similar func(scangate.Identity) scangate.Identity) userFault {
	return faultyFindByWeChat(name, fails, func(ctx context.Context, good scangate.UserStore, identity scangate.Identity) (scangate.User, error) {
		user, err := good.FindByWeChat(ctx, identity)
		if errors.Is(err, scangate.ErrNotFound) && identity != similar(identity) {
			return good.FindByWeChat(ctx, similar(identity))
		}
		return user, err
	})
}

func textFaults() []userFault {
	type identity = scangate.Identity
	return []userFault{
		faultyTextFind("OpenIDs ignore case", []string{"text/openids"}, func(who identity) identity {
			return identity{AppID: who.AppID, OpenID: strings.ToLower(who.OpenID)}
		}),
		faultyTextFind("AppIDs ignore trailing spaces", []string{"text/appids"}, func(who identity) identity {
			return identity{AppID: strings.TrimRight(who.AppID, " "), OpenID: who.OpenID}
		}),
		faultyTextFind("UnionIDs ignore characters outside of the basic plane", []string{"text/unionids"}, func(who identity) identity {
			return identity{UnionID: strings.ReplaceAll(who.UnionID, "\U0001F601", "\U0001F600")}
		}),
		faultyRegister("nicknames lose emoji", []string{"text/names"}, func(ctx context.Context, good scangate.UserStore, newUser scangate.NewUser) (scangate.User, error) {
			newUser.Nickname = strings.ReplaceAll(newUser.Nickname, "\U0001F468", "?")
			return good.Register(ctx, newUser)
		}),
		faultyTextFind("identifiers end at NUL", []string{"text/odd"}, func(who identity) identity {
			who.OpenID, _, _ = strings.Cut(who.OpenID, "\x00")
			return who
		}),
		faultyRegister("an identifier that the store cannot hold is taken", []string{"text/odd"}, func(ctx context.Context, good scangate.UserStore, newUser scangate.NewUser) (scangate.User, error) {
			if strings.Contains(newUser.Identity.OpenID, "\x00") {
				return scangate.User{}, scangate.ErrIdentityTaken
			}
			return good.Register(ctx, newUser)
		}),
	}
}

func longTextFaults() []userFault {
	cut := func(s string) string { return s[:min(len(s), 254)] }
	return []userFault{
		{"identifiers are cut", []string{"text/long", "text/odd"}, func(s *faultyUsers, good scangate.UserStore) {
			s.register = func(ctx context.Context, newUser scangate.NewUser) (scangate.User, error) {
				newUser.Identity.OpenID = cut(newUser.Identity.OpenID)
				return good.Register(ctx, newUser)
			}
			s.findByWeChat = func(ctx context.Context, identity scangate.Identity) (scangate.User, error) {
				identity.OpenID = cut(identity.OpenID)
				return good.FindByWeChat(ctx, identity)
			}
		}},
	}
}

func userCallFaults() []userFault {
	type store = scangate.UserStore
	// ignoring returns a fault of EndSessions, which ignores that its context has
	// ended with the error end.
	ignoring := func(name string, fails []string, end error) userFault {
		return faultyEndSessions(name, fails, func(ctx context.Context, good store, id string, before time.Time) error {
			if errors.Is(ctx.Err(), end) {
				ctx = context.WithoutCancel(ctx)
			}
			return good.EndSessions(ctx, id, before)
		})
	}
	return []userFault{
		ignoring("EndSessions ignores that its context is canceled", []string{"context/canceled"}, context.Canceled),
		ignoring("EndSessions ignores its deadline", []string{"context/deadline"}, context.DeadlineExceeded),
		faultyFindByPhone("FindByPhone of an empty number ignores its context", []string{"context/canceled", "context/deadline"}, func(ctx context.Context, good store, phone string) (scangate.User, error) {
			if phone == "" {
				return scangate.User{}, scangate.ErrNotFound
			}
			return good.FindByPhone(ctx, phone)
		}),
	}
}

func userSecretFaults() []userFault {
	type store = scangate.UserStore
	return []userFault{
		faultyBind("errors quote the phone number", []string{"errors/secrets"}, func(ctx context.Context, good store, id, phone string) error {
			if err := good.BindPhone(ctx, id, phone); err != nil {
				return fmt.Errorf("binding %s: %w", phone, err)
			}
			return nil
		}),
		faultyRegister("errors quote the UnionID", []string{"errors/secrets"}, func(ctx context.Context, good store, newUser scangate.NewUser) (scangate.User, error) {
			user, err := good.Register(ctx, newUser)
			if err != nil {
				return user, fmt.Errorf("duplicate entry '%s': %w", newUser.Identity.UnionID, err)
			}
			return user, nil
		}),
	}
}
