package login

import (
	"context"
	"errors"
	"fmt"
)

// Scan marks the QR code of a cross-device login as opened. It returns [ErrRepeated]
// if it was opened before.
func (s *Store) Scan(ctx context.Context, l *Login) (*Login, error) {
	return s.change(ctx, l, (*record).scan)
}

// Exchange lets the browser with that key exchange one code of the scope. It takes
// the lease on the login, calls ask, and stores the person that ask returns. While ask
// runs no other callback of the login can exchange a code; if ask fails, the login is
// as open as before, and Exchange returns ask's error.
//
// It returns [ErrRepeated] if this browser has exchanged a code of the scope before,
// and [ErrExchanging] while another callback has the lease: see [Store.WaitExchanged].
func (s *Store) Exchange(ctx context.Context, id string, key Key, scope Scope, ask func(context.Context, *Login) (Person, error)) (*Login, error) {
	unread := &Login{record: &record{ID: id}}
	l, err := s.change(ctx, unread, func(r *record) error { return r.claim(key.Digest(), scope) })
	if err != nil {
		return l, err
	}
	held := *l.record.Lease
	// Finish even if the browser goes away: a code works once, and the answer may
	// reach the person by WeChat's second delivery of the callback.
	ctx = context.WithoutCancel(ctx)
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	returned := false
	defer func() {
		// ask calls the application's code. If that panics, the phone's next callback
		// would wait until the lease is over.
		if !returned {
			_, _ = s.change(ctx, l, func(r *record) error { return r.release(held) })
		}
	}()
	who, err := ask(asking, l)
	returned = true
	if err == nil {
		return s.change(ctx, l, func(r *record) error { return r.identify(held, who) })
	}
	released, undo := s.change(ctx, l, func(r *record) error { return r.release(held) })
	if undo != nil && !errors.Is(undo, ErrRepeated) {
		return l, fmt.Errorf("%w; %w", err, undo)
	}
	return released, err
}

// WaitExchanged returns when no callback of the login is exchanging a code, or when
// the lease of the one that was is over.
func (s *Store) WaitExchanged(ctx context.Context, id string) error {
	l, err := s.Load(ctx, id)
	if err != nil || l.State() != StateExchanging {
		return err
	}
	leased, cancel := context.WithDeadline(ctx, l.record.Lease.Until)
	defer cancel()
	_, err = s.Wait(leased, l)
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil // the holder of the lease has died
	}
	return err
}

// SkipProfile notes that the person does not share their user info.
func (s *Store) SkipProfile(ctx context.Context, l *Login) (*Login, error) {
	return s.change(ctx, l, (*record).skipProfile)
}

// Recognize notes the user whom the application's own registration has made of the
// person: who's user ID, nickname, and whether that user has a phone number. It
// returns [ErrRepeated] once the person has gone on.
func (s *Store) Recognize(ctx context.Context, l *Login, who Person) (*Login, error) {
	return s.change(ctx, l, func(r *record) error { return r.recognize(who) })
}

// AssignUser notes the user that the gate has registered for the person. It returns
// [ErrRepeated] if the person is a user already.
func (s *Store) AssignUser(ctx context.Context, l *Login, userID string) (*Login, error) {
	return s.change(ctx, l, func(r *record) error { return r.assignUser(userID) })
}

// SetCode makes code the one that the login accepts for the phone number, from the
// browser with that key.
func (s *Store) SetCode(ctx context.Context, l *Login, key Key, phone, code string) (*Login, error) {
	return s.change(ctx, l, func(r *record) error { return r.setCode(key, phone, code) })
}

// DropCode removes a code that was not delivered.
func (s *Store) DropCode(ctx context.Context, l *Login) (*Login, error) {
	return s.change(ctx, l, (*record).dropCode)
}

// TryCode uses up one try at the code. A right code proves the number to be the
// person's. A wrong one returns [ErrCodeWrong]. It returns [ErrRepeated] if the number
// is proved already.
func (s *Store) TryCode(ctx context.Context, l *Login, key Key, code string) (*Login, error) {
	right := false
	l, err := s.change(ctx, l, func(r *record) error {
		var err error
		right, err = r.tryCode(key, code)
		return err // nil for a wrong code too: the try it used up must be stored
	})
	if err == nil && !right {
		err = ErrCodeWrong
	}
	return l, err
}

// BindPhone notes that the proved number is bound to the user of that ID, who the
// person is from now on.
func (s *Store) BindPhone(ctx context.Context, l *Login, userID string) (*Login, error) {
	return s.change(ctx, l, func(r *record) error { return r.bindPhone(userID) })
}

// ForgetPhone lets the person prove another number, after one that cannot be theirs.
func (s *Store) ForgetPhone(ctx context.Context, l *Login) (*Login, error) {
	return s.change(ctx, l, (*record).forgetPhone)
}

// Approve lets the initiator in.
func (s *Store) Approve(ctx context.Context, l *Login) (*Login, error) {
	return s.change(ctx, l, (*record).approve)
}

// Deny ends the login for good.
func (s *Store) Deny(ctx context.Context, l *Login) (*Login, error) {
	return s.change(ctx, l, (*record).deny)
}

// Finish ends the login, for the caller to begin the session. It returns
// [ErrRepeated] where a repeated callback of a same-device login may begin it again.
func (s *Store) Finish(ctx context.Context, l *Login) (*Login, error) {
	return s.change(ctx, l, (*record).finish)
}

// Reopen undoes Finish for a link that could not be stored. It returns [ErrRepeated] if
// the login is not finished.
func (s *Store) Reopen(ctx context.Context, l *Login) (*Login, error) {
	return s.change(ctx, l, (*record).reopen)
}
