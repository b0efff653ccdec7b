package scangate_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// checkOwner demands that the identity is the user's; an empty id means that no
// user has it.
func (w *world) checkOwner(person, id string) {
	w.t.Helper()
	user, err := w.users.FindByWeChat(w.t.Context(), w.identity(person))
	if id == "" && errors.Is(err, scangate.ErrNotFound) {
		return
	}
	if err != nil || user.ID != id {
		w.t.Errorf("%s's WeChat belongs to %q, %v, want %q", person, user.ID, err, id)
	}
}

// checkNumber demands that the number is the user's; an empty id means that no
// user has it.
func (w *world) checkNumber(phone, id string) {
	w.t.Helper()
	user, err := w.users.FindByPhone(w.t.Context(), phone)
	if id == "" && errors.Is(err, scangate.ErrNotFound) {
		return
	}
	if err != nil || user.ID != id {
		w.t.Errorf("the number %s belongs to %q, %v, want %q", phone, user.ID, err, id)
	}
}

// profileOfWang sends the phone back from the profile round with a code that WeChat
// gave to wang, and demands that the gate refuses it and learns nothing from it.
func (w *world) profileOfWang(phone *browser, page answer) {
	w.t.Helper()
	for _, accept := range []string{"text/html", "application/json"} {
		callback, err := w.wechat.Approve(page.find(w.t, wechatURLPattern), "wang")
		if err != nil {
			w.t.Fatal(err)
		}
		if a := phone.get(callback, "Accept", accept); a.StatusCode != http.StatusBadGateway {
			w.t.Errorf("another person's code, %s: status = %d, want 502\n%s", accept, a.StatusCode, a.body)
		}
	}
	if a := phone.get(page.Request.URL.Path); a.StatusCode != http.StatusOK {
		w.t.Errorf("the profile page after that: status = %d, want 200\n%s", a.StatusCode, a.body)
	}
	w.checkOwner("lin", "")
	w.checkOwner("wang", "")
}

// TestProfileRoundOfAnotherPerson has lin identified by the base round, and
// another person answer the profile round.
func TestProfileRoundOfAnotherPerson(t *testing.T) {
	t.Run("cross-device", func(t *testing.T) {
		w := newWorld(t, withProfile)
		desktop, phone := w.desktop(), w.phone("lin")
		s := desktop.start()
		page := phone.scan(s)
		w.profileOfWang(phone, page)
		if a := w.tapThroughProfile(phone, page); a.Request.URL.Path != s.confirmURL() {
			t.Fatalf("lin's own profile round: at %s, want %s", a.Request.URL.Path, s.confirmURL())
		}
		phone.answer(s, "approve")
		desktop.finish(s)
		if desktop.user() == "" {
			t.Error("the desktop is not logged in")
		}
		w.checkOwner("lin", desktop.user())
		w.checkOwner("wang", "")
	})
	t.Run("same-device", func(t *testing.T) {
		w := newWorld(t, withProfile)
		phone := w.phone("lin")
		page := phone.open("/account")
		w.profileOfWang(phone, page)
		a := phone.submit(page.Request.URL.Path, url.Values{"token": {page.find(t, tokenPattern)}})
		if id := phone.user(); id == "" || a.body != "user "+id {
			t.Errorf("after declining the profile: status = %d, user %q, want lin's\n%s", a.StatusCode, id, a.body)
		}
		w.checkOwner("lin", phone.user())
		w.checkOwner("wang", "")
	})
}

// racingUsers lets another request register between the look-up of a number and
// Register.
type racingUsers struct {
	scangate.UserStore
	between func() // runs once, before the next Register
	raced   bool

	// What these methods return after between has run, unless it is nil.
	findByPhone, findByWeChat, bindPhone error
}

func (u *racingUsers) Register(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
	if u.between != nil {
		between := u.between
		u.between, u.raced = nil, true
		between()
	}
	return u.UserStore.Register(ctx, who)
}

func (u *racingUsers) FindByPhone(ctx context.Context, phone string) (scangate.User, error) {
	if u.raced && u.findByPhone != nil {
		return scangate.User{}, u.findByPhone
	}
	return u.UserStore.FindByPhone(ctx, phone)
}

func (u *racingUsers) FindByWeChat(ctx context.Context, who scangate.Identity) (scangate.User, error) {
	if u.raced && u.findByWeChat != nil {
		return scangate.User{}, u.findByWeChat
	}
	return u.UserStore.FindByWeChat(ctx, who)
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
			t.Error(err)
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
		number string // that the user has in the end
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
				t.Errorf("events = %v, want %q and not registered", got, c.event)
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
		t.Errorf("logged in as %q after the refusal", id)
	}
	w.checkOwner("lin", "")
	w.checkOwner("wang", winner.ID)
	w.checkNumber(mobile, winner.ID)
	if a := phone.prove(codes, page, mobile2); !strings.HasPrefix(a.body, "user ") || a.body == "user "+winner.ID {
		t.Errorf("another number: status = %d, want a user of lin's own\n%s", a.StatusCode, a.body)
	}
	w.checkNumber(mobile2, phone.user())
}

// TestRegisterRaceStoreFails has the store fail after the lost race. The code
// typed again completes the login, because the number is proved.
func TestRegisterRaceStoreFails(t *testing.T) {
	away := errors.New("the store has gone")
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
				t.Errorf("logged in as %q though %s failed", id, name)
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
