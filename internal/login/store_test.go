package login

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate/internal/state"
)

var errAway = errors.New("the store is away")

// testStore keeps records in memory, notes which methods are called, and can fail.
type testStore struct {
	state.Store
	values   map[string][]byte
	versions map[string]int64
	calls    []string
	onUpdate func() error // called once, before the next Update; its error is Update's
}

func newTestStore() *testStore {
	return &testStore{values: map[string][]byte{}, versions: map[string]int64{}}
}

func (s *testStore) Create(_ context.Context, key string, value []byte, _ time.Duration) error {
	if s.versions[key] > 0 {
		return state.ErrExists
	}
	s.values[key], s.versions[key] = value, 1
	return nil
}

func (s *testStore) Load(_ context.Context, key string) ([]byte, int64, error) {
	s.calls = append(s.calls, "Load")
	if s.versions[key] == 0 {
		return nil, 0, state.ErrNotFound
	}
	return s.values[key], s.versions[key], nil
}

func (s *testStore) Update(_ context.Context, key string, version int64, value []byte, _ time.Duration) error {
	s.calls = append(s.calls, "Update")
	if f := s.onUpdate; f != nil {
		s.onUpdate = nil
		if err := f(); err != nil {
			return err
		}
	}
	if s.versions[key] != version {
		return state.ErrConflict
	}
	s.values[key], s.versions[key] = value, version+1
	return nil
}

