package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"time"

	"github.com/scangate/scangate/internal/state"
)

// Store keeps logins in a state store. Each of its steps changes one login by
// compare-and-set and returns the changed login. A refused step returns the login as
// it is, with the reason.
type Store struct {
	state state.Store
	ttl   time.Duration
}

// NewStore returns a Store of logins that WeChat must have answered within ttl.
func NewStore(s state.Store, ttl time.Duration) *Store { return &Store{state: s, ttl: ttl} }

// Slot is the place in the store where an initiator's open login is found again. An
// initiator has one slot for each kind, purpose, target user, account, destination and way.
type Slot struct {
	request Request
	version int64  // of the index entry; 0 if there is none
	first   string // the ID of the new login if it is the first one of the initiator's key

	former *Login // an open login that is not to be used any more; may be nil

	// Login is the initiator's open login, or nil.
	Login *Login
}

// NewSlot returns the slot of a browser that has no login yet.
func NewSlot(request Request) Slot { return Slot{request: request} }

// FirstSlot is NewSlot for a browser whose key was just made. Its login gets the ID that
// [Key.FirstID] returns. It follows from the key, so the login needs no index entry: see
// [Store.FindFirst].
func FirstSlot(request Request, id string) Slot { return Slot{request: request, first: id} }

// FindFirst is FindSlot for a browser that has begun a login with [FirstSlot], which has that
// ID.
func (s *Store) FindFirst(ctx context.Context, request Request, id string) (Slot, error) {
	l, err := s.Load(ctx, id)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return NewSlot(request), err
	}
	mine := err == nil && l.record.slot() == request.slot()
	if mine && l.record.reusable() {
		return Slot{request: request, Login: l}, nil
	}
	slot, err := s.FindSlot(ctx, request)
	// A later login of the slot has ended the first one, or began as the renewal of another
	// key's login. Then it is the one that the next login ends.
	if err == nil && mine && l.Open() == nil && slot.version == 0 {
		slot.former = l
	}
	return slot, err
}

// FindSlot returns the slot for the request, with the open login in it.
func (s *Store) FindSlot(ctx context.Context, request Request) (Slot, error) {
	slot := NewSlot(request)
	entry, version, err := s.state.Load(ctx, request.indexKey())
	if errors.Is(err, state.ErrNotFound) {
		return slot, nil
	}
	if err != nil {
		return slot, fmt.Errorf("looking for the browser's login: %w", err)
	}
	slot.version = version
	if len(entry) == 0 || entry[0] != indexFormat {
		return slot, nil
	}
	l, err := s.Load(ctx, string(entry[1:]))
	switch {
	case errors.Is(err, ErrUnknown): // the index entry outlives its login
	case err != nil:
		return slot, err
	case l.record.reusable():
		slot.Login = l
	case l.Open() == nil:
		slot.former = l
	}
	return slot, nil
}

// Renew returns the slot for a new login in the place of l, which [Store.Start] ends. The
// caller has checked that the initiator is the browser of l, whose present key may be another
// one than l began with.
func (s *Store) Renew(ctx context.Context, l *Login, initiator Key) (Slot, error) {
	request := l.Request()
	request.Initiator = initiator.Digest()
	slot, err := s.FindSlot(ctx, request)
	if err == nil {
		slot.former, slot.Login = l, nil
	}
	return slot, err
}

// Start stores a new login and enters it in its slot. It ends the login that was there:
// no page would show that it was approved.
func (s *Store) Start(ctx context.Context, slot Slot) (*Login, error) {
	if slot.former != nil {
		if _, err := s.change(ctx, slot.former, (*record).replace); err != nil && !isRefusal(err) {
			return nil, err
		}
	}
	r := &record{Request: slot.request, State: StateWaiting}
	if slot.first != "" {
		return s.createAs(ctx, slot.first, r, s.ttl)
	}
	l, err := s.create(ctx, r, s.ttl)
	if err != nil {
		return nil, err
	}
	key, entry, ttl := slot.request.indexKey(), []byte(string(indexFormat)+l.ID()), s.ttl+identifiedTTL
	if slot.version == 0 {
		err = s.state.Create(ctx, key, entry, ttl)
	} else {
		err = s.state.Update(ctx, key, slot.version, entry, ttl)
	}
	if err != nil && !state.LostRace(err) {
		return nil, fmt.Errorf("storing a login: %w", err)
	}
	// A lost race means that another tab was faster. Both logins work; the slot
	// holds the other one.
	return l, nil
}

// StartIdentified stores a new login of a logged-in person, who needs no trip to
// WeChat. The initiator is the authorizer.
func (s *Store) StartIdentified(ctx context.Context, request Request, who Person) (*Login, error) {
	return s.create(ctx, &record{Request: request, State: StateIdentified, Authorizer: request.Initiator, Person: &who}, identifiedTTL)
}

// create stores a record under a random ID.
func (s *Store) create(ctx context.Context, r *record, ttl time.Duration) (*Login, error) {
	return s.createAs(ctx, r.newID(), r, ttl)
}

