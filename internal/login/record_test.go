package login

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
)

const (
	desktop  Key = "DESKTOP"
	phone    Key = "PHONE"
	attacker Key = "ATTACKER"
)

// recordIn returns a record of that kind in that state. It is one minute old and has
// one minute left.
func recordIn(k Kind, s State) *record {
	now := time.Now()
	r := &record{ID: "ID", State: s, Created: now.Add(-time.Minute), Expires: now.Add(time.Minute)}
	r.Kind, r.Initiator = k, desktop.Digest()
	authorizer := phone.Digest()
	if k == SameDevice {
		authorizer = desktop.Digest()
	}
	switch s {
	case StateExchanging:
		r.Authorizer = authorizer
		r.Lease = &lease{From: StateScanned, Until: now.Add(time.Second)}
	case StateIdentified, StateApproved, StateFinished:
		r.Authorizer = authorizer
		r.Person = &Person{UserID: "u"}
		r.Decided, r.Finished = now, now
	case StateDenied:
		r.Decided = now
	}
	return r
}

// expired lets the record's time be over.
func expired(step func(*record) error) func(*record) error {
	return func(r *record) error { r.Expires = time.Now(); return step(r) }
}

// unregistered makes the person of the record a new one.
func unregistered(step func(*record) error) func(*record) error {
	return func(r *record) error { r.Person.UserID = ""; return step(r) }
}

// longAfter lets the record's decision be an hour old.
func longAfter(step func(*record) error) func(*record) error {
	return func(r *record) error { r.Decided = r.Decided.Add(-time.Hour); return step(r) }
}

func claimBy(key Key) func(*record) error {
	return func(r *record) error { return r.claim(key.Digest(), ScopeBase, Digest{1}) }
}

func claimProfile(r *record) error { return r.claim(r.Authorizer, ScopeProfile, Digest{1}) }

// transition is a row of the tables below.
type transition struct {
	name string
	kind Kind
	from State
	step func(*record) error
	to   State // if the step is allowed
	err  error // if it is refused
}

// errRejected stands for any RejectedError in the tables below.
var errRejected = errors.New("a RejectedError")

func check(t *testing.T, rows []transition) {
	t.Helper()
	for _, row := range rows {
		t.Run(fmt.Sprint(row.kind, " ", row.from, ": ", row.name), func(t *testing.T) {
			r := recordIn(row.kind, row.from)
			err := row.step(r)
			if errors.As(err, new(*RejectedError)) {
				err = errRejected
			}
			if !errors.Is(err, row.err) || (err == nil) != (row.err == nil) {
				t.Fatalf("error = %v, want %v", err, row.err)
			}
			want := row.to
			if row.err != nil {
				want = row.from
			}
			if r.State != want {
				t.Errorf("state = %s, want %s", r.State, want)
			}
		})
	}
}

func TestClaim(t *testing.T) {
	check(t, []transition{
		{"phone", CrossDevice, StateWaiting, claimBy(phone), StateExchanging, nil},
		{"phone", CrossDevice, StateScanned, claimBy(phone), StateExchanging, nil},
		{"desktop", CrossDevice, StateScanned, claimBy(desktop), StateExchanging, nil},
		{"phone", CrossDevice, StateExchanging, claimBy(phone), "", ErrExchanging},
		{"attacker", CrossDevice, StateExchanging, claimBy(attacker), "", ErrExchanging},
		{"attacker", CrossDevice, StateIdentified, claimBy(attacker), "", ErrInUse},
		{"phone again", CrossDevice, StateIdentified, claimBy(phone), "", ErrRepeated},
		{"attacker", CrossDevice, StateApproved, claimBy(attacker), "", ErrInUse},
		{"phone", CrossDevice, StateDenied, claimBy(phone), "", ErrDenied},
		{"attacker", CrossDevice, StateFinished, claimBy(attacker), "", ErrFinished},
		{"expired", CrossDevice, StateScanned, expired(claimBy(phone)), "", ErrExpired},
		{"profile", CrossDevice, StateWaiting, claimProfile, "", ErrUnknown},
		{"profile", CrossDevice, StateIdentified, claimProfile, StateExchanging, nil},
		{"profile", CrossDevice, StateApproved, claimProfile, "", ErrUnknown},
		{"after ten failures", CrossDevice, StateScanned, func(r *record) error {
			r.Failures = maxFailures
			return claimBy(phone)(r)
		}, "", ErrTooManyFailures},
		{"with a rejected code", CrossDevice, StateScanned, func(r *record) error {
			r.Rejected = &rejected{Code: Digest{1}, Reason: "wechat"}
			return claimBy(phone)(r)
		}, "", errRejected},
		{"with another code than the rejected one", CrossDevice, StateScanned, func(r *record) error {
			r.Rejected = &rejected{Code: Digest{2}, Reason: "wechat"}
			return claimBy(phone)(r)
		}, StateExchanging, nil},
		{"desktop", SameDevice, StateWaiting, claimBy(desktop), StateExchanging, nil},
		{"attacker", SameDevice, StateWaiting, claimBy(attacker), "", ErrUnknown},
		{"attacker", SameDevice, StateIdentified, claimBy(attacker), "", ErrUnknown},
	})
}

