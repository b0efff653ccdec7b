package login

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// Scan marks the QR code of a cross-device login as opened. It returns [ErrRepeated]
// if it was opened before.
func (s *Store) Scan(ctx context.Context, l *Login) (*Login, error) {
	return s.change(ctx, l, (*record).scan)
}

// Exchange lets the browser with that key exchange a code of the scope. It takes the
// lease on the login, calls ask, and stores the person that ask returns. While ask runs
// no other callback of the login can exchange a code. If ask fails or panics, the login
// is as open as before, and Exchange returns ask's error. A [RejectedError] is remembered
// together with the code.
//
// It returns [ErrRepeated] if this browser has exchanged a code of the scope before,
// and [ErrExchanging] while another callback has the lease: see [Store.WaitExchanged].
func (s *Store) Exchange(ctx context.Context, l *Login, key Key, scope Scope, code string, ask func(context.Context, *Login) (Person, error)) (*Login, error) {
	digest := Digest(sha256.Sum256([]byte(code)))
	l, err := s.change(ctx, l, func(r *record) error { return r.claim(key.Digest(), scope, digest) })
	if err != nil {
		return l, err
	}
	held := *l.record.Lease
	// Finish even if the browser goes away: a code works once, and the answer may
	// reach the person by WeChat's second delivery of the callback.
	ctx = context.WithoutCancel(ctx)
	asked := false
	defer func() {
		// ask calls the application's code. If that panics, the phone's next callback
		// would wait until the lease is over.
		if !asked {
			_, _ = s.change(ctx, l, func(r *record) error { return r.release(held, nil, Digest{}) })
		}
	}()
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	who, err := ask(asking, l)
	asked = true
	if err == nil {
		return s.identify(ctx, l, held, who)
	}
	by := (*RejectedError)(nil)
	_ = errors.As(err, &by) // nil if the application's store failed, which is not WeChat's fault
	released, undo := s.change(ctx, l, func(r *record) error { return r.release(held, by, digest) })
	if undo != nil && !errors.Is(undo, ErrRepeated) {
		return l, fmt.Errorf("%w; %w", err, undo)
	}
	return released, err
}

// identify stores the person that WeChat has returned. It tries several times, because
// the code cannot be exchanged again, and then gives the lease back, so that the phone
// can come with another code at once.
func (s *Store) identify(ctx context.Context, l *Login, held lease, who Person) (*Login, error) {
	for try := 1; ; try++ {
		identified, err := s.change(ctx, l, func(r *record) error { return r.identify(held, who) })
		if err == nil || isRefusal(err) {
			return identified, err
		}
		if try == storeTries {
			_, _ = s.change(ctx, l, func(r *record) error { return r.release(held, nil, Digest{}) })
			return l, err
		}
		pause := time.NewTimer(storePause)
		<-pause.C
	}
}

// isRefusal reports whether a step was refused, as opposed to the store having failed.
func isRefusal(err error) bool {
	for _, refusal := range []error{ErrUnknown, ErrExpired, ErrDenied, ErrFinished, ErrReplaced, ErrInUse} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// WaitExchanged returns when no callback of the login is exchanging a code. It returns
// [ErrExchanging] if that takes longer than 5 seconds.
func (s *Store) WaitExchanged(ctx context.Context, id string) error {
	l, err := s.Load(ctx, id)
	if err != nil || l.State() != StateExchanging {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	leased, cancelLease := context.WithDeadline(waiting, l.record.Lease.Until)
	defer cancelLease()
	_, err = s.Wait(leased, l)
	switch {
	case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
		return err
	case waiting.Err() != nil:
		return ErrExchanging
	}
	return nil // the holder of the lease has died
}

// SkipProfile notes that the person does not share their user info.
func (s *Store) SkipProfile(ctx context.Context, l *Login) (*Login, error) {
	return s.change(ctx, l, (*record).skipProfile)
}

// Recognize notes the user that the application registered for the person. It reads
// who.UserID, who.Nickname and who.HasPhone. It returns [ErrRepeated] once the person has
// gone on.
func (s *Store) Recognize(ctx context.Context, l *Login, who Person) (*Login, error) {
	return s.change(ctx, l, func(r *record) error { return r.recognize(who) })
}

// AssignUser notes the user that the gate has registered for the person. It returns
// [ErrRepeated] if the person is a user already.
func (s *Store) AssignUser(ctx context.Context, l *Login, userID string) (*Login, error) {
	return s.change(ctx, l, func(r *record) error { return r.assignUser(userID) })
}

// Agree notes that the person agrees to those versions of the terms. It returns
// [ErrRepeated] if that was noted before.
func (s *Store) Agree(ctx context.Context, l *Login, terms string) (*Login, error) {
	return s.change(ctx, l, func(r *record) error { return r.agree(terms) })
}

// SetCode makes code the one that the login accepts for the phone number, from the
// browser with that key.
func (s *Store) SetCode(ctx context.Context, l *Login, key Key, phone, code string) (*Login, error) {
	return s.change(ctx, l, func(r *record) error { return r.setCode(key, phone, code) })
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

// BindPhone notes that the proved number is bound to a user, whom the person is from now
// on. It reads who.UserID and who.New.
func (s *Store) BindPhone(ctx context.Context, l *Login, who Person) (*Login, error) {
	return s.change(ctx, l, func(r *record) error { return r.bindPhone(who) })
}

// ForgetPhone lets the person prove another number, after one that cannot log them in.
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

// Refuse notes the reason why the person cannot log in, for the initiator to see. The
// login stays open: the person may prove another phone number, or register meanwhile. It
// returns [ErrRepeated] if that reason was noted before.
func (s *Store) Refuse(ctx context.Context, l *Login, reason string) (*Login, error) {
	return s.change(ctx, l, func(r *record) error { return r.refuse(reason) })
}

// Finish ends the login. The caller then begins a session that counts from the given time.
// It returns [ErrRepeated] if the login was finished less than a minute ago: the caller may
// begin the same session again. After [Store.FailSession] it returns nil once more.
func (s *Store) Finish(ctx context.Context, l *Login, at time.Time) (*Login, error) {
	return s.change(ctx, l, func(r *record) error { return r.finish(at) })
}

// Close ends the finished login of that ID for good, because its session has ended: a
// repeated request must not begin it again. It does nothing if there is no such login.
func (s *Store) Close(ctx context.Context, id string) error {
	if !ValidID(id) {
		return nil
	}
	_, err := s.change(ctx, &Login{record: &record{ID: id}}, (*record).close)
	if errors.Is(err, ErrRepeated) || errors.Is(err, ErrUnknown) {
		return nil
	}
	return err
}

// FailSession notes that the session of a finished login could not be written, so that the
// next Finish counts as the first one. It returns [ErrRepeated] if that was noted, or if the
// login is closed or not finished.
func (s *Store) FailSession(ctx context.Context, l *Login) (*Login, error) {
	return s.change(ctx, l, (*record).failSession)
}

// RefuseSession ends a finished login for good, because the application refuses its session;
// see [Login.SessionRefused]. It returns [ErrRepeated] if the login is closed or not finished.
func (s *Store) RefuseSession(ctx context.Context, l *Login) (*Login, error) {
	return s.change(ctx, l, (*record).refuseSession)
}

// Reopen undoes Finish for a link that could not be stored. It returns [ErrRepeated] if
// the login is not finished.
func (s *Store) Reopen(ctx context.Context, l *Login) (*Login, error) {
	return s.change(ctx, l, (*record).reopen)
}
