package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/scangate/scangate"
)

// row is a row of users, and where it is joined with identities one of those.
type row struct {
	user                   scangate.User
	phone                  sql.NullString
	sessionsEndedAt        sql.NullInt64
	appID, openID, unionID sql.NullString
}

// ofUser are where userColumns go.
func (r *row) ofUser() []any {
	u := &r.user
	return []any{&u.ID, &u.Nickname, &u.AvatarURL, &r.phone, &u.Disabled, &r.sessionsEndedAt}
}

// ofIdentity are where identityColumns go.
func (r *row) ofIdentity() []any {
	return []any{&r.appID, &r.openID, &r.unionID}
}

// identity returns that of a row that was scanned.
func (r *row) identity() scangate.Identity {
	return scangate.Identity{AppID: r.appID.String, OpenID: r.openID.String, UnionID: r.unionID.String}
}

// result returns the user of rows that were scanned.
func (r *row) result(identities []scangate.Identity) scangate.User {
	u := r.user
	u.Phone = r.phone.String
	if r.sessionsEndedAt.Valid {
		u.SessionsEndedAt = time.UnixMicro(r.sessionsEndedAt.Int64).UTC()
	}
	u.Identities = identities
	return u
}

// FindByID implements [scangate.UserStore]. It is one read by primary key, outside
// a transaction, and leaves the identities out.
func (s *Store) FindByID(ctx context.Context, id string) (scangate.User, error) {
	var r row
	err := s.db.QueryRowContext(ctx, s.query.byID, key(id)).Scan(r.ofUser()...)
	if err != nil {
		return scangate.User{}, missOr(ctx, "finding a user by ID", err, nil)
	}
	return r.result(nil), nil
}

// FindByWeChat implements [scangate.UserStore]. It is one query, so what it
// returns was true at one time.
func (s *Store) FindByWeChat(ctx context.Context, who scangate.Identity) (scangate.User, error) {
	user, err := s.find(ctx, s.query.byWeChat, key(who.AppID), key(who.OpenID), key(who.UnionID))
	if err != nil {
		return user, missOr(ctx, "finding a user by identity", err, personal(who))
	}
	return user, nil
}

// FindByPhone implements [scangate.UserStore]. It is one query.
func (s *Store) FindByPhone(ctx context.Context, phone string) (scangate.User, error) {
	user, err := s.find(ctx, s.query.byPhone, key(phone))
	if err != nil {
		return user, missOr(ctx, "finding a user by number", err, []string{phone})
	}
	return user, nil
}

// find returns the user of a query with everyColumn, or sql.ErrNoRows.
func (s *Store) find(ctx context.Context, query string, args ...any) (scangate.User, error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return scangate.User{}, err
	}
	r, identities, err := scan(rows, (*row).ofUser, (*row).ofIdentity)
	switch {
	case err != nil:
		return scangate.User{}, err
	case r.user.ID == "":
		return scangate.User{}, sql.ErrNoRows
	}
	return r.result(identities), nil
}

// scan reads rows of the columns given, closes them, and returns the last one and
// the identities of all.
func scan(rows *sql.Rows, columns ...func(*row) []any) (row, []scangate.Identity, error) {
	defer func() { _ = rows.Close() }()
	var last row
	var identities []scangate.Identity
	for rows.Next() {
		last = row{}
		var to []any
		for _, of := range columns {
			to = append(to, of(&last)...)
		}
		if err := rows.Scan(to...); err != nil {
			return row{}, nil, err
		}
		if last.openID.Valid {
			identities = append(identities, last.identity())
		}
	}
	return last, identities, rows.Err()
}

// personal are the parts of an identity that no error may quote.
func personal(who scangate.Identity) []string { return []string{who.OpenID, who.UnionID} }

// whole reports whether an identity is one, and the columns hold it.
func whole(who scangate.Identity) bool {
	return key(who.AppID).Valid && key(who.OpenID).Valid && fits(who.UnionID, maxKey)
}

// same reports whether two identities are one person at one account.
func same(a, b scangate.Identity) bool { return a.AppID == b.AppID && a.OpenID == b.OpenID }

// Register implements [scangate.UserStore]. The user's ID is 26 random characters
// of A-Z and 2-7. An identity without an AppID or OpenID, and what the columns
// can't hold, is an error.
func (s *Store) Register(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
	user := scangate.User{
		ID:         rand.Text(),
		Nickname:   who.Nickname,
		AvatarURL:  who.AvatarURL,
		Phone:      who.Phone,
		Identities: []scangate.Identity{who.Identity},
	}
	texts := append(personal(who.Identity), who.Phone)
	err := s.change(ctx, "registering", texts, func(tx *sql.Tx) error {
		if !whole(who.Identity) || !fits(who.Phone, maxKey) || !fits(who.Nickname, maxName) || !fits(who.AvatarURL, maxName) {
			return errUnfit
		}
		return s.register(ctx, tx, user, who.Identity)
	})
	if err != nil {
		return scangate.User{}, err
	}
	return user, nil
}

// register adds the user unless somebody has what is to be theirs. That can be
// the user themselves, if they were added at the last try and only the word of it
// was lost.
func (s *Store) register(ctx context.Context, tx *sql.Tx, user scangate.User, who scangate.Identity) error {
	var owner, has string
	err := tx.QueryRowContext(ctx, s.query.taken, who.AppID, who.OpenID, key(who.UnionID), key(user.Phone)).Scan(&owner, &has)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil || owner == user.ID:
		return err
	case has == "phone":
		return scangate.ErrPhoneTaken
	default:
		return scangate.ErrIdentityTaken
	}
	created := time.Now().UnixMicro()
	if err := exec(ctx, tx, s.query.addUser, user.ID, user.Nickname, user.AvatarURL, key(user.Phone), created); err != nil {
		return err
	}
	return s.addIdentity(ctx, tx, user.ID, who)
}