func TestApproveAndDeny(t *testing.T) {
	approve, deny := (*record).approve, (*record).deny
	check(t, []transition{
		{"approve", CrossDevice, StateIdentified, approve, StateApproved, nil},
		{"approve", CrossDevice, StateWaiting, approve, "", ErrNotApproved},
		{"approve", CrossDevice, StateScanned, approve, "", ErrNotApproved},
		{"approve", CrossDevice, StateExchanging, approve, "", ErrNotApproved},
		{"approve again", CrossDevice, StateApproved, approve, "", ErrRepeated},
		{"approve again", CrossDevice, StateFinished, approve, "", ErrRepeated},
		{"approve, long after", CrossDevice, StateApproved, longAfter(approve), "", ErrNotApproved},
		{"approve, long after", CrossDevice, StateFinished, longAfter(approve), "", ErrFinished},
		{"approve", CrossDevice, StateDenied, approve, "", ErrDenied},
		{"approve, expired", CrossDevice, StateIdentified, expired(approve), "", ErrExpired},
		{"approve, no user", CrossDevice, StateIdentified, unregistered(approve), "", ErrNotApproved},

		{"deny", CrossDevice, StateIdentified, deny, StateDenied, nil},
		{"deny", CrossDevice, StateApproved, deny, StateDenied, nil},
		{"deny again", CrossDevice, StateDenied, deny, "", ErrRepeated},
		{"deny, long after", CrossDevice, StateDenied, longAfter(deny), "", ErrDenied},
		{"deny", CrossDevice, StateFinished, deny, "", ErrFinished},
		{"deny, expired", CrossDevice, StateIdentified, expired(deny), "", ErrExpired},
	})
}

func TestFinish(t *testing.T) {
	finish := func(r *record) error { return r.finish(time.Now()) }
	check(t, []transition{
		{"finish", CrossDevice, StateApproved, finish, StateFinished, nil},
		{"finish", CrossDevice, StateWaiting, finish, "", ErrNotApproved},
		{"finish", CrossDevice, StateScanned, finish, "", ErrNotApproved},
		{"finish", CrossDevice, StateExchanging, finish, "", ErrNotApproved},
		{"finish", CrossDevice, StateIdentified, finish, "", ErrNotApproved},
		{"finish again", CrossDevice, StateFinished, finish, "", ErrRepeated},
		{"finish again, after a logout", CrossDevice, StateFinished, func(r *record) error {
			r.Closed = true
			return finish(r)
		}, "", ErrFinished},
		{"finish", CrossDevice, StateDenied, finish, "", ErrDenied},
		{"finish, expired", CrossDevice, StateApproved, expired(finish), "", ErrExpired},
		{"finish, no user", CrossDevice, StateApproved, unregistered(finish), "", ErrNotApproved},
		{"finish", SameDevice, StateIdentified, finish, StateFinished, nil},
		{"finish", SameDevice, StateWaiting, finish, "", ErrNotApproved},
		{"finish", SameDevice, StateExchanging, finish, "", ErrNotApproved},
		{"finish, expired", SameDevice, StateIdentified, expired(finish), "", ErrExpired},
		{"finish, no user", SameDevice, StateIdentified, unregistered(finish), "", ErrNotApproved},
		{"finish again", SameDevice, StateFinished, finish, "", ErrRepeated},
		{"finish, an hour later", SameDevice, StateFinished, func(r *record) error {
			r.Finished = time.Now().Add(-time.Hour)
			return finish(r)
		}, "", ErrFinished},
	})
}

