package scangate_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// racingUsers lets another request register between the look-up of a number and
// Register.
type racingUsers struct {
	scangate.UserStore
	between func() // runs once, before the next Register
	raced   bool

	// The errors of these methods after between has run.
	findByPhone, findByWeChat, bindPhone error
}

func (u *racingUsers) Register(ctx context.Context, user scangate.NewUser) (scangate.User, error) {
	if u.between != nil {
		between := u.between
		u.between, u.raced = nil, true
		between()
	}
	return u.UserStore.Register(ctx, user)
}

func (u *racingUsers) FindByPhone(ctx context.Context, phone string) (scangate.User, error) {
	if u.raced && u.findByPhone != nil {
		return scangate.User{}, u.findByPhone
	}
	return u.UserStore.FindByPhone(ctx, phone)
}

func (u *racingUsers) FindByWeChat(ctx context.Context, identity scangate.Identity) (scangate.User, error) {
	if u.raced && u.findByWeChat != nil {
		return scangate.User{}, u.findByWeChat
	}
	return u.UserStore.FindByWeChat(ctx, identity)
}

func (u *racingUsers) BindPhone(ctx context.Context, id, phone string) error {
	if u.raced && u.bindPhone != nil {
		return u.bindPhone
	}
	return u.UserStore.BindPhone(ctx, id, phone)
}

// newRace returns a world in which lin proves mobile for the first time. Before
// the gate registers lin, another request registers the rival.
func newRace(t *testing.T, rival func(w *world) scangate.NewUser) (w *world, users *racingUsers, codes *texts, winner *scangate.User) {
	t.Helper()
	users, codes, winner = &racingUsers{}, &texts{}, &scangate.User{}
	w = newWorld(t, codes.withPhone, func(c *scangate.Config) { users.UserStore, c.Users = c.Users, users })
	users.between = func() {
		user, err := w.users.UserStore.Register(t.Context(), rival(w))
		if err != nil {
			t.Errorf("Register of the rival: %v, want no error", err)
		}
		*winner = user
	}
	return w, users, codes, winner
}

// TestRegisterLosesRace has another request register the number or the WeChat
// first. Lin becomes that user.
func TestRegisterLosesRace(t *testing.T) {
	for _, c := range []struct {
		name   string
		rival  func(w *world) scangate.NewUser
		event  string
		number string // the user's in the end
	}{
		{"the number", func(*world) scangate.NewUser {
			return scangate.NewUser{Identity: clerk("a"), Phone: mobile}
		}, "linked", mobile},
		{"the WeChat", func(w *world) scangate.NewUser {
			return scangate.NewUser{Identity: w.identity("lin")}
		}, "bound", mobile},
		{"the WeChat and the number", func(w *world) scangate.NewUser {
			return scangate.NewUser{Identity: w.identity("lin"), Phone: mobile}
		}, "linked", mobile},
		{"the WeChat with another number", func(w *world) scangate.NewUser {
			return scangate.NewUser{Identity: w.identity("lin"), Phone: mobile2}
		}, "", mobile2},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, _, codes, winner := newRace(t, c.rival)
			phone := w.phone("lin")
			a := phone.prove(codes, phone.open("/account"), mobile)
			if winner.ID == "" || a.body != "user "+winner.ID {
				t.Fatalf("after the code: status = %d, want user %q\n%s", a.StatusCode, winner.ID, a.body)
			}
			w.checkOwner("lin", winner.ID)
			w.checkNumber(c.number, winner.ID)
			if c.number != mobile {
				w.checkNumber(mobile, "")
			}
			got := w.happened()
			if slices.Contains(got, "registered") || c.event != "" && !slices.Contains(got, c.event) {
				t.Errorf("after the code: events = %v, want %q and not registered", got, c.event)
			}
		})
	}
}

// TestRegisterLosesNumberToAnotherWeChat has another person's request register the
// number first. Lin is refused and may prove another number.
func TestRegisterLosesNumberToAnotherWeChat(t *testing.T) {
	w, _, codes, winner := newRace(t, func(w *world) scangate.NewUser {
		return scangate.NewUser{Identity: w.identity("wang"), Phone: mobile}
	})
	phone := w.phone("lin")
	page := phone.open("/account")
	if a := phone.prove(codes, page, mobile); a.StatusCode != http.StatusConflict || !strings.Contains(a.body, "another WeChat") {
		t.Errorf("the lost number: status = %d, want 409\n%s", a.StatusCode, a.body)
	}
	if id := phone.user(); id != "" {
		t.Errorf("after the refusal: user %q, want none", id)
	}
	w.checkOwner("lin", "")
	w.checkOwner("wang", winner.ID)
	w.checkNumber(mobile, winner.ID)
	if a := phone.prove(codes, page, mobile2); !strings.HasPrefix(a.body, "user ") || a.body == "user "+winner.ID {
		t.Errorf("another number: status = %d, want a user of lin's own\n%s", a.StatusCode, a.body)
	}
	w.checkNumber(mobile2, phone.user())
}

// TestRegisterRaceStoreFails has the store fail after the lost race. Typing the code
// again completes the login, because the number is proved.
func TestRegisterRaceStoreFails(t *testing.T) {
	away := errors.New("connection refused")
	for name, fail := range map[string]func(*racingUsers, error){
		"FindByPhone":  func(u *racingUsers, err error) { u.findByPhone = err },
		"FindByWeChat": func(u *racingUsers, err error) { u.findByWeChat = err },
		"BindPhone":    func(u *racingUsers, err error) { u.bindPhone = err },
	} {
		t.Run(name, func(t *testing.T) {
			w, users, codes, winner := newRace(t, func(w *world) scangate.NewUser {
				return scangate.NewUser{Identity: w.identity("lin")}
			})
			phone := w.phone("lin")
			page := phone.open("/account")
			fail(users, away)
			if a := phone.prove(codes, page, mobile); a.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("%s fails: status = %d, want 503\n%s", name, a.StatusCode, a.body)
			}
			if id := phone.user(); id != "" {
				t.Errorf("after %s failed: user %q, want none", name, id)
			}
			w.checkNumber(mobile, "")
			w.checkOwner("lin", winner.ID)
			fail(users, nil)
			if a := phone.typeCode(page, codes.to(mobile)); a.body != "user "+winner.ID {
				t.Errorf("the code again: status = %d, want user %q\n%s", a.StatusCode, winner.ID, a.body)
			}
			w.checkNumber(mobile, winner.ID)
		})
	}
}
