package login

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/scangate/scangate/internal/state"
)

// SetScene notes the text of the account's QR code with the login's scene. It returns
// [ErrRepeated] if the login has a code or digits already.
func (s *Store) SetScene(ctx context.Context, l *Login, text string) (*Login, error) {
	return s.change(ctx, l, func(r *record) error { return r.setScene(text) })
}

// IssueDigits gives the login eight digits. They are issued to no other login until an hour
// after this one's time, because a person may send old digits again. It returns
// [ErrRepeated] if the login has a code or digits already.
func (s *Store) IssueDigits(ctx context.Context, l *Login) (*Login, error) {
	for range state.MaxTries {
		digits, err := randomDigits(digitsLength)
		if err != nil {
			return l, err
		}
		err = s.state.Create(ctx, digitsKey(digits), []byte(l.ID()), s.ttl+digitsRest)
		switch {
		case errors.Is(err, state.ErrExists):
			continue
		case err != nil:
			return l, fmt.Errorf("storing digits: %w", err)
		}
		return s.change(ctx, l, func(r *record) error { return r.setDigits(digits) })
	}
	return l, fmt.Errorf("storing digits: %w", state.ErrExists)
}

// FindDigits returns the open login of those digits. It returns [ErrUnknown] if there is
// none, or if it belongs to a person with another openid.
func (s *Store) FindDigits(ctx context.Context, digits, openID string) (*Login, error) {
	id, _, err := s.state.Load(ctx, digitsKey(digits))
	if errors.Is(err, state.ErrNotFound) {
		return nil, ErrUnknown
	}
	if err != nil {
		return nil, fmt.Errorf("looking for digits: %w", err)
	}
	l, err := s.Load(ctx, string(id))
	if err != nil {
		return nil, err
	}
	taken := l.Identified() && l.Person().Identity.OpenID != openID
	if l.Open() != nil || l.Digits() != digits || taken {
		return nil, ErrUnknown
	}
	return l, nil
}

func digitsKey(digits string) string { return "digits:" + digits }

// Vouch notes the person whose message has named the login: a scan of its code or, if
// typed, its digits. The message has the time at. An older login of the same person ends.
//
// It returns [ErrRepeated] if the person has the login already, [ErrInUse] if another
// person has it, and [ErrReplaced] if the person has begun another one since.
func (s *Store) Vouch(ctx context.Context, l *Login, who Person, typed bool, at time.Time) (*Login, error) {
	l, err := s.change(ctx, l, func(r *record) error { return r.vouch(who, typed) })
	if err != nil && !errors.Is(err, ErrRepeated) {
		return l, err
	}
	// After an error of the store, the repeated message comes here again.
	if entered := s.enterChat(ctx, l, at); entered != nil {
		return l, entered
	}
	return l, err
}

// enterChat makes the login the one that the person's next messages are about.
func (s *Store) enterChat(ctx context.Context, l *Login, at time.Time) error {
	key := chatKey(l.Person().Identity)
	for range state.MaxTries {
		former, version, err := s.loadChat(ctx, key)
		if err != nil {
			return err
		}
		switch {
		case former.id == l.ID():
			return nil
		case former.at.After(at):
			// The message is late: the person has scanned another code since.
			return s.supersede(ctx, l.ID())
		}
		if former.id != "" {
			// First, because a repeated message does not find the former login any more.
			if err := s.supersede(ctx, former.id); !errors.Is(err, ErrReplaced) {
				return err
			}
		}
		if version == 0 {
			err = s.state.Create(ctx, key, chatEntry{l.ID(), at}.encode(), s.ttl+identifiedTTL)
		} else {
			err = s.state.Update(ctx, key, version, chatEntry{l.ID(), at}.encode(), s.ttl+identifiedTTL)
		}
		switch {
		case state.LostRace(err):
			continue
		case err != nil:
			return fmt.Errorf("storing a chat: %w", err)
		}
		return nil
	}
	return fmt.Errorf("storing a chat: %w", state.ErrConflict)
}

