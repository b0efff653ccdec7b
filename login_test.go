package scangate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	asker       = browserKey("ASKER").digest()
	phoneDigest = browserKey("PHONE").digest()
	other       = browserKey("OTHER").digest()
)

// attemptIn returns an attempt of that kind in that state, one minute old.
func attemptIn(k kind, s loginState) attempt {
	now := time.Now()
	a := attempt{ID: "ID", Kind: k, State: s, Asker: asker, Created: now.Add(-time.Minute), Expires: now.Add(time.Minute)}
	authorizer := phoneDigest
	if k == kindDirect {
		authorizer = asker
	}
	switch s {
	case stateExchanging:
		a.Authorizer = authorizer
		a.Claim = &claim{From: stateScanned, Until: now.Add(time.Second)}
	case stateIdentified, stateApproved, stateFinished:
		a.Authorizer = authorizer
		a.Person = &person{UserID: "u"}
		a.Finished = now
	}
	return a
}

func TestTransitions(t *testing.T) {
	steps := map[string]func(*attempt) error{
		"claim by phone":   func(a *attempt) error { return a.claim(phoneDigest, roundBase) },
		"claim by other":   func(a *attempt) error { return a.claim(other, roundBase) },
		"claim by asker":   func(a *attempt) error { return a.claim(asker, roundBase) },
		"claim profile":    func(a *attempt) error { return a.claim(a.Authorizer, roundProfile) },
		"approve":          (*attempt).approve,
		"deny":             (*attempt).deny,
		"finish":           (*attempt).finish,
		"finish, expired":  func(a *attempt) error { a.Expires = time.Now(); return a.finish() },
		"approve, expired": func(a *attempt) error { a.Expires = time.Now(); return a.approve() },
		"deny, expired":    func(a *attempt) error { a.Expires = time.Now(); return a.deny() },
		"claim, expired":   func(a *attempt) error { a.Expires = time.Now(); return a.claim(phoneDigest, roundBase) },
		"approve, no user": func(a *attempt) error { a.Person.UserID = ""; return a.approve() },
		"finish, no user":  func(a *attempt) error { a.Person.UserID = ""; return a.finish() },
		"finish, long ago": func(a *attempt) error { a.Finished = time.Now().Add(-time.Hour); return a.finish() },
	}
	for _, c := range []struct {
		kind kind
		from loginState
		step string
		to   loginState // if allowed
		err  error      // if refused
	}{
		{kindScan, stateWaiting, "claim by phone", stateExchanging, nil},
		{kindScan, stateScanned, "claim by phone", stateExchanging, nil},
		{kindScan, stateScanned, "claim by asker", stateExchanging, nil},
		{kindScan, stateExchanging, "claim by phone", "", errExchanging},
		{kindScan, stateExchanging, "claim by other", "", errExchanging},
		{kindScan, stateIdentified, "claim by other", "", errInUse},
		{kindScan, stateIdentified, "claim by phone", "", errUnknown},
		{kindScan, stateApproved, "claim by other", "", errInUse},
		{kindScan, stateDenied, "claim by phone", "", errDenied},
		{kindScan, stateFinished, "claim by phone", "", errFinished},
		{kindScan, stateScanned, "claim, expired", "", errExpired},
		{kindScan, stateWaiting, "claim profile", "", errUnknown},
		{kindScan, stateIdentified, "claim profile", stateExchanging, nil},
		{kindScan, stateApproved, "claim profile", "", errUnknown},
		{kindDirect, stateWaiting, "claim by asker", stateExchanging, nil},
		{kindDirect, stateWaiting, "claim by other", "", errUnknown},
		{kindDirect, stateIdentified, "claim by other", "", errUnknown},

		{kindScan, stateIdentified, "approve", stateApproved, nil},
		{kindScan, stateWaiting, "approve", "", errNotApproved},
		{kindScan, stateScanned, "approve", "", errNotApproved},
		{kindScan, stateExchanging, "approve", "", errNotApproved},
		{kindScan, stateApproved, "approve", "", errNotApproved},
		{kindScan, stateDenied, "approve", "", errDenied},
		{kindScan, stateFinished, "approve", "", errFinished},
		{kindScan, stateIdentified, "approve, expired", "", errExpired},
		{kindScan, stateIdentified, "approve, no user", "", errNotApproved},

		{kindScan, stateIdentified, "deny", stateDenied, nil},
		{kindScan, stateApproved, "deny", stateDenied, nil},
		{kindScan, stateDenied, "deny", "", errDenied},
		{kindScan, stateFinished, "deny", "", errFinished},
		{kindScan, stateIdentified, "deny, expired", "", errExpired},

		{kindScan, stateApproved, "finish", stateFinished, nil},
		{kindScan, stateWaiting, "finish", "", errNotApproved},
		{kindScan, stateScanned, "finish", "", errNotApproved},
		{kindScan, stateExchanging, "finish", "", errNotApproved},
		{kindScan, stateIdentified, "finish", "", errNotApproved},
		{kindScan, stateFinished, "finish", "", errFinished},
		{kindScan, stateDenied, "finish", "", errDenied},
		{kindScan, stateApproved, "finish, expired", "", errExpired},
		{kindScan, stateApproved, "finish, no user", "", errNotApproved},
		{kindDirect, stateIdentified, "finish", stateFinished, nil},
		{kindDirect, stateWaiting, "finish", "", errNotApproved},
		{kindDirect, stateExchanging, "finish", "", errNotApproved},
		{kindDirect, stateIdentified, "finish, expired", "", errExpired},
		{kindDirect, stateIdentified, "finish, no user", "", errNotApproved},
		{kindDirect, stateFinished, "finish", "", errUnchanged},
		{kindDirect, stateFinished, "finish, long ago", "", errFinished},
	} {
		t.Run(fmt.Sprint(c.kind, " ", c.from, ": ", c.step), func(t *testing.T) {
			a := attemptIn(c.kind, c.from)
			err := steps[c.step](&a)
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Fatalf("got %v, want %v", err, c.err)
			}
			want := c.to
			if c.err != nil {
				want = c.from
			}
			if a.State != want {
				t.Errorf("state %s, want %s", a.State, want)
			}
		})
	}
}

func TestClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := attemptIn(kindScan, stateScanned)
		if err := a.claim(phoneDigest, roundBase); err != nil {
			t.Fatal(err)
		}
		first := *a.Claim
		<-time.After(exchangeLease)
		a.Expires = time.Now().Add(time.Minute)
		a.lapse()
		if err := a.claim(other, roundBase); err != nil {
			t.Fatalf("a claim whose holder died can't be taken: %v", err)
		}
		if err := a.identify(first, person{UserID: "mallory"}); err == nil {
			t.Error("a claim that was lost identifies somebody")
		}
		if err := a.release(first); !errors.Is(err, errUnchanged) || a.State != stateExchanging {
			t.Errorf("a claim that was lost was released: %v", err)
		}
		second := *a.Claim
		if err := a.release(second); err != nil || a.State != stateScanned || a.Authorizer != (digest{}) {
			t.Errorf("released: %v, %s, authorizer %v", err, a.State, a.Authorizer)
		}
		if err := a.claim(phoneDigest, roundBase); err != nil {
			t.Fatal(err)
		}
		if err := a.identify(*a.Claim, person{UserID: "u"}); err != nil || a.State != stateIdentified || a.Authorizer != phoneDigest {
			t.Errorf("identified: %v, %s", err, a.State)
		}
		if got := time.Until(a.Expires); got != identifiedTTL {
			t.Errorf("%v are left", got)
		}
	})
}

