package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/scangate/scangate"
)

// faultyUsers is a correct UserStore except for the methods that are set.
type faultyUsers struct {
	scangate.UserStore
	findByID     func(context.Context, string) (scangate.User, error)
	findByWeChat func(context.Context, scangate.Identity) (scangate.User, error)
	findByPhone  func(context.Context, string) (scangate.User, error)
	register     func(context.Context, scangate.NewUser) (scangate.User, error)
	link         func(context.Context, string, scangate.Identity) error
	unlink       func(context.Context, string, scangate.Identity) error
	bindPhone    func(context.Context, string, string) error
	endSessions  func(context.Context, string, time.Time) error
}

func (s *faultyUsers) FindByID(ctx context.Context, id string) (scangate.User, error) {
	if s.findByID != nil {
		return s.findByID(ctx, id)
	}
	return s.UserStore.FindByID(ctx, id)
}

func (s *faultyUsers) FindByWeChat(ctx context.Context, identity scangate.Identity) (scangate.User, error) {
	if s.findByWeChat != nil {
		return s.findByWeChat(ctx, identity)
	}
	return s.UserStore.FindByWeChat(ctx, identity)
}

func (s *faultyUsers) FindByPhone(ctx context.Context, phone string) (scangate.User, error) {
	if s.findByPhone != nil {
		return s.findByPhone(ctx, phone)
	}
	return s.UserStore.FindByPhone(ctx, phone)
}

func (s *faultyUsers) Register(ctx context.Context, newUser scangate.NewUser) (scangate.User, error) {
	if s.register != nil {
		return s.register(ctx, newUser)
	}
	return s.UserStore.Register(ctx, newUser)
}

func (s *faultyUsers) LinkWeChat(ctx context.Context, id string, identity scangate.Identity) error {
	if s.link != nil {
		return s.link(ctx, id, identity)
	}
	return s.UserStore.LinkWeChat(ctx, id, identity)
}

func (s *faultyUsers) UnlinkWeChat(ctx context.Context, id string, identity scangate.Identity) error {
	if s.unlink != nil {
		return s.unlink(ctx, id, identity)
	}
	return s.UserStore.UnlinkWeChat(ctx, id, identity)
}

func (s *faultyUsers) BindPhone(ctx context.Context, id, phone string) error {
	if s.bindPhone != nil {
		return s.bindPhone(ctx, id, phone)
	}
	return s.UserStore.BindPhone(ctx, id, phone)
}

func (s *faultyUsers) EndSessions(ctx context.Context, id string, before time.Time) error {
	if s.endSessions != nil {
		return s.endSessions(ctx, id, before)
	}
	return s.UserStore.EndSessions(ctx, id, before)
}

// userFault breaks one rule of a correct store.
type userFault struct {
	name  string
	fails []string // the cases that must fail; see wantFailures
	set   func(s *faultyUsers, good scangate.UserStore)
}

// store returns a new store with the fault.
func (f userFault) store() scangate.UserStore {
	good := scangate.NewMemoryStore()
	s := &faultyUsers{UserStore: good}
	f.set(s, good)
	return s
}

// userFaults returns faults that, together, make every case fail.
func userFaults() []userFault {
	return slices.Concat(
		registerFaults(), registerTakenFaults(), registerRefusedFaults(),
		findByIDFaults(), findByWeChatFaults(), findByPhoneFaults(),
		linkFaults(), linkUnionIDFaults(), linkTakenFaults(), unlinkFaults(), unlinkUnionIDFaults(),
		bindFaults(), bindTakenFaults(), endSessionsFaults(), textFaults(), longTextFaults(), userCallFaults(), userSecretFaults(),
		raceRegisterFaults(), raceLinkFaults(), raceBindFaults(), raceOtherFaults(),
	)
}

func TestUsersFindsFaults(t *testing.T) {
	caught := make(map[string]bool)
	for _, f := range userFaults() {
		t.Run(f.name, func(t *testing.T) {
			wantFailures(t, userFailures(t, f.store), f.fails)
		})
		for _, name := range f.fails {
			caught[name] = true
		}
	}
	for _, c := range userCases() {
		if !caught[c.name] {
			t.Errorf("no fault makes the case %q fail, want one", c.name)
		}
	}
}

// The functions below return a fault of a single method.

func faultyRegister(name string, fails []string, register func(ctx context.Context, good scangate.UserStore, newUser scangate.NewUser) (scangate.User, error)) userFault {
	return userFault{name, fails, func(s *faultyUsers, good scangate.UserStore) {
		s.register = func(ctx context.Context, newUser scangate.NewUser) (scangate.User, error) {
			return register(ctx, good, newUser)
		}
	}}
}

func faultyFindByID(name string, fails []string, find func(ctx context.Context, good scangate.UserStore, id string) (scangate.User, error)) userFault {
	return userFault{name, fails, func(s *faultyUsers, good scangate.UserStore) {
		s.findByID = func(ctx context.Context, id string) (scangate.User, error) { return find(ctx, good, id) }
	}}
}

func faultyFindByWeChat(name string, fails []string, find func(ctx context.Context, good scangate.UserStore, identity scangate.Identity) (scangate.User, error)) userFault {
	return userFault{name, fails, func(s *faultyUsers, good scangate.UserStore) {
		s.findByWeChat = func(ctx context.Context, identity scangate.Identity) (scangate.User, error) {
			return find(ctx, good, identity)
		}
	}}
}

func faultyFindByPhone(name string, fails []string, find func(ctx context.Context, good scangate.UserStore, phone string) (scangate.User, error)) userFault {
	return userFault{name, fails, func(s *faultyUsers, good scangate.UserStore) {
		s.findByPhone = func(ctx context.Context, phone string) (scangate.User, error) { return find(ctx, good, phone) }
	}}
}

func faultyLink(name string, fails []string, link func(ctx context.Context, good scangate.UserStore, id string, identity scangate.Identity) error) userFault {
	return userFault{name, fails, func(s *faultyUsers, good scangate.UserStore) {
		s.link = func(ctx context.Context, id string, identity scangate.Identity) error {
			return link(ctx, good, id, identity)
		}
	}}
}

func faultyUnlink(name string, fails []string, unlink func(ctx context.Context, good scangate.UserStore, id string, identity scangate.Identity) error) userFault {
	return userFault{name, fails, func(s *faultyUsers, good scangate.UserStore) {
		s.unlink = func(ctx context.Context, id string, identity scangate.Identity) error {
			return unlink(ctx, good, id, identity)
		}
	}}
}

func faultyBind(name string, fails []string, bind func(ctx context.Context, good scangate.UserStore, id, phone string) error) userFault {
	return userFault{name, fails, func(s *faultyUsers, good scangate.UserStore) {
		s.bindPhone = func(ctx context.Context, id, phone string) error { return bind(ctx, good, id, phone) }
	}}
}

func faultyEndSessions(name string, fails []string, endSessions func(ctx context.Context, good scangate.UserStore, id string, before time.Time) error) userFault {
	return userFault{name, fails, func(s *faultyUsers, good scangate.UserStore) {
		s.endSessions = func(ctx context.Context, id string, before time.Time) error {
			return endSessions(ctx, good, id, before)
		}
	}}
}
