package scangate

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// logins keeps attempts in a StateStore.
type logins struct {
	store StateStore
	ttl   time.Duration
}

// attemptKey is where an attempt is stored.
func attemptKey(id string) string { return "login:" + id }

// find returns the asker's open login of the same kind, account and return-to,
// or errUnknown; and the version of the index that names it, for create.
func (l *logins) find(ctx context.Context, like *attempt) (*attempt, int64, error) {
	id, version, err := l.store.Load(ctx, openKey(like))
	if errors.Is(err, ErrNotFound) {
		return nil, 0, errUnknown
	}
	if err != nil {
		return nil, 0, wrap("looking for the browser's login", err)
	}
	a, err := l.load(ctx, string(id))
	switch {
	case err != nil:
		return nil, version, err
	case a.Kind == kindDirect && a.Purpose == purposeLogin && a.State == stateFinished && time.Since(a.Finished) < loopWindow:
		return nil, version, errNoSession
	case !a.reusable():
		return nil, version, errUnknown
	}
	return a, version, nil
}

// create stores a new attempt and enters it in the index, which had the version
// given.
func (l *logins) create(ctx context.Context, a *attempt, version int64) error {
	a.State = stateWaiting
	if err := l.add(ctx, a, l.ttl); err != nil {
		return err
	}
	var err error
	if version == 0 {
		err = l.store.Create(ctx, openKey(a), []byte(a.ID), l.ttl+identifiedTTL)
	} else {
		err = l.store.Update(ctx, openKey(a), version, []byte(a.ID), l.ttl+identifiedTTL)
	}
	if errors.Is(err, ErrExists) || errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) {
		return nil // two tabs at once: both logins work, and the index holds one
	}
	return err
}

// createIdentified stores a new attempt of somebody who is logged in: nobody has
// to ask WeChat who that is.
func (l *logins) createIdentified(ctx context.Context, a *attempt) error {
	a.State = stateIdentified
	return l.add(ctx, a, identifiedTTL)
}

// add fills in what every new attempt has, and stores it.
func (l *logins) add(ctx context.Context, a *attempt, ttl time.Duration) error {
	number, err := rand.Int(rand.Reader, big.NewInt(90))
	if err != nil {
		return err
	}
	a.ID = rand.Text()
	a.Number = 10 + int(number.Int64())
	a.Created = time.Now()
	a.Expires = a.Created.Add(ttl)
	value, err := a.encode()
	if err != nil {
		return err
	}
	a.version = 1
	return l.store.Create(ctx, attemptKey(a.ID), value, ttl+goneAfter)
}

// openKey is where the asker's open login is found again.
func openKey(a *attempt) string {
	sum := sha256.New()
	for _, part := range []string{string(a.Asker[:]), string(a.Kind), string(a.Purpose), a.For, a.AppID, a.ReturnTo} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return "open:" + base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
}

// load returns the attempt of that id, also when it has expired, or errUnknown.
func (l *logins) load(ctx context.Context, id string) (*attempt, error) {
	if !validID(id) {
		return nil, errUnknown
	}
	value, version, err := l.store.Load(ctx, attemptKey(id))
	return decodeAttempt(id, value, version, err)
}

// wait returns the attempt as soon as it is not the one given any more.
func (l *logins) wait(ctx context.Context, a *attempt) (*attempt, error) {
	value, version, err := l.store.Wait(ctx, attemptKey(a.ID), a.version)
	return decodeAttempt(a.ID, value, version, err)
}

// decodeAttempt makes an attempt of what a store returned. A record that is
// damaged, or of another version of this package, is an unknown login.
func decodeAttempt(id string, value []byte, version int64, err error) (*attempt, error) {
	if errors.Is(err, ErrNotFound) {
		return nil, errUnknown
	}
	if err != nil {
		return nil, wrap("reading a login", err)
	}
	a := new(attempt)
	if a.decode(value) != nil || !a.sound() {
		return nil, errUnknown
	}
	a.ID, a.version = id, version
	a.lapse()
	return a, nil
}

// sound reports whether the parts of a stored attempt fit together.
func (a *attempt) sound() bool {
	if a.Kind != kindScan && a.Kind != kindDirect {
		return false
	}
	switch a.Purpose {
	case purposeLogin:
	case purposeLink, purposePhone:
		if a.For == "" {
			return false
		}
	default:
		return false
	}
	switch a.State {
	case stateWaiting, stateScanned, stateDenied:
		return true
	case stateExchanging:
		return a.Claim.sound() && (a.Claim.From == stateIdentified) == (a.Person != nil)
	case stateIdentified, stateApproved, stateFinished:
		return a.Person != nil
	}
	return false
}

// sound reports whether a claim was made in a state that claims are made in.
func (c *claim) sound() bool {
	return c != nil && (c.From == stateWaiting || c.From == stateScanned || c.From == stateIdentified)
}

// errUnchanged is what a change returns to leave the record as it is.
var errUnchanged = errors.New("scangate: nothing to change")

// change lets f change an attempt, and stores it. It takes the attempt as the
// caller has read it; if the store has a newer one by now, or f refuses the one
// given, f gets the one that the store has: so a change costs one command where
// nobody else changes the login, and no decision is made on an old one. If f
// refuses that too nothing is stored, and the attempt is returned with f's error;
// errUnchanged is none.
func (l *logins) change(ctx context.Context, a *attempt, f func(*attempt) error) (*attempt, error) {
	read := a.version == 0 // only its id is known
	for range changeTries {
		if read {
			stored, err := l.load(ctx, a.ID)
			if err != nil {
				return a, err
			}
			a = stored
		}
		changed := a.clone()
		switch err := f(changed); {
		case err != nil && !read:
			read = true
			continue
		case errors.Is(err, errUnchanged):
			return changed, nil
		case err != nil:
			return changed, err
		}
		err := l.update(ctx, changed)
		if !errors.Is(err, ErrConflict) {
			return changed, err
		}
		read = true
	}
	return a, fmt.Errorf("scangate: changing a login: %w", ErrConflict)
}

// update stores the attempt if the store still has the version that it was made of.
func (l *logins) update(ctx context.Context, a *attempt) error {
	value, err := a.encode()
	if err != nil {
		return err
	}
	ttl := max(time.Until(a.Expires), 0) + goneAfter
	err = l.store.Update(ctx, attemptKey(a.ID), a.version, value, ttl)
	switch {
	case errors.Is(err, ErrNotFound):
		return errUnknown
	case err != nil:
		a.version = 0 // who goes on with it has to read it first
		return wrap("storing a login", err)
	}
	a.version++
	return nil
}

// claim gets the right to exchange a code. It reports whether it did; it did not
// if that round is over for this browser already, and not yet, with
// errExchanging, while another callback has the right.
func (l *logins) claim(ctx context.Context, id string, by digest, r round) (*attempt, bool, error) {
	claimed := false
	a, err := l.change(ctx, &attempt{ID: id}, func(a *attempt) error {
		claimed = false
		if a.answered(by, r) {
			return errUnchanged
		}
		err := a.claim(by, r)
		claimed = err == nil
		return err
	})
	return a, claimed && err == nil, err
}

// exchanged returns when no callback is exchanging a code, or when the one that
// was has had its time.
func (l *logins) exchanged(ctx context.Context, id string) error {
	a, err := l.load(ctx, id)
	if err != nil || a.State != stateExchanging {
		return err
	}
	leased, cancel := context.WithDeadline(ctx, a.Claim.Until)
	defer cancel()
	_, err = l.wait(leased, a)
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}
