package login

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// newChat returns a store, and a login of the way that has digits or a code.
func newChat(t *testing.T, way Way) (*Store, *Login) {
	t.Helper()
	s := NewStore(newTestStore(), 5*time.Minute)
	return s, startChat(t, s, way)
}

// startChat starts another login in the store.
func startChat(t *testing.T, s *Store, way Way) *Login {
	t.Helper()
	l, err := s.Start(t.Context(), NewSlot(Request{Kind: CrossDevice, Way: way, AppID: "wx", Initiator: NewKey().Digest()}))
	if err == nil && way == WayMessage {
		l, err = s.IssueDigits(t.Context(), l)
	}
	if err == nil && way == WayFollow {
		l, err = s.SetScene(t.Context(), l, "http://weixin.qq.com/q/a")
	}
	if err != nil {
		t.Fatalf("start a login: %v", err)
	}
	return l
}

// person returns a person with that openid at the account of the tests.
func person(openID string) Person {
	return Person{Identity: Identity{AppID: "wx", OpenID: openID}, UserID: "user of " + openID}
}

func TestVouchIsForOnePerson(t *testing.T) {
	s, l := newChat(t, WayFollow)
	now := time.Now()
	l, err := s.Vouch(t.Context(), l, person("lin"), false, now)
	if err != nil || l.PublicState() != PublicState(StateScanned) || l.Bound() {
		t.Errorf("vouch: state = %s, bound = %v, error = %v, want scanned, unbound and none", l.PublicState(), l.Bound(), err)
	}
	if _, err := s.Vouch(t.Context(), l, person("lin"), false, now); !errors.Is(err, ErrRepeated) {
		t.Errorf("vouch again: error = %v, want %v", err, ErrRepeated)
	}
	if _, err := s.Vouch(t.Context(), l, person("wang"), false, now); !errors.Is(err, ErrInUse) {
		t.Errorf("vouch for another person: error = %v, want %v", err, ErrInUse)
	}
	if _, err := s.FindChat(t.Context(), person("wang").Identity, now); !errors.Is(err, ErrUnknown) {
		t.Errorf("login of the other person: error = %v, want %v", err, ErrUnknown)
	}
	if _, err := s.FindChat(t.Context(), person("lin").Identity, now.Add(-time.Second)); !errors.Is(err, ErrUnknown) {
		t.Errorf("login for a message from before the scan: error = %v, want %v", err, ErrUnknown)
	}
	if found, err := s.FindChat(t.Context(), person("lin").Identity, now.Add(time.Second)); err != nil || found.ID() != l.ID() {
		t.Errorf("login of the person: error = %v, want the login", err)
	}
	if l, err = s.Approve(t.Context(), l); err != nil || l.State() != StateApproved {
		t.Errorf("approve: state = %s, error = %v, want approved", l.State(), err)
	}
}

func TestLateFailureOfALookupRefusesNoOne(t *testing.T) {
	s, l := newChat(t, WayFollow)
	lin := Person{Identity: Identity{AppID: "wx", OpenID: "lin"}}
	l, err := s.Vouch(t.Context(), l, lin, false, time.Now())
	if err != nil {
		t.Fatalf("vouch: error = %v, want none", err)
	}
	for _, want := range []error{nil, ErrRepeated} {
		if l, err = s.RefuseUnlearned(t.Context(), l, "wechat"); !errors.Is(err, want) || l.Person().Refusal != "wechat" {
			t.Errorf("failure of a look-up: refusal = %q, error = %v, want wechat and %v", l.Person().Refusal, err, want)
		}
	}
	if l, err = s.Learn(t.Context(), l, lin); err != nil || l.Person().Refusal != "" {
		t.Errorf("success of another look-up: refusal = %q, error = %v, want none", l.Person().Refusal, err)
	}
	if l, err = s.RefuseUnlearned(t.Context(), l, "wechat"); !errors.Is(err, ErrRepeated) || l.Person().Refusal != "" {
		t.Errorf("failure after the success: refusal = %q, error = %v, want none and %v", l.Person().Refusal, err, ErrRepeated)
	}
}

