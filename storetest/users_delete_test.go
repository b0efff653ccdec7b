package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/scangate/scangate"
)

// faultyDeleter is a correct UserDeleter except for Delete and Register, if they are set.
type faultyDeleter struct {
	faultyUsers
	good   *scangate.MemoryStore
	remove func(context.Context, string) error
}

func (s *faultyDeleter) Delete(ctx context.Context, id string) error {
	if s.remove != nil {
		return s.remove(ctx, id)
	}
	return s.good.Delete(ctx, id)
}

// deleteFault breaks one rule of Delete.
type deleteFault struct {
	name  string
	fails []string // the cases that must fail; see wantFailures
	set   func(s *faultyDeleter)
}

// deleteFaults returns faults that, together, make every case of Delete fail.
func deleteFaults() []deleteFault {
	return slices.Concat(keepingFaults(), overreachingFaults(), deleteErrorFaults())
}

// keepingFaults returns faults that keep a part of the deleted user.
func keepingFaults() []deleteFault {
	return []deleteFault{
		{"the user stays", []string{"delete/gone", "..."}, func(s *faultyDeleter) {
			s.remove = func(ctx context.Context, id string) error { _, err := s.good.FindByID(ctx, id); return err }
		}},
		{"the number stays taken", []string{"delete/frees", "delete/binds"}, func(s *faultyDeleter) {
			taken := &memory[string, bool]{}
			s.remove = func(ctx context.Context, id string) error {
				user, _ := s.good.FindByID(ctx, id)
				taken.put(user.Phone, user.Phone != "")
				return s.good.Delete(ctx, id)
			}
			s.register = func(ctx context.Context, newUser scangate.NewUser) (scangate.User, error) {
				if taken.get(newUser.Phone) {
					return scangate.User{}, scangate.ErrPhoneTaken
				}
				return s.good.Register(ctx, newUser)
			}
			s.bindPhone = func(ctx context.Context, id, phone string) error {
				_, err := s.good.FindByID(ctx, id)
				if err == nil && taken.get(phone) {
					return scangate.ErrPhoneTaken
				}
				return s.good.BindPhone(ctx, id, phone)
			}
		}},
		{"identities after the first stay taken", []string{"delete/frees all", "race/delete and link"}, func(s *faultyDeleter) {
			s.remove = func(ctx context.Context, id string) error {
				// A LinkWeChat that runs at the same time comes first, so that there is an
				// identity to keep. In a bubble, this ends when all other goroutines are blocked.
				<-time.After(time.Millisecond)
				user, err := s.good.FindByID(ctx, id)
				if err != nil || len(user.Identities) < 2 {
					return s.good.Delete(ctx, id)
				}
				if err := s.good.Delete(ctx, id); err != nil {
					return err
				}
				_, err = s.good.Register(ctx, scangate.NewUser{Identity: user.Identities[1]})
				return err
			}
		}},
	}
}

// overreachingFaults returns faults that delete too much, or bring the user back.
func overreachingFaults() []deleteFault {
	return []deleteFault{
		{"all users are deleted", []string{"delete/others", "..."}, func(s *faultyDeleter) {
			s.remove = func(ctx context.Context, id string) error {
				for _, newUser := range []scangate.NewUser{newAnn(), newBob()} {
					if user, err := s.good.FindByWeChat(ctx, newUser.Identity); err == nil && user.ID != id {
						_ = s.good.Delete(ctx, user.ID)
					}
				}
				return s.good.Delete(ctx, id)
			}
		}},
		{"a change makes the user again", []string{"delete/changes"}, func(s *faultyDeleter) {
			s.endSessions = func(ctx context.Context, id string, before time.Time) error {
				err := s.good.EndSessions(ctx, id, before)
				if errors.Is(err, scangate.ErrNotFound) {
					_, _ = s.good.Register(ctx, newAnn())
				}
				return err
			}
		}},
	}
}

// deleteErrorFaults returns faults of Delete's result.
func deleteErrorFaults() []deleteFault {
	return []deleteFault{
		{"an unknown user is deleted", []string{"delete/unknown", "race/delete"}, func(s *faultyDeleter) {
			s.remove = func(ctx context.Context, id string) error {
				err := s.good.Delete(ctx, id)
				return cond(errors.Is(err, scangate.ErrNotFound), nil, err)
			}
		}},
		{"the context is ignored", []string{"delete/context"}, func(s *faultyDeleter) {
			s.remove = func(ctx context.Context, id string) error { return s.good.Delete(context.WithoutCancel(ctx), id) }
		}},
		{"two deletions at once fail", []string{"race/delete", "race/delete and link"}, func(s *faultyDeleter) {
			var running overlap
			s.remove = func(ctx context.Context, id string) error {
				if running.detect() {
					return errFault
				}
				return s.good.Delete(ctx, id)
			}
		}},
	}
}

func TestDeleteFindsFaults(t *testing.T) {
	caught := make(map[string]bool)
	for _, f := range deleteFaults() {
		t.Run(f.name, func(t *testing.T) {
			var failed []string
			for _, c := range deleteCases() {
				got := report(t, func(tb tb) {
					good := scangate.NewMemoryStore()
					s := &faultyDeleter{faultyUsers: faultyUsers{UserStore: good}, good: good}
					f.set(s)
					c.check(&userProbe{probe{tb, c.rule, fewRacers}, s, lacks{}})
				})
				if got != "" {
					failed = append(failed, c.name)
					wantQuoted(t, got, c.rule)
				}
			}
			wantFailures(t, failed, f.fails)
		})
		for _, name := range f.fails {
			caught[name] = true
		}
	}
	for _, c := range deleteCases() {
		if !caught[c.name] {
			t.Errorf("no fault makes the case %q fail, want one", c.name)
		}
	}
}