// identified stores a login that the phone has identified itself for.
func identified(t *testing.T, s *Store) *Login {
	t.Helper()
	l, err := s.create(t.Context(), recordIn(CrossDevice, StateIdentified), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func rename(name string) func(*record) error {
	return func(r *record) error { r.Person.Nickname = name; return nil }
}

// approveNamed approves a login whose person has a nickname.
func approveNamed(r *record) error {
	if r.Person.Nickname == "" {
		return ErrNotApproved
	}
	return r.approve()
}

func TestChangeCostsOneCommandUnlessAnotherRequestInterferes(t *testing.T) {
	for _, c := range []struct {
		name      string
		meanwhile func(*record) error // by another request
		step      func(*record) error
		err       error
		calls     string
		state     State
		nickname  string
	}{
		{"alone", nil, (*record).approve, nil, "Update", StateApproved, ""},
		{"beside a step that allows it", rename("new"), (*record).approve, nil, "Update Load Update", StateApproved, "new"},
		{"beside a step that forbids it", (*record).deny, (*record).approve, ErrDenied, "Update Load", StateDenied, ""},
		{"beside a step that it requires", rename("new"), approveNamed, nil, "Load Update", StateApproved, "new"},
		{"refused", nil, approveNamed, ErrNotApproved, "Load", StateIdentified, ""},
		{"repeated", nil, func(*record) error { return ErrRepeated }, ErrRepeated, "Load", StateIdentified, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newTestStore()
			s := NewStore(store, time.Minute)
			l := identified(t, s)
			if c.meanwhile != nil {
				if _, err := s.change(t.Context(), l, c.meanwhile); err != nil {
					t.Fatal(err)
				}
			}
			store.calls = nil
			got, err := s.change(t.Context(), l, c.step)
			if calls := strings.Join(store.calls, " "); !errors.Is(err, c.err) || calls != c.calls {
				t.Errorf("error = %v by the calls %q, want %v by %q", err, calls, c.err, c.calls)
			}
			if l.State() != StateIdentified || l.Person().Nickname != "" {
				t.Errorf("the caller's login became %s of %q", l.State(), l.Person().Nickname)
			}
			stored, err := s.Load(t.Context(), l.ID())
			if err != nil || stored.State() != c.state || stored.Person().Nickname != c.nickname {
				t.Errorf("stored: %s of %q, %v, want %s of %q", stored.State(), stored.Person().Nickname, err, c.state, c.nickname)
			}
			if got.version != stored.version || got.State() != stored.State() {
				t.Errorf("returned: %s of version %d, want the stored %s of version %d", got.State(), got.version, stored.State(), stored.version)
			}
		})
	}
}

// TestStepAfterFailedWrite goes on with a login that could not be stored. It must not
// undo a denial that another request has stored since.
func TestStepAfterFailedWrite(t *testing.T) {
	store := newTestStore()
	s := NewStore(store, time.Minute)
	l := identified(t, s)
	store.onUpdate = func() error {
		if _, err := s.Deny(t.Context(), &Login{record: &record{ID: l.ID()}}); err != nil {
			t.Errorf("deny: error = %v, want none", err)
		}
		return errAway
	}
	failed, err := s.SetCode(t.Context(), l, phone, "+8613800138000", "123456")
	if !errors.Is(err, errAway) {
		t.Fatalf("set a code: error = %v, want the store's", err)
	}
	after, err := s.ForgetPhone(t.Context(), failed)
	if !errors.Is(err, ErrDenied) || after.State() != StateDenied {
		t.Errorf("forget the number: error = %v, state = %s, want %v and denied", err, after.State(), ErrDenied)
	}
}

func TestCaseE01ExchangeGivesItsLeaseBack(t *testing.T) {
	s := NewStore(newTestStore(), time.Minute)
	l, err := s.Start(t.Context(), NewSlot(Request{Kind: CrossDevice, Initiator: desktop.Digest()}))
	if err != nil {
		t.Fatal(err)
	}
	failed, err := s.Exchange(t.Context(), l, phone, ScopeBase, "code", func(_ context.Context, l *Login) (Person, error) {
		if _, err := s.Exchange(t.Context(), l, attacker, ScopeBase, "code", nil); !errors.Is(err, ErrExchanging) {
			t.Errorf("exchange beside another: error = %v, want ErrExchanging", err)
		}
		return Person{}, errAway
	})
	if !errors.Is(err, errAway) || failed.State() != StateWaiting || failed.AuthorizedBy(phone) {
		t.Errorf("failed exchange: error = %v, state = %s, want the failure's, and waiting for any phone", err, failed.State())
	}
	done, err := s.Exchange(t.Context(), l, phone, ScopeBase, "code", func(context.Context, *Login) (Person, error) {
		return Person{UserID: "u"}, nil
	})
	if err != nil || done.State() != StateIdentified || !done.AuthorizedBy(phone) || done.AuthorizedBy(attacker) {
		t.Errorf("exchange: error = %v, state = %s, want identified by the phone", err, done.State())
	}
	if _, err := s.Exchange(t.Context(), l, phone, ScopeBase, "code", nil); !errors.Is(err, ErrRepeated) {
		t.Errorf("repeated exchange: error = %v, want ErrRepeated", err)
	}
}

func TestSlotOfAnotherVersionIsEmpty(t *testing.T) {
	store := newTestStore()
	s := NewStore(store, time.Minute)
	request := Request{Kind: CrossDevice, Initiator: desktop.Digest(), ReturnTo: "/"}
	first, err := s.Start(t.Context(), NewSlot(request))
	if err != nil {
		t.Fatal(err)
	}
	if slot, err := s.FindSlot(t.Context(), request); err != nil || slot.Login == nil || slot.Login.ID() != first.ID() {
		t.Fatalf("find: slot = %+v, error = %v, want the login in it", slot, err)
	}
	for _, entry := range []string{"", first.ID(), "2" + first.ID(), "1", "1gibberish"} {
		store.values[request.indexKey()] = []byte(entry)
		slot, err := s.FindSlot(t.Context(), request)
		if err != nil || slot.Login != nil {
			t.Errorf("entry %q: slot = %+v, error = %v, want an empty slot", entry, slot, err)
		}
		if _, err := s.Start(t.Context(), slot); err != nil {
			t.Errorf("entry %q: start: error = %v, want none", entry, err)
		}
	}
}

// TestFirstLoginNeedsNoIndexEntry begins the first login of a key, which has a record and no
// index entry, and goes on to later ones.
func TestFirstLoginNeedsNoIndexEntry(t *testing.T) {
	store := newTestStore()
	s := NewStore(store, time.Minute)
	key := NewKey()
	request := Request{Kind: CrossDevice, Initiator: key.Digest(), ReturnTo: "/"}
	first, err := s.Start(t.Context(), FirstSlot(request, key.FirstID()))
	if err != nil || first.ID() != key.FirstID() || !ValidID(first.ID()) || len(store.values) != 1 {
		t.Fatalf("start: error = %v, records = %d, want the login of the ID %s and no other record", err, len(store.values), key.FirstID())
	}
	find := func(request Request, want *Login) Slot {
		t.Helper()
		slot, err := s.FindFirst(t.Context(), request, key.FirstID())
		if err != nil || (slot.Login == nil) != (want == nil) || want != nil && slot.Login.ID() != want.ID() {
			t.Fatalf("find: slot = %+v, error = %v, want the login %v", slot, err, want)
		}
		return slot
	}
	find(request, first)
	elsewhere := request
	elsewhere.ReturnTo = "/elsewhere"
	second, err := s.Start(t.Context(), find(elsewhere, nil))
	if err != nil {
		t.Fatalf("start of another login: error = %v, want none", err)
	}
	find(elsewhere, second)
	find(request, first)

	slot, err := s.Renew(t.Context(), first, key)
	if err != nil {
		t.Fatalf("renew: error = %v, want none", err)
	}
	renewed, err := s.Start(t.Context(), slot)
	if err != nil || renewed.ID() == first.ID() {
		t.Fatalf("start of the renewed login: error = %v, want another ID than the first one", err)
	}
	find(request, renewed)
	if ended, err := s.Load(t.Context(), first.ID()); err != nil || ended.State() != StateReplaced {
		t.Errorf("the first login after the renewal: state = %s, error = %v, want replaced", ended.State(), err)
	}
}

// TestFirstLoginThatIsNotUsableIsReplaced finds a first login that is open, but whose code is to
// be renewed.
func TestFirstLoginThatIsNotUsableIsReplaced(t *testing.T) {
	s := NewStore(newTestStore(), time.Hour)
	key := NewKey()
	request := Request{Kind: CrossDevice, Initiator: key.Digest(), ReturnTo: "/"}
	first, err := s.Start(t.Context(), FirstSlot(request, key.FirstID()))
	if err != nil {
		t.Fatalf("start: error = %v, want none", err)
	}
	if first, err = s.change(t.Context(), first, func(r *record) error { r.Created = r.Created.Add(-renewAfter); return nil }); err != nil {
		t.Fatalf("make the login older: error = %v, want none", err)
	}
	slot, err := s.FindFirst(t.Context(), request, key.FirstID())
	if err != nil || slot.Login != nil {
		t.Fatalf("find: slot = %+v, error = %v, want an empty slot", slot, err)
	}
	if _, err := s.Start(t.Context(), slot); err != nil {
		t.Fatalf("start: error = %v, want none", err)
	}
	if ended, err := s.Load(t.Context(), first.ID()); err != nil || ended.State() != StateReplaced {
		t.Errorf("the first login after another start: state = %s, error = %v, want replaced", ended.State(), err)
	}
}

// TestRenewalBeginsUnderThePresentKey renews a login of one key for a browser that has another
// key by now, and another open login under that key.
func TestRenewalBeginsUnderThePresentKey(t *testing.T) {
	s := NewStore(newTestStore(), time.Minute)
	former, present := NewKey(), NewKey()
	request := Request{Kind: CrossDevice, Initiator: former.Digest(), ReturnTo: "/"}
	first, err := s.Start(t.Context(), FirstSlot(request, former.FirstID()))
	if err != nil {
		t.Fatalf("start under the former key: error = %v, want none", err)
	}
	request.Initiator = present.Digest()
	other, err := s.Start(t.Context(), FirstSlot(request, present.FirstID()))
	if err != nil {
		t.Fatalf("start under the present key: error = %v, want none", err)
	}
	slot, err := s.Renew(t.Context(), first, present)
	if err != nil {
		t.Fatalf("renew: error = %v, want none", err)
	}
	renewed, err := s.Start(t.Context(), slot)
	if err != nil || !renewed.InitiatedBy(present) || renewed.InitiatedBy(former) {
		t.Fatalf("start of the renewed login: error = %v, want a login of the present key alone", err)
	}
	for name, c := range map[string]struct {
		login *Login
		want  State
	}{"the renewed login": {first, StateReplaced}, "the other login": {other, StateWaiting}} {
		if got, err := s.Load(t.Context(), c.login.ID()); err != nil || got.State() != c.want {
			t.Errorf("%s: state = %s, error = %v, want %s", name, got.State(), err, c.want)
		}
	}
	if slot, err := s.FindSlot(t.Context(), request); err != nil || slot.Login == nil || slot.Login.ID() != renewed.ID() {
		t.Errorf("find under the present key: slot = %+v, error = %v, want the renewed login", slot, err)
	}
}