func TestNewerScanEndsTheOlderLogin(t *testing.T) {
	s, older := newChat(t, WayFollow)
	newer, now := startChat(t, s, WayFollow), time.Now()
	for _, l := range []*Login{older, newer} {
		if _, err := s.Vouch(t.Context(), l, person("lin"), false, now); err != nil {
			t.Fatalf("vouch: error = %v, want none", err)
		}
		now = now.Add(time.Second)
	}
	if l, err := s.Load(t.Context(), older.ID()); err != nil || l.PublicState() != "expired" {
		t.Errorf("older login: state = %v, error = %v, want expired", l.PublicState(), err)
	}
	// WeChat repeats the older message after the newer one.
	if _, err := s.Vouch(t.Context(), older, person("lin"), false, now.Add(-2*time.Second)); !errors.Is(err, ErrReplaced) {
		t.Errorf("repeat of the older scan: error = %v, want %v", err, ErrReplaced)
	}
	if l, err := s.FindChat(t.Context(), person("lin").Identity, now); err != nil || l.ID() != newer.ID() {
		t.Errorf("login of the person: error = %v, want the newer one", err)
	}
}

func TestDigitsFindOneOpenLogin(t *testing.T) {
	s, l := newChat(t, WayMessage)
	if len(l.Digits()) != 8 {
		t.Errorf("digits = %q, want 8", l.Digits())
	}
	if found, err := s.FindDigits(t.Context(), l.Digits(), "lin"); err != nil || found.ID() != l.ID() {
		t.Errorf("find the digits: error = %v, want the login", err)
	}
	again, err := s.IssueDigits(t.Context(), l)
	if !errors.Is(err, ErrRepeated) || again.Digits() != l.Digits() {
		t.Errorf("issue digits again: %q, error = %v, want the same digits and %v", again.Digits(), err, ErrRepeated)
	}
	if l, err = s.Vouch(t.Context(), l, person("lin"), true, time.Now()); err != nil || !l.Typed() {
		t.Errorf("vouch: typed = %v, error = %v, want typed", l.Typed(), err)
	}
	if _, err := s.FindDigits(t.Context(), l.Digits(), "wang"); !errors.Is(err, ErrUnknown) {
		t.Errorf("digits of another person: error = %v, want %v", err, ErrUnknown)
	}
	if _, err := s.Deny(t.Context(), l); err != nil {
		t.Fatalf("deny: error = %v, want none", err)
	}
	if _, err := s.FindDigits(t.Context(), l.Digits(), "lin"); !errors.Is(err, ErrUnknown) {
		t.Errorf("digits of a denied login: error = %v, want %v", err, ErrUnknown)
	}
}

func TestNoTripToWeChatBeginsALoginInAChat(t *testing.T) {
	s, l := newChat(t, WayFollow)
	attacker, phone := NewKey(), NewKey()
	exchange := func(key Key, who string, fails error) error {
		_, err := s.Exchange(t.Context(), l, key, ScopeBase, string(key), func(context.Context, *Login) (Person, error) {
			return person(who), fails
		})
		return err
	}
	if err := exchange(attacker, "wang", nil); !errors.Is(err, ErrUnknown) {
		t.Errorf("exchange before the scan: error = %v, want %v", err, ErrUnknown)
	}
	if _, err := s.Vouch(t.Context(), l, person("lin"), false, time.Now()); err != nil {
		t.Fatalf("vouch: error = %v, want none", err)
	}
	refusal := &RejectedError{Reason: "other", Err: errors.New("another person")}
	if err := exchange(attacker, "wang", refusal); !errors.Is(err, refusal) {
		t.Errorf("exchange by another person: error = %v, want %v", err, refusal)
	}
	if err := exchange(phone, "lin", nil); err != nil {
		t.Errorf("exchange by the person: error = %v, want none", err)
	}
	if err := exchange(NewKey(), "lin", nil); !errors.Is(err, ErrInUse) {
		t.Errorf("exchange in another browser: error = %v, want %v", err, ErrInUse)
	}
	if l, err := s.Load(t.Context(), l.ID()); err != nil || !l.AuthorizedBy(phone) || l.AuthorizedBy(attacker) {
		t.Errorf("error = %v, want the phone alone as the authorizer", err)
	}
}

