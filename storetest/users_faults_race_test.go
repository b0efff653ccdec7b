package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/scangate/scangate"
)

// overlappingRegister returns a fault of Register. fault replaces the error of a call
// that overlaps with another.
func overlappingRegister(name string, fails []string, fault func(ctx context.Context, good scangate.UserStore, newUser scangate.NewUser, err error) error) userFault {
	return userFault{name, fails, func(s *faultyUsers, good scangate.UserStore) {
		var o overlap
		s.register = func(ctx context.Context, newUser scangate.NewUser) (scangate.User, error) {
			met := o.detect()
			user, err := good.Register(ctx, newUser)
			if met {
				err = fault(ctx, good, newUser, err)
			}
			return user, err
		}
	}}
}

// overlappingLink returns a fault of LinkWeChat, like overlappingRegister.
func overlappingLink(name string, fails []string, fault func(identity scangate.Identity, err error) error) userFault {
	return userFault{name, fails, func(s *faultyUsers, good scangate.UserStore) {
		var o overlap
		s.link = func(ctx context.Context, id string, identity scangate.Identity) error {
			met := o.detect()
			err := good.LinkWeChat(ctx, id, identity)
			if met {
				err = fault(identity, err)
			}
			return err
		}
	}}
}

// overlappingBind returns a fault of BindPhone, like overlappingRegister.
func overlappingBind(name string, fails []string, fault func(ctx context.Context, good scangate.UserStore, id string, err error) error) userFault {
	return userFault{name, fails, func(s *faultyUsers, good scangate.UserStore) {
		var o overlap
		s.bindPhone = func(ctx context.Context, id, phone string) error {
			met := o.detect()
			err := good.BindPhone(ctx, id, phone)
			if met {
				err = fault(ctx, good, id, err)
			}
			return err
		}
	}}
}

// registerBeside returns a fault of Register that shows during a LinkWeChat or
// BindPhone: the error taken becomes a failure.
func registerBeside(name string, fails []string, taken error) userFault {
	return userFault{name, fails, func(s *faultyUsers, good scangate.UserStore) {
		var o overlap
		s.link = func(ctx context.Context, id string, identity scangate.Identity) error {
			o.detect()
			return good.LinkWeChat(ctx, id, identity)
		}
		s.bindPhone = func(ctx context.Context, id, phone string) error {
			o.detect()
			return good.BindPhone(ctx, id, phone)
		}
		s.register = func(ctx context.Context, newUser scangate.NewUser) (scangate.User, error) {
			met := o.active()
			user, err := good.Register(ctx, newUser)
			return user, cond(met && errors.Is(err, taken), errFault, err)
		}
	}}
}

func raceRegisterFaults() []userFault {
	type store = scangate.UserStore
	// openIDTaken reports whether a user has the OpenID.
	openIDTaken := func(ctx context.Context, good store, identity scangate.Identity) bool {
		_, err := good.FindByWeChat(ctx, withoutUnionID(identity))
		return err == nil
	}
	return []userFault{
		overlappingRegister("overlapping calls deadlock on an OpenID", []string{"race/register openid", "race/link and register"}, func(ctx context.Context, good store, newUser scangate.NewUser, err error) error {
			deadlock := errors.Is(err, scangate.ErrIdentityTaken) && openIDTaken(ctx, good, newUser.Identity)
			return cond(deadlock, errFault, err)
		}),
		overlappingRegister("overlapping calls register one UnionID twice", []string{"race/register unionid"}, func(ctx context.Context, good store, newUser scangate.NewUser, err error) error {
			twice := errors.Is(err, scangate.ErrIdentityTaken) && !openIDTaken(ctx, good, newUser.Identity)
			return cond(twice, nil, err)
		}),
		overlappingRegister("overlapping calls register one phone number twice", []string{"race/register phone", "race/bind and register"}, func(_ context.Context, _ store, _ scangate.NewUser, err error) error {
			return cond(errors.Is(err, scangate.ErrPhoneTaken), nil, err)
		}),
	}
}

func raceLinkFaults() []userFault {
	return []userFault{
		overlappingLink("overlapping calls link one OpenID twice", []string{"race/link openid", "race/link one user", "race/link and register"}, func(identity scangate.Identity, err error) error {
			return cond(errors.Is(err, scangate.ErrIdentityTaken) && identity.AppID == official, nil, err)
		}),
		overlappingLink("overlapping calls link one UnionID twice", []string{"race/link unionid"}, func(identity scangate.Identity, err error) error {
			return cond(errors.Is(err, scangate.ErrIdentityTaken) && identity.AppID == website, nil, err)
		}),
		registerBeside("Register fails during a LinkWeChat", []string{"race/link and register"}, scangate.ErrIdentityTaken),
		{"overlapping calls unlink only one identity", []string{"race/unlink"}, func(s *faultyUsers, good scangate.UserStore) {
			var o overlap
			s.unlink = func(ctx context.Context, id string, identity scangate.Identity) error {
				if o.detect() {
					return nil
				}
				return good.UnlinkWeChat(ctx, id, identity)
			}
		}},
	}
}

func raceBindFaults() []userFault {
	type store = scangate.UserStore
	return []userFault{
		overlappingBind("overlapping calls bind one number twice", []string{"race/bind phone", "race/bind and register"}, func(_ context.Context, _ store, _ string, err error) error {
			return cond(errors.Is(err, scangate.ErrPhoneTaken), nil, err)
		}),
		overlappingBind("overlapping calls for one user are refused", []string{"race/bind one user"}, func(ctx context.Context, good store, id string, err error) error {
			ann, _ := good.FindByWeChat(ctx, newAnn().Identity)
			return cond(err == nil && ann.ID == id, scangate.ErrPhoneTaken, err)
		}),
		registerBeside("Register fails during a BindPhone", []string{"race/bind and register"}, scangate.ErrPhoneTaken),
	}
}

func raceOtherFaults() []userFault {
	type store = scangate.UserStore
	return []userFault{
		{"overlapping reads fail", []string{"race/strangers"}, func(s *faultyUsers, good store) {
			var o overlap
			s.findByID = func(ctx context.Context, id string) (scangate.User, error) {
				if o.detect() {
					return scangate.User{}, errFault
				}
				return good.FindByID(ctx, id)
			}
		}},
		{"overlapping calls to EndSessions are lost", []string{"race/end sessions"}, func(s *faultyUsers, good store) {
			var o overlap
			s.endSessions = func(ctx context.Context, id string, before time.Time) error {
				if o.detect() {
					return nil
				}
				return good.EndSessions(ctx, id, before)
			}
		}},
	}
}