// supersede ends the login of that ID, unless it is over or approved. It returns
// [ErrReplaced] if that has succeeded or there was nothing to do.
func (s *Store) supersede(ctx context.Context, id string) error {
	_, err := s.change(ctx, &Login{record: &record{ID: id}}, (*record).supersede)
	if err == nil || isRefusal(err) || errors.Is(err, ErrRepeated) {
		return ErrReplaced
	}
	return err
}

// FindChat returns the login that a person's messages are about, if the message of the time
// at does not precede it. It returns [ErrUnknown] if there is none.
func (s *Store) FindChat(ctx context.Context, who Identity, at time.Time) (*Login, error) {
	entry, _, err := s.loadChat(ctx, chatKey(who))
	if err != nil {
		return nil, err
	}
	if entry.id == "" || at.Before(entry.at) {
		return nil, ErrUnknown
	}
	l, err := s.Load(ctx, entry.id)
	if err == nil && (l.Person().Identity.AppID != who.AppID || l.Person().Identity.OpenID != who.OpenID) {
		return nil, ErrUnknown
	}
	return l, err
}

// Learn notes the unionid of a person in a chat, and the user whom it finds. It returns
// [ErrRepeated] once the person has gone on.
func (s *Store) Learn(ctx context.Context, l *Login, who Person) (*Login, error) {
	return s.change(ctx, l, func(r *record) error { return r.learn(who) })
}

// RefuseUnlearned is Refuse for a person in a chat whose unionid could not be looked up. It
// returns [ErrRepeated] if another look-up has succeeded, or once the person has gone on.
func (s *Store) RefuseUnlearned(ctx context.Context, l *Login, reason string) (*Login, error) {
	return s.change(ctx, l, func(r *record) error { return r.refuseUnlearned(reason) })
}

// AwaitEcho lets the browser with that key wait until its number is sent to the chat. It
// returns the number. It returns [ErrRepeated] if the browser is the authorizer's already,
// and [ErrInUse] if another one is.
func (s *Store) AwaitEcho(ctx context.Context, l *Login, key Key) (digits string, err error) {
	_, err = s.change(ctx, l, func(r *record) error {
		var err error
		digits, err = r.awaitEcho(key.Digest())
		return err
	})
	if errors.Is(err, ErrRepeated) && digits != "" {
		err = nil
	}
	return digits, err
}

// Echo makes the browser that shows the number the authorizer's. A wrong number returns
// [ErrCodeWrong], and the third one denies the login. It returns [ErrUnknown] if no browser
// waits. The message with the number has a name. If it is repeated, it changes nothing, and
// a right number returns [ErrRepeated].
func (s *Store) Echo(ctx context.Context, l *Login, digits, message string) (*Login, error) {
	right := false
	l, err := s.change(ctx, l, func(r *record) error {
		var err error
		right, err = r.echo(digits, message)
		return err // nil for a wrong number too: the try must be stored
	})
	if err == nil && !right {
		err = ErrCodeWrong
	}
	return l, err
}

// chatEntry is the login that a person's messages are about, and the time of the message
// that began it.
type chatEntry struct {
	id string
	at time.Time
}

// chatFormat is the version of an entry's stored form, and its first byte.
const chatFormat = 1

func (e chatEntry) encode() []byte {
	return append(binary.AppendVarint([]byte{chatFormat}, e.at.Unix()), e.id...)
}

// loadChat returns the entry of that key. It has no ID if there is none.
func (s *Store) loadChat(ctx context.Context, key string) (entry chatEntry, version int64, err error) {
	value, version, err := s.state.Load(ctx, key)
	switch {
	case errors.Is(err, state.ErrNotFound):
		return chatEntry{}, 0, nil
	case err != nil:
		return chatEntry{}, 0, fmt.Errorf("reading a chat: %w", err)
	case len(value) == 0 || value[0] != chatFormat:
		return chatEntry{}, version, nil
	}
	seconds, n := binary.Varint(value[1:])
	if n <= 0 || !ValidID(string(value[1+n:])) {
		return chatEntry{}, version, nil
	}
	return chatEntry{string(value[1+n:]), time.Unix(seconds, 0)}, version, nil
}

// chatKey returns the key of the person's entry. It does not reveal the openid.
func chatKey(who Identity) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", who.AppID, who.OpenID))
	return "chat:" + base64.RawURLEncoding.EncodeToString(sum[:])
}