// createAs fills in what every new record has, and stores it.
func (s *Store) createAs(ctx context.Context, id string, r *record, ttl time.Duration) (*Login, error) {
	number, err := rand.Int(rand.Reader, big.NewInt(90))
	if err != nil {
		return nil, err
	}
	r.ID, r.Salt = id, rand.Text()
	r.Number = 10 + int(number.Int64())
	r.Created = time.Now()
	r.Expires = r.Created.Add(ttl)
	value, err := r.encode()
	if err == nil {
		err = s.state.Create(ctx, recordKey(r.ID), value, ttl+goneAfter)
	}
	if err != nil {
		return nil, fmt.Errorf("storing a login: %w", err)
	}
	return &Login{record: r, version: 1}, nil
}

func recordKey(id string) string { return state.LoginKind + id }

// place returns the place of an initiator's logins and index entries in a store on several
// servers, where they are on the same server.
func place(initiator Digest) string { return state.NewPlace(initiator[:]) }

// newID returns an ID for a login of the request: 120 random bits behind its place.
func (r *Request) newID() string { return place(r.Initiator) + rand.Text()[state.PlaceLength:] }

// slot returns the parts of a request that make its slot.
func (r *Request) slot() [7]string {
	return [...]string{string(r.Initiator[:]), string(r.Kind), string(r.Purpose), r.TargetUserID, r.AppID, r.ReturnTo, string(r.Way)}
}

// indexKey returns the key of the slot's index entry.
func (r *Request) indexKey() string {
	named := make([]byte, 0, 256)
	for _, part := range r.slot() {
		// The length keeps ("ab", "c") and ("a", "bc") apart.
		named = append(append(strconv.AppendInt(named, int64(len(part)), 10), ':'), part...)
	}
	sum := sha256.Sum256(named)
	return state.IndexKind + place(r.Initiator) + base64.RawURLEncoding.EncodeToString(sum[:])
}

// Load returns the login of that ID, an expired one too, or [ErrUnknown].
func (s *Store) Load(ctx context.Context, id string) (*Login, error) {
	if !ValidID(id) {
		return nil, ErrUnknown
	}
	value, version, err := s.state.Load(ctx, recordKey(id))
	return decodeLogin(id, value, version, err)
}

// Wait returns the login as soon as the store has another version of it than l.
func (s *Store) Wait(ctx context.Context, l *Login) (*Login, error) {
	value, version, err := s.state.Wait(ctx, recordKey(l.ID()), l.version)
	return decodeLogin(l.ID(), value, version, err)
}

// decodeLogin makes a Login of what the state store returned. A record that is
// damaged, or that another version of this package wrote, is an unknown login.
func decodeLogin(id string, value []byte, version int64, err error) (*Login, error) {
	if errors.Is(err, state.ErrNotFound) {
		return nil, ErrUnknown
	}
	if err != nil {
		return nil, fmt.Errorf("reading a login: %w", err)
	}
	read := new(struct { // one allocation, not two
		Login
		record
	})
	r := &read.record
	if r.decode(value) != nil || !r.sound() {
		return nil, ErrUnknown
	}
	r.ID = id
	r.lapse()
	read.Login = Login{record: r, version: version}
	return &read.Login, nil
}

// change applies a step to a login and stores the result. It begins with the login as
// the caller has read it. If the step is refused, or the store has a newer version, it
// reads the login and applies the step again. So a step costs one command unless another
// request changes the login too, and no refusal rests on an old record. If the step is
// refused again, change stores nothing and returns the login with the step's error.
func (s *Store) change(ctx context.Context, l *Login, step func(*record) error) (*Login, error) {
	read := l.version == 0
	for range state.MaxTries {
		if read {
			stored, err := s.Load(ctx, l.ID())
			if err != nil {
				return l, err
			}
			l = stored
		}
		changed := &Login{record: l.record.clone(), version: l.version}
		if err := step(changed.record); err != nil {
			if !read {
				read = true
				continue
			}
			return changed, err
		}
		storing := ctx
		if !l.wakes(changed) {
			storing = state.Quietly(ctx)
		}
		if err := s.update(storing, changed); !errors.Is(err, state.ErrConflict) {
			return changed, err
		}
		read = true
	}
	return l, fmt.Errorf("changing a login: %w", state.ErrConflict)
}

// wakes reports whether a call of Wait has to return for this change. Most calls wait for
// another public state, and need the time at which the login expires. Store.WaitExchanged
// waits for the end of a lease. The page of a login that a person has confirmed in a chat
// waits for what the gate learns about that person.
func (l *Login) wakes(changed *Login) bool {
	return l.PublicState() != changed.PublicState() ||
		!l.Expires().Equal(changed.Expires()) ||
		l.State() == StateExchanging ||
		l.InChat() && l.Identified()
}

// update stores the login if the store still has the version that it was made of.
func (s *Store) update(ctx context.Context, l *Login) error {
	value, err := l.record.encode()
	if err != nil {
		return err
	}
	err = s.state.Update(ctx, recordKey(l.ID()), l.version, value, l.record.keptFor())
	switch {
	case errors.Is(err, state.ErrNotFound):
		return ErrUnknown
	case err != nil:
		// The outcome of a failed write is unknown: force the next step to reload.
		l.version = 0
		return fmt.Errorf("storing a login: %w", err)
	}
	l.version++
	return nil
}