// TestChange sees that a change costs one command where nobody else changes the
// login, and that what is refused is refused for what the store has.
func TestChange(t *testing.T) {
	approve, deny := (*attempt).approve, (*attempt).deny
	name := func(n string) func(*attempt) error {
		return func(a *attempt) error { a.Person.Nickname = n; return nil }
	}
	for _, c := range []struct {
		name      string
		meanwhile func(*attempt) error // by another request
		change    func(*attempt) error
		err       error
		calls     string
		state     loginState
		nickname  string
	}{
		{"nobody else", nil, approve, nil, "Update", stateApproved, ""},
		{"somebody else, and both may", name("new"), approve, nil, "Update Load Update", stateApproved, "new"},
		{"somebody else, who forbids it", deny, approve, errDenied, "Update Load", stateDenied, ""},
		{"somebody else, without whom it is forbidden", name("new"), func(a *attempt) error {
			if a.Person.Nickname == "" {
				return errNotApproved
			}
			return a.approve()
		}, nil, "Load Update", stateApproved, "new"},
		{"forbidden anyway", nil, func(a *attempt) error { a.Person.Nickname = "no"; return errInUse }, errInUse, "Load", stateIdentified, ""},
		{"nothing to change", nil, func(*attempt) error { return errUnchanged }, nil, "Load", stateIdentified, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := &callStore{StateStore: NewMemoryStore()}
			l := &logins{store: store, ttl: time.Minute}
			a := attemptIn(kindScan, stateIdentified)
			if err := l.add(t.Context(), &a, time.Minute); err != nil {
				t.Fatal(err)
			}
			if c.meanwhile != nil {
				if _, err := l.change(t.Context(), &a, c.meanwhile); err != nil {
					t.Fatal(err)
				}
			}
			store.calls = nil
			got, err := l.change(t.Context(), &a, c.change)
			if !errors.Is(err, c.err) || strings.Join(store.calls, " ") != c.calls {
				t.Errorf("%v by %v, want %v by %s", err, store.calls, c.err, c.calls)
			}
			if a.Person.Nickname != "" || a.State != stateIdentified {
				t.Error("the caller's own copy has changed")
			}
			stored, err := l.load(t.Context(), a.ID)
			if err != nil || stored.State != c.state || stored.Person.Nickname != c.nickname {
				t.Errorf("%s of %q, %v, is stored, want %s of %q", stored.State, stored.Person.Nickname, err, c.state, c.nickname)
			}
			if c.err == nil && (got.version != stored.version || got.State != stored.State) {
				t.Errorf("version %d returned and %d stored", got.version, stored.version)
			}
		})
	}
}

// TestChangeAfterAFailure sees that who goes on with an attempt that could not be
// stored undoes nothing of what others have stored since.
func TestChangeAfterAFailure(t *testing.T) {
	store := &failOnce{StateStore: NewMemoryStore()}
	l := &logins{store: store, ttl: time.Minute}
	a := attemptIn(kindScan, stateIdentified)
	if err := l.add(t.Context(), &a, time.Minute); err != nil {
		t.Fatal(err)
	}
	store.meanwhile = func() {
		if _, err := l.change(t.Context(), &attempt{ID: a.ID}, (*attempt).deny); err != nil {
			t.Error(err)
		}
	}
	failed, err := l.change(t.Context(), &a, func(a *attempt) error { a.Code = &phoneCode{}; return nil })
	if !errors.Is(err, errStoreAway) {
		t.Fatal(err)
	}
	after, err := l.change(t.Context(), failed, func(a *attempt) error { a.Code = nil; return nil })
	if err != nil || after.State != stateDenied {
		t.Errorf("a denied login is %s, %v", after.State, err)
	}
}

var errStoreAway = errors.New("the store is away")

// failOnce fails its first Update, during which something else happens.
type failOnce struct {
	StateStore
	meanwhile func()
}

func (s *failOnce) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	if meanwhile := s.meanwhile; meanwhile != nil {
		s.meanwhile = nil
		meanwhile()
		return errStoreAway
	}
	return s.StateStore.Update(ctx, key, version, value, ttl)
}

// callStore notes which of a store's methods are called.
type callStore struct {
	StateStore
	calls []string
}

func (s *callStore) Load(ctx context.Context, key string) ([]byte, int64, error) {
	s.calls = append(s.calls, "Load")
	return s.StateStore.Load(ctx, key)
}

func (s *callStore) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	s.calls = append(s.calls, "Update")
	return s.StateStore.Update(ctx, key, version, value, ttl)
}

func TestWords(t *testing.T) {
	for s, want := range map[loginState]string{
		stateWaiting: "waiting", stateScanned: "scanned", stateExchanging: "scanned", stateIdentified: "scanned",
		stateApproved: "approved", stateFinished: "approved", stateDenied: "denied",
	} {
		a := attemptIn(kindScan, s)
		if got := a.word(); got != want {
			t.Errorf("%s: %q, want %q", s, got, want)
		}
		a.Expires = time.Now()
		if s != stateDenied && s != stateFinished {
			want = "expired"
		}
		if got := a.word(); got != want {
			t.Errorf("%s, its time over: %q, want %q", s, got, want)
		}
	}
}