// allSteps returns every step of a record, by name.
func allSteps() map[string]func(*record) error {
	return map[string]func(*record) error{
		"scan": (*record).scan, "claim": claimBy(phone), "claim by attacker": claimBy(attacker), "claim profile": claimProfile,
		"release":     func(r *record) error { return r.release(lease{}, nil, Digest{}) },
		"identify":    func(r *record) error { return r.identify(lease{}, Person{UserID: "mallory"}) },
		"skipProfile": (*record).skipProfile,
		"recognize":   func(r *record) error { return r.recognize(Person{UserID: "mallory", Nickname: "M", HasPhone: true}) },
		"assignUser":  func(r *record) error { return r.assignUser("mallory") },
		"bindPhone":   func(r *record) error { return r.bindPhone(Person{UserID: "mallory"}) },
		"forgetPhone": (*record).forgetPhone,
		"agree":       func(r *record) error { return r.agree("2") },
		"setCode":     func(r *record) error { return r.setCode(phone, "+8613800138000", "123456") },
		"tryCode":     func(r *record) error { _, err := r.tryCode(phone, "123456"); return err },
		"approve":     (*record).approve, "deny": (*record).deny,
		"finish": func(r *record) error { return r.finish(time.Now()) },
		"refuse": func(r *record) error { return r.refuse("disabled") }, "replace": (*record).replace, "close": (*record).close,
	}
}

// TestRefusedStepChangesNothing takes every step in every state.
func TestRefusedStepChangesNothing(t *testing.T) {
	for _, kind := range []Kind{CrossDevice, SameDevice} {
		for _, state := range []State{StateWaiting, StateScanned, StateExchanging, StateIdentified, StateApproved, StateFinished, StateDenied, StateReplaced} {
			for name, step := range allSteps() {
				for _, over := range []bool{false, true} {
					r := recordIn(kind, state)
					if over {
						r.Expires = time.Now()
					}
					before := r.clone()
					if err := step(r); err != nil && !reflect.DeepEqual(r, before) {
						t.Errorf("%s %s (expired %v): %s: error = %v, and the record became\n%+v, was\n%+v", kind, state, over, name, err, r, before)
					}
				}
			}
		}
	}
}

func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recordIn(CrossDevice, StateScanned)
		if err := claimBy(phone)(r); err != nil {
			t.Fatalf("claim: error = %v, want none", err)
		}
		first := *r.Lease
		<-time.After(leaseTime)
		r.Expires = time.Now().Add(time.Minute)
		r.lapse()
		if err := claimBy(attacker)(r); err != nil {
			t.Fatalf("claim after the lease has lapsed: error = %v, want none", err)
		}
		if err := r.identify(first, Person{UserID: "mallory"}); !errors.Is(err, ErrInUse) {
			t.Errorf("identify with a lapsed lease: error = %v, want ErrInUse", err)
		}
		if err := r.release(first, nil, Digest{}); !errors.Is(err, ErrRepeated) || r.State != StateExchanging {
			t.Errorf("release of a lapsed lease: error = %v, state = %s, want ErrRepeated and exchanging", err, r.State)
		}
		if err := r.release(*r.Lease, nil, Digest{}); err != nil || r.State != StateScanned || r.Authorizer != (Digest{}) {
			t.Errorf("release: error = %v, state = %s, authorizer = %v, want scanned and no authorizer", err, r.State, r.Authorizer)
		}
		if err := claimBy(phone)(r); err != nil {
			t.Fatalf("claim after a release: error = %v, want none", err)
		}
		if err := r.identify(*r.Lease, Person{UserID: "u"}); err != nil || r.State != StateIdentified || r.Authorizer != phone.Digest() {
			t.Errorf("identify: error = %v, state = %s, want identified by the phone", err, r.State)
		}
		if got := time.Until(r.Expires); got != identifiedTTL {
			t.Errorf("identify: %v left, want %v", got, identifiedTTL)
		}
	})
}

// TestAskEndsBeforeItsLease fails if a callback could still be asking WeChat when
// another one takes over its lease.
func TestAskEndsBeforeItsLease(t *testing.T) {
	if askTime >= leaseTime {
		t.Errorf("askTime = %v, want less than leaseTime, %v", askTime, leaseTime)
	}
}

func TestPublicState(t *testing.T) {
	for state, want := range map[State]PublicState{
		StateWaiting: "waiting", StateScanned: "waiting", StateExchanging: "waiting", StateIdentified: "scanned",
		StateApproved: "approved", StateFinished: "approved", StateDenied: "denied", StateReplaced: "expired",
	} {
		l := &Login{record: recordIn(CrossDevice, state)}
		if got := l.PublicState(); got != want {
			t.Errorf("%s: public state = %q, want %q", state, got, want)
		}
		l.record.Expires = time.Now()
		if state != StateDenied && state != StateFinished && state != StateReplaced {
			want = "expired"
		}
		if got := l.PublicState(); got != want {
			t.Errorf("%s, expired: public state = %q, want %q", state, got, want)
		}
	}
}