// LinkWeChat implements [scangate.UserStore]. Changes of one user wait for each
// other, so what is read here still holds when it is acted upon.
func (s *Store) LinkWeChat(ctx context.Context, id string, who scangate.Identity) error {
	return s.changeUser(ctx, id, "linking an identity", personal(who), func(tx *sql.Tx) error {
		if !whole(who) {
			return errUnfit
		}
		has, err := s.identityAt(ctx, tx, id, who)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return s.addIdentity(ctx, tx, id, who)
		case err != nil || who.UnionID == "" || has.UnionID == who.UnionID:
			return err
		case has.UnionID != "":
			return scangate.ErrIdentityTaken
		}
		if err := s.claimUnionID(ctx, tx, id, who.UnionID); err != nil {
			return err
		}
		return exec(ctx, tx, s.query.fillIn, who.UnionID, who.AppID, who.OpenID)
	})
}

// identityAt returns the user's identity at the account of who, or sql.ErrNoRows.
// It returns ErrIdentityTaken if another user has who, or this one is another
// there.
func (s *Store) identityAt(ctx context.Context, tx *sql.Tx, id string, who scangate.Identity) (scangate.Identity, error) {
	rows, err := tx.QueryContext(ctx, s.query.identitiesAt, who.AppID, who.OpenID, id)
	if err != nil {
		return scangate.Identity{}, err
	}
	owner := func(r *row) []any { return []any{&r.user.ID} }
	last, found, err := scan(rows, (*row).ofIdentity, owner)
	switch {
	case err != nil:
		return scangate.Identity{}, err
	case len(found) == 0:
		return scangate.Identity{}, sql.ErrNoRows
	case len(found) > 1 || last.user.ID != id || !same(found[0], who):
		return scangate.Identity{}, scangate.ErrIdentityTaken
	}
	return found[0], nil
}

// addIdentity links an identity of which the user has none at that account.
func (s *Store) addIdentity(ctx context.Context, tx *sql.Tx, id string, who scangate.Identity) error {
	if err := s.claimUnionID(ctx, tx, id, who.UnionID); err != nil {
		return err
	}
	return exec(ctx, tx, s.query.addIdentity, who.AppID, who.OpenID, key(who.UnionID), id)
}

// claimUnionID makes the UnionID the user's, if it is not empty.
func (s *Store) claimUnionID(ctx context.Context, tx *sql.Tx, id, unionID string) error {
	if unionID == "" {
		return nil
	}
	var owner string
	err := tx.QueryRowContext(ctx, s.query.unionID, unionID).Scan(&owner)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return exec(ctx, tx, s.query.addUnionID, unionID, id)
	case err == nil && owner != id:
		return scangate.ErrIdentityTaken
	}
	return err
}

// UnlinkWeChat implements [scangate.UserStore]. The UnionID goes with the last
// identity of the user that has it.
func (s *Store) UnlinkWeChat(ctx context.Context, id string, who scangate.Identity) error {
	return s.changeUser(ctx, id, "unlinking an identity", personal(who), func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, s.query.identities, id)
		if err != nil {
			return err
		}
		_, has, err := scan(rows, (*row).ofIdentity)
		at := slices.IndexFunc(has, func(i scangate.Identity) bool { return same(i, who) })
		if err != nil || at < 0 {
			return err
		}
		if err := exec(ctx, tx, s.query.unlink, who.AppID, who.OpenID); err != nil {
			return err
		}
		unionID := has[at].UnionID
		others := slices.Delete(has, at, at+1)
		if unionID == "" || slices.ContainsFunc(others, func(i scangate.Identity) bool { return i.UnionID == unionID }) {
			return nil
		}
		return exec(ctx, tx, s.query.dropUnionID, unionID)
	})
}

// BindPhone implements [scangate.UserStore]. A number that the column can't hold is
// an error.
func (s *Store) BindPhone(ctx context.Context, id, phone string) error {
	return s.changeUser(ctx, id, "binding a number", []string{phone}, func(tx *sql.Tx) error {
		if !fits(phone, maxKey) {
			return errUnfit
		}
		var owner string
		err := tx.QueryRowContext(ctx, s.query.phoneOwner, key(phone)).Scan(&owner)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return exec(ctx, tx, s.query.bindPhone, key(phone), id)
		case err == nil && owner != id:
			return scangate.ErrPhoneTaken
		}
		return err
	})
}

// EndSessions implements [scangate.UserStore]. What the time has beyond microseconds is
// cut off.
func (s *Store) EndSessions(ctx context.Context, id string, before time.Time) error {
	return s.changeUser(ctx, id, "signing a user out", nil, func(tx *sql.Tx) error {
		if !before.After(time.Time{}) {
			return nil
		}
		micros := before.UnixMicro()
		return exec(ctx, tx, s.query.endSessions, micros, id, micros)
	})
}

// exec executes a statement whose effect is known.
func exec(ctx context.Context, tx *sql.Tx, query string, args ...any) error {
	_, err := tx.ExecContext(ctx, query, args...)
	return err
}
