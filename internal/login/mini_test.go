package login

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// enteredMini returns a login that the mini program with the key has entered.
func enteredMini(t *testing.T, s *Store, key Key, openID string) *Login {
	t.Helper()
	l, err := s.Start(t.Context(), NewSlot(Request{Kind: CrossDevice, Way: WayMini, AppID: "mini", Initiator: NewKey().Digest()}))
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	l, err = s.Exchange(t.Context(), l, key, ScopeBase, "code", func(context.Context, *Login) (Person, error) {
		return Person{Identity: Identity{AppID: "mini", OpenID: openID}, UserID: "user"}, nil
	})
	if err != nil {
		t.Fatalf("exchange: %v", err)
	}
	return l
}

func TestEnterAgain(t *testing.T) {
	s := NewStore(newTestStore(), 5*time.Minute)
	first, second := NewKey(), NewKey()
	l := enteredMini(t, s, first, "lin")
	l, err := s.SetCode(t.Context(), l, first, "+8613800138000", "123456")
	if err != nil {
		t.Fatalf("set a code: %v", err)
	}
	for name, who := range map[string]Identity{"another openid": {AppID: "mini", OpenID: "wang"}, "another account": {AppID: "official", OpenID: "lin"}} {
		if _, err := s.EnterAgain(t.Context(), l, who, second); !errors.Is(err, ErrInUse) {
			t.Errorf("%s: error = %v, want %v", name, err, ErrInUse)
		}
	}
	who := Identity{AppID: "mini", OpenID: "lin"}
	l, err = s.EnterAgain(t.Context(), l, who, second)
	if err != nil || !l.AuthorizedBy(second) || l.AuthorizedBy(first) {
		t.Errorf("the same person: error = %v, want the second key alone to count", err)
	}
	if phone, _ := l.Code(); phone != "" {
		t.Errorf("one-time code after the change of keys = for %q, want none", phone)
	}
	if _, err := s.EnterAgain(t.Context(), l, who, second); !errors.Is(err, ErrRepeated) {
		t.Errorf("the same key again: error = %v, want %v", err, ErrRepeated)
	}
	l, err = s.Deny(t.Context(), l)
	if err != nil {
		t.Fatalf("deny: %v", err)
	}
	if _, err := s.EnterAgain(t.Context(), l, who, first); !errors.Is(err, ErrDenied) {
		t.Errorf("after the denial: error = %v, want %v", err, ErrDenied)
	}
}

// TestEnterAgainRefusesOtherLogins has records that no mini program has entered.
func TestEnterAgainRefusesOtherLogins(t *testing.T) {
	who := Identity{AppID: "mini", OpenID: "lin"}
	for name, change := range map[string]func(*record){
		"not entered":                   func(r *record) { r.Person = nil },
		"a login on one device":         func(r *record) { r.Kind = SameDevice },
		"a login of the web":            func(r *record) { r.Way = "" },
		"a login in a chat":             func(r *record) { r.Way = WayFollow },
		"a login of the web, not begun": func(r *record) { r.Way, r.Person = "", nil },
	} {
		r := recordIn(CrossDevice, StateIdentified)
		r.Way, r.Person = WayMini, &Person{Identity: who}
		if err := r.clone().enterAgain(who, NewKey().Digest()); err != nil {
			t.Fatalf("an entered login: error = %v, want none", err)
		}
		change(r)
		if err := r.enterAgain(who, NewKey().Digest()); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: error = %v, want %v", name, err, ErrUnknown)
		}
	}
}

func TestMiniKey(t *testing.T) {
	s := NewStore(newTestStore(), 5*time.Minute)
	l, other := enteredMini(t, s, NewKey(), "lin"), enteredMini(t, s, NewKey(), "lin")
	key := l.MiniKey("code")
	if !ValidID(string(key)) || key != l.MiniKey("code") {
		t.Errorf("MiniKey = %q, want 26 characters, and the same again", key)
	}
	if key == l.MiniKey("code2") || key == other.MiniKey("code") {
		t.Error("MiniKey of another code or login is the same, want another")
	}
}

func TestBeginMini(t *testing.T) {
	s := NewStore(newTestStore(), 5*time.Minute)
	request := Request{AppID: "mini", ReturnTo: "/"}
	l, key, err := s.BeginMini(t.Context(), request, "code")
	if err != nil || !l.InitiatedBy(key) || l.Kind() != SameDevice || l.Way() != WayMini || !ValidID(string(key)) {
		t.Fatalf("BeginMini = %v, %v, want a login of the key", l, err)
	}
	again, sameKey, err := s.BeginMini(t.Context(), request, "code")
	if err != nil || again.ID() != l.ID() || sameKey != key {
		t.Errorf("the same code: login %q, %v, want the same login and key", again.ID(), err)
	}
	other, otherKey, err := s.BeginMini(t.Context(), request, "code2")
	if err != nil || other.ID() == l.ID() || otherKey == key {
		t.Errorf("another code: %v, want another login and key", err)
	}
}

// A damaged entry of a mini program's code is an unknown login.
func TestDamagedMiniEntryIsUnknown(t *testing.T) {
	state := newTestStore()
	s := NewStore(state, time.Minute)
	request := Request{Purpose: PurposeLogin, AppID: "wx"}
	if _, _, err := s.BeginMini(t.Context(), request, "code"); err != nil {
		t.Fatalf("begin: error = %v, want none", err)
	}
	var entry string
	for key := range state.values {
		if strings.HasPrefix(key, "mini:") {
			entry = key
		}
	}
	whole := state.values[entry]
	for _, damaged := range [][]byte{nil, whole[:1], whole[:len(whole)-1], append(slices.Clone(whole), 'A')} {
		state.values[entry] = damaged
		if l, key, err := s.BeginMini(t.Context(), request, "code"); !errors.Is(err, ErrUnknown) || l != nil || key != "" {
			t.Errorf("begin with an entry of %d bytes: login %v, error = %v, want none and %v", len(damaged), l, err, ErrUnknown)
		}
	}
}