func TestEchoBindsOneBrowser(t *testing.T) {
	s, l := newChat(t, WayMessage)
	l, err := s.Vouch(t.Context(), l, person("lin"), true, time.Now())
	if err != nil {
		t.Fatalf("vouch: error = %v, want none", err)
	}
	if _, err := s.Echo(t.Context(), l, "0000", "first"); !errors.Is(err, ErrUnknown) {
		t.Errorf("echo without a page: error = %v, want %v", err, ErrUnknown)
	}
	phone, other := NewKey(), NewKey()
	digits, err := s.AwaitEcho(t.Context(), l, phone)
	if again, errAgain := s.AwaitEcho(t.Context(), l, phone); err != nil || errAgain != nil || len(digits) != 4 || again != digits {
		t.Errorf("await an echo twice: %q, %v and %q, %v, want the same 4 digits", digits, err, again, errAgain)
	}
	if theirs, err := s.AwaitEcho(t.Context(), l, other); err != nil || theirs == digits {
		t.Errorf("await an echo in another browser: %q, %v, want other digits than %q", theirs, err, digits)
	}
	if l, err = s.Echo(t.Context(), l, digits, "second"); err != nil || !l.AuthorizedBy(phone) {
		t.Errorf("echo: error = %v, want the phone bound", err)
	}
	if _, err := s.AwaitEcho(t.Context(), l, other); !errors.Is(err, ErrInUse) {
		t.Errorf("await an echo in another browser: error = %v, want %v", err, ErrInUse)
	}
}

func TestThirdWrongEchoDenies(t *testing.T) {
	s, l := newChat(t, WayMessage)
	l, err := s.Vouch(t.Context(), l, person("lin"), true, time.Now())
	if err == nil {
		_, err = s.AwaitEcho(t.Context(), l, NewKey())
	}
	if err != nil {
		t.Fatalf("await an echo: error = %v, want none", err)
	}
	for i, want := range []State{StateIdentified, StateIdentified, StateDenied} {
		got, err := s.Echo(t.Context(), l, "none", strconv.Itoa(i))
		if !errors.Is(err, ErrCodeWrong) || got.State() != want {
			t.Errorf("wrong echo %d: state = %s, error = %v, want %s and %v", i+1, got.State(), err, want, ErrCodeWrong)
		}
	}
}

func TestDigitsOfAnExpiredLoginAreUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := newChat(t, WayMessage)
		<-time.After(5 * time.Minute)
		if _, err := s.FindDigits(t.Context(), l.Digits(), "lin"); !errors.Is(err, ErrUnknown) {
			t.Errorf("digits of an expired login: error = %v, want %v", err, ErrUnknown)
		}
	})
}

// A damaged entry of a chat counts as none. The person's next scan replaces it.
func TestDamagedChatEntryIsNone(t *testing.T) {
	s, l := newChat(t, WayFollow)
	whole := string(chatEntry{l.ID(), time.Now()}.encode())
	for name, value := range map[string]string{
		"nothing":          "",
		"another format":   "\x02" + whole[1:],
		"no time":          whole[:1],
		"half a time":      whole[:2],
		"a time too long":  "\x01" + strings.Repeat("\xff", 20) + l.ID(),
		"no ID":            strings.TrimSuffix(whole, l.ID()),
		"half an ID":       whole[:len(whole)-1],
		"an ID too long":   whole + "A",
		"other characters": strings.TrimSuffix(whole, l.ID()) + strings.Repeat("/", len(l.ID())),
	} {
		key := "chat:" + name
		if err := s.state.Create(t.Context(), key, []byte(value), time.Hour); err != nil {
			t.Fatal(err)
		}
		if entry, _, err := s.loadChat(t.Context(), key); err != nil || entry.id != "" {
			t.Errorf("entry with %s: login %q, error = %v, want no login and no error", name, entry.id, err)
		}
	}
}
