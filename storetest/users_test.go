package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/scangate/scangate"
)

// faultyUsers is a good store but for the methods that are set.
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

func (s *faultyUsers) FindByWeChat(ctx context.Context, who scangate.Identity) (scangate.User, error) {
	if s.findByWeChat != nil {
		return s.findByWeChat(ctx, who)
	}
	return s.UserStore.FindByWeChat(ctx, who)
}

func (s *faultyUsers) FindByPhone(ctx context.Context, phone string) (scangate.User, error) {
	if s.findByPhone != nil {
		return s.findByPhone(ctx, phone)
	}
	return s.UserStore.FindByPhone(ctx, phone)
}

func (s *faultyUsers) Register(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
	if s.register != nil {
		return s.register(ctx, who)
	}
	return s.UserStore.Register(ctx, who)
}

func (s *faultyUsers) LinkWeChat(ctx context.Context, id string, who scangate.Identity) error {
	if s.link != nil {
		return s.link(ctx, id, who)
	}
	return s.UserStore.LinkWeChat(ctx, id, who)
}

func (s *faultyUsers) UnlinkWeChat(ctx context.Context, id string, who scangate.Identity) error {
	if s.unlink != nil {
		return s.unlink(ctx, id, who)
	}
	return s.UserStore.UnlinkWeChat(ctx, id, who)
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

// userFault breaks one rule of a good store.
type userFault struct {
	name  string
	fails []string // see demand
	set   func(s *faultyUsers, good scangate.UserStore)
}

func TestUsersFindsFaults(t *testing.T) {
	caught := make(map[string]bool)
	for _, f := range userFaults() {
		t.Run(f.name, func(t *testing.T) {
			demand(t, userFailures(t, f.store), f.fails)
		})
		for _, name := range f.fails {
			caught[name] = true
		}
	}
	for _, c := range userCases() {
		if !caught[c.name] {
			t.Errorf("no fault makes the case %q fail", c.name)
		}
	}
}

func (f userFault) store() scangate.UserStore {
	good := scangate.NewMemoryStore()
	s := &faultyUsers{UserStore: good}
	f.set(s, good)
	return s
}

func userFaults() []userFault {
	return slices.Concat(registerFaults(), findFaults(), linkFaults(), unlinkFaults(), phoneFaults(), textFaults(), callFaults(), raceFaults())
}
