package goredis

import (
	"context"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/redisstore"
)

// FindByID implements [scangate.UserStore]. It is one command.
func (s *Store) FindByID(ctx context.Context, id string) (scangate.User, error) {
	if err := s.CheckUsers(); err != nil {
		return scangate.User{}, err
	}
	user, err := s.store.FindByID(ctx, id)
	return fromStore(user), err
}

// FindByWeChat implements [scangate.UserStore]. It is one script, so it never returns a
// user that is half changed.
func (s *Store) FindByWeChat(ctx context.Context, who scangate.Identity) (scangate.User, error) {
	if err := s.CheckUsers(); err != nil {
		return scangate.User{}, err
	}
	user, err := s.store.FindByWeChat(ctx, redisstore.Identity(who))
	return fromStore(user), err
}

// FindByPhone implements [scangate.UserStore]. It is one script too.
func (s *Store) FindByPhone(ctx context.Context, phone string) (scangate.User, error) {
	if err := s.CheckUsers(); err != nil {
		return scangate.User{}, err
	}
	user, err := s.store.FindByPhone(ctx, phone)
	return fromStore(user), err
}

// Register implements [scangate.UserStore]. The process makes the ID, at random, so that
// an ID is never given again even if Redis loses its data.
func (s *Store) Register(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
	if err := s.CheckUsers(); err != nil {
		return scangate.User{}, err
	}
	user, err := s.store.Register(ctx, redisstore.NewUser{
		Identity:  redisstore.Identity(who.Identity),
		Phone:     who.Phone,
		Nickname:  who.Nickname,
		AvatarURL: who.AvatarURL,
	})
	return fromStore(user), err
}

// LinkWeChat implements [scangate.UserStore]. Each user has one OpenID at each AppID.
func (s *Store) LinkWeChat(ctx context.Context, id string, who scangate.Identity) error {
	if err := s.CheckUsers(); err != nil {
		return err
	}
	return s.store.LinkWeChat(ctx, id, redisstore.Identity(who))
}

// UnlinkWeChat implements [scangate.UserStore]. A UnionID is free once none of the user's
// identities has it.
func (s *Store) UnlinkWeChat(ctx context.Context, id string, who scangate.Identity) error {
	if err := s.CheckUsers(); err != nil {
		return err
	}
	return s.store.UnlinkWeChat(ctx, id, redisstore.Identity(who))
}

// BindPhone implements [scangate.UserStore]. The same step frees the earlier number.
func (s *Store) BindPhone(ctx context.Context, id, phone string) error {
	if err := s.CheckUsers(); err != nil {
		return err
	}
	return s.store.BindPhone(ctx, id, phone)
}

// EndSessions implements [scangate.UserStore]. Times are exact to the microsecond up to
// the year 2255.
func (s *Store) EndSessions(ctx context.Context, id string, before time.Time) error {
	if err := s.CheckUsers(); err != nil {
		return err
	}
	return s.store.EndSessions(ctx, id, before)
}

// Delete deletes the user and frees the identities and the phone number, which ends the
// sessions. It returns [scangate.ErrNotFound] if there is no such user. A gate with
// [scangate.Config].UserTTL may still accept a session for that long: call
// [scangate.Gate.EndSessions] first if that is too long.
func (s *Store) Delete(ctx context.Context, id string) error {
	if err := s.CheckUsers(); err != nil {
		return err
	}
	return s.store.Delete(ctx, id)
}

// fromStore returns the user of the inner package as a [scangate.User].
func fromStore(user redisstore.User) scangate.User {
	var identities []scangate.Identity
	for _, identity := range user.Identities {
		identities = append(identities, scangate.Identity(identity))
	}
	return scangate.User{
		ID:              user.ID,
		Nickname:        user.Nickname,
		AvatarURL:       user.AvatarURL,
		Phone:           user.Phone,
		Disabled:        user.Disabled,
		SessionsEndedAt: user.SessionsEndedAt,
		Identities:      identities,
	}
}
