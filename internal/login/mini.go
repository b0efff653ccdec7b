package login

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"

	"github.com/scangate/scangate/internal/state"
)

// codeKey returns the key that a mini program gets for a code. The code alone does not
// reveal it, and neither does the store, which has the salt. A repeated request gets the
// same key, so that its answer does not have to be stored.
func codeKey(salt, code string) Key {
	m := hmac.New(sha256.New, []byte(salt))
	m.Write([]byte("mini " + code))
	return Key(base32.StdEncoding.EncodeToString(m.Sum(nil)[:20])[:idLength])
}

// MiniKey returns the key of a mini program that enters the login with that code.
func (l *Login) MiniKey(code string) Key { return codeKey(l.record.Salt+l.record.ID, code) }

// EnterAgain makes the mini program with that key the authorizer's in place of an earlier
// one. WeChat has vouched for the same person again. It returns [ErrInUse] if the login is
// another person's, and [ErrRepeated] if the mini program has the login already.
func (s *Store) EnterAgain(ctx context.Context, l *Login, who Identity, key Key) (*Login, error) {
	return s.change(ctx, l, func(r *record) error { return r.enterAgain(who, key.Digest()) })
}

// enterAgain makes the mini program the authorizer's.
func (r *record) enterAgain(who Identity, browser Digest) error {
	if r.Way != WayMini || r.Kind != CrossDevice || r.Person == nil {
		return ErrUnknown
	}
	switch err := r.open(); {
	case r.Person.Identity.AppID != who.AppID || r.Person.Identity.OpenID != who.OpenID:
		// Checked first: the login's state must not be revealed to another person.
		return ErrInUse
	case r.Authorizer == browser:
		return ErrRepeated
	case err != nil:
		return err
	}
	r.Authorizer = browser
	r.Code = nil // its MAC is under the earlier key
	return nil
}

// BeginMini returns the login that a mini program begins with a code, and its key. The
// same code within a minute returns the same login.
func (s *Store) BeginMini(ctx context.Context, request Request, code string) (*Login, Key, error) {
	sum := sha256.Sum256([]byte(code))
	entry := "mini:" + base32.StdEncoding.EncodeToString(sum[:20])
	for range state.MaxTries {
		stored, _, err := s.state.Load(ctx, entry)
		switch {
		case err == nil && len(stored) == 2*idLength:
			l, err := s.Load(ctx, string(stored[idLength:]))
			return l, codeKey(string(stored[:idLength]), code), err
		case err == nil:
			return nil, "", ErrUnknown
		case !errors.Is(err, state.ErrNotFound):
			return nil, "", fmt.Errorf("looking for a mini program's login: %w", err)
		}
		salt := rand.Text()
		key := codeKey(salt, code)
		request.Kind, request.Way, request.Initiator = SameDevice, WayMini, key.Digest()
		l, err := s.create(ctx, &record{Request: request, State: StateWaiting}, s.ttl)
		if err != nil {
			return nil, "", err
		}
		err = s.state.Create(ctx, entry, []byte(salt+l.ID()), replayWindow)
		switch {
		case err == nil:
			return l, key, nil
		case !errors.Is(err, state.ErrExists): // otherwise another request was faster
			return nil, "", fmt.Errorf("storing a mini program's login: %w", err)
		}
	}
	return nil, "", fmt.Errorf("storing a mini program's login: %w", state.ErrConflict)
}
