package scangate_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// disabledNumber is a user store in which the user with that number is disabled.
type disabledNumber struct {
	scangate.UserStore
	number string
}

func (s disabledNumber) FindByPhone(ctx context.Context, number string) (scangate.User, error) {
	user, err := s.UserStore.FindByPhone(ctx, number)
	user.Disabled = user.Disabled || number == s.number
	return user, err
}

// disableNumber returns an option of newWorld by which the user with the number is disabled.
func disableNumber(number string) func(*scangate.Config) {
	return func(c *scangate.Config) { c.Users = disabledNumber{c.Users, number} }
}

// A person proves the number of a disabled user, and then one of a user who may log in.
func TestNumberOfADisabledUserLeavesOtherNumbers(t *testing.T) {
	t.Parallel()
	for mode, option := range map[string]func(*texts, *scangate.Config){"open": (*texts).withPhone, "by phone": (*texts).byPhone} {
		t.Run(mode, func(t *testing.T) {
			codes := &texts{}
			w := newWorld(t, func(c *scangate.Config) { option(codes, c) }, disableNumber(mobile))
			w.knowPhone(mobile, clerk("a"))
			want := w.knowPhone(mobile2, clerk("b")).ID
			desktop, phone := w.desktop(), w.phone("lin")
			s := desktop.start()
			page := phone.scan(s)
			if a := phone.prove(codes, page, mobile); a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "This account has been disabled.") {
				t.Errorf("number of a disabled user: status = %d, want %d and the reason\n%s", a.StatusCode, http.StatusForbidden, a.body)
			}
			if got := desktop.state(s); got != "rejected" {
				t.Errorf("number of a disabled user: state = %q, want rejected", got)
			}
			if a := phone.get(s.ScanURL); a.location() != page.Request.URL.Path {
				t.Errorf("scan again: status = %d to %q, want the phone page", a.StatusCode, a.location())
			}
			phone.prove(codes, page, mobile2)
			phone.answer(s, "approve")
			desktop.finish(s)
			if got := desktop.user(); got != want {
				t.Errorf("second number: user = %q, want %q", got, want)
			}
		})
	}
}

// The same in a mini program.
func TestMiniProgramTakesANumberAfterThatOfADisabledUser(t *testing.T) {
	sms := &texts{}
	w := newWorld(t, miniOnly, sms.byPhone, disableNumber(mobile))
	w.knowPhone(mobile, clerk("a"))
	want := w.knowPhone(mobile2, clerk("b")).ID
	desktop, phone := w.desktop(), w.mini("lin")
	s := desktop.start()
	wantStep(t, "scan", phone.enter(s), "phone")
	wantStep(t, "number of a disabled user", phone.number(s, "phone", mobile), "code")
	wantProblem(t, "its code", phone.number(s, "sms", sms.to(mobile)), http.StatusForbidden, "disabled")
	wantStep(t, "enter again", phone.enter(s), "phone")
	wantStep(t, "second number", phone.number(s, "phone", mobile2), "code")
	wantStep(t, "its code", phone.number(s, "sms", sms.to(mobile2)), "confirm")
	if got := approved(t, desktop, s, phone.answer(s, "approve")); got != want {
		t.Errorf("second number: user = %q, want %q", got, want)
	}
}

// In a chat, the reply to the number on the screen gives the reason.
func TestChatNamesTheNumberOfADisabledUser(t *testing.T) {
	sms := &texts{}
	w := newChatWorld(t, scangate.ScanFollow, sms.withPhone, disableNumber(mobile))
	w.knowPhone(mobile, clerk("a"))
	desktop, phone := w.desktop(), w.phone("lin")
	s := desktop.start()
	w.scanCode("lin", s)
	page := phone.openLink(w.chatLink("lin"))
	phone.prove(sms, page, mobile)
	if got, want := w.say("lin", s.number()), "This account has been disabled."; !strings.Contains(got, want) {
		t.Errorf("number on the screen: reply %q, want %q", got, want)
	}
	phone.prove(sms, page, mobile2)
	phone.answer(s, "approve", "number", s.number())
	if got := desktop.state(s); got != "approved" {
		t.Errorf("second number: state = %q, want approved", got)
	}
}
