package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/scangate/scangate"
)

// row is a row of the users' table and, in a join, one of the user's identities.
type row struct {
	user                   scangate.User
	phone                  sql.NullString
	sessionsEndedAt        sql.NullInt64
	appID, openID, unionID sql.NullString // NULL for a user without identities
	several                bool           // an earlier row had another user
}

// userFields returns the destinations of userColumns.
func (r *row) userFields() []any {
	u := &r.user
	return []any{&u.ID, &u.Nickname, &u.AvatarURL, &r.phone, &u.Disabled, &r.sessionsEndedAt}
}

// identityFields returns the destinations of identityColumns.
func (r *row) identityFields() []any {
	return []any{&r.appID, &r.openID, &r.unionID}
}

// scannedIdentity returns the identity of a scanned row.
func (r *row) scannedIdentity() scangate.Identity {
	return scangate.Identity{AppID: r.appID.String, OpenID: r.openID.String, UnionID: r.unionID.String}
}

// scannedUser returns the user of a scanned row, with the given identities.
func (l layout) scannedUser(r row, identities []scangate.Identity) scangate.User {
	u := r.user
	u.Phone = l.e164(r.phone.String)
	if r.sessionsEndedAt.Valid {
		u.SessionsEndedAt = time.UnixMicro(r.sessionsEndedAt.Int64).UTC()
	}
	u.Identities = identities
	return u
}

// FindByID implements [scangate.UserStore]. It reads one row by primary key, without a
// transaction. The user's identities are left out.
func (s *Store) FindByID(ctx context.Context, id string) (scangate.User, error) {
	var r row
	err := s.db.QueryRowContext(ctx, s.query.userByID, s.userID(id)).Scan(r.userFields()...)
	if err != nil {
		// An ID is not secret, so the error may quote it.
		return scangate.User{}, lookupError(ctx, "finding a user by ID", err, nil)
	}
	if r.user.ID != id {
		// The column's collation takes one text for another.
		return scangate.User{}, scangate.ErrNotFound
	}
	return s.scannedUser(r, nil), nil
}

// FindByWeChat implements [scangate.UserStore]. It is one query, so the user and the
// identities that it returns belong to one state of the database.
func (s *Store) FindByWeChat(ctx context.Context, identity scangate.Identity) (scangate.User, error) {
	user, err := s.find(ctx, s.query.userByWeChat, parameter(identity.AppID), parameter(identity.OpenID), parameter(identity.UnionID))
	if err != nil {
		return user, lookupError(ctx, "finding a user by identity", err, secretsOf(identity))
	}
	return user, nil
}

// FindByPhone implements [scangate.UserStore]. It is one query. It returns an error if
// several users have the number, which a unique index prevents.
func (s *Store) FindByPhone(ctx context.Context, phone string) (scangate.User, error) {
	const doing = "finding a user by phone number"
	if !s.KeepsPhones() {
		return scangate.User{}, lookupError(ctx, doing, cmp.Or(ctx.Err(), sql.ErrNoRows), nil)
	}
	stored := s.storedPhone(phone)
	user, err := s.find(ctx, s.query.userByPhone, stored)
	switch {
	case err != nil:
		return user, lookupError(ctx, doing, err, []string{phone, stored.String})
	case user.Phone != phone:
		// The column's collation takes one text for another.
		return scangate.User{}, scangate.ErrNotFound
	}
	return user, nil
}

// Identities returns the WeChat identities of a user, which FindByID leaves out, sorted by
// AppID: for a page on which users remove one of them. It returns ErrNotFound if there is no
// such user.
func (s *Store) Identities(ctx context.Context, id string) ([]scangate.Identity, error) {
	if _, err := s.FindByID(ctx, id); err != nil {
		return nil, err
	}
	rows, err := s.db.QueryContext(ctx, s.query.identitiesOfUser, s.userID(id))
	var identities []scangate.Identity
	if err == nil {
		_, identities, err = scan(rows, (*row).identityFields)
	}
	if err != nil {
		return nil, failure(ctx, "reading a user's identities", err, nil)
	}
	return identities, nil
}

// find runs a query that begins with selectUser. It returns the user, or sql.ErrNoRows.
func (s *Store) find(ctx context.Context, query string, args ...any) (scangate.User, error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return scangate.User{}, err
	}
	last, identities, err := scan(rows, (*row).userFields, (*row).identityFields)
	switch {
	case err != nil:
		return scangate.User{}, err
	case last.user.ID == "":
		return scangate.User{}, sql.ErrNoRows
	case last.several:
		return scangate.User{}, errTwoOwners
	}
	// The rows differ in the identity only, so the last has the user.
	return s.scannedUser(last, identities), nil
}

// scan reads and closes rows, whose columns go to the given fields. It returns the last
// row and the identities of all rows.
func scan(rows *sql.Rows, fields ...func(*row) []any) (row, []scangate.Identity, error) {
	// Next closes rows after the last one. This is for the early return.
	defer func() { _ = rows.Close() }()
	var last row
	var identities []scangate.Identity
	for rows.Next() {
		before := last
		last = row{}
		var destinations []any
		for _, of := range fields {
			destinations = append(destinations, of(&last)...)
		}
		if err := rows.Scan(destinations...); err != nil {
			return row{}, nil, err
		}
		last.several = before.several || before.user.ID != "" && before.user.ID != last.user.ID
		// The join returns NULLs for a user without identities.
		if last.openID.Valid {
			identities = append(identities, last.scannedIdentity())
		}
	}
	return last, identities, rows.Err()
}

// secretsOf returns the parts of identity that no error may quote. An AppID is public.
func secretsOf(identity scangate.Identity) []string {
	return []string{identity.OpenID, identity.UnionID}
}

// storable reports whether identity has an AppID and an OpenID and fits the columns.
func storable(identity scangate.Identity) bool {
	return parameter(identity.AppID).Valid && parameter(identity.OpenID).Valid && fits(identity.UnionID, maxID)
}

// sameOpenID reports whether a and b are the same OpenID at the same account.
func sameOpenID(a, b scangate.Identity) bool { return a.AppID == b.AppID && a.OpenID == b.OpenID }

// LinkWeChat implements [scangate.UserStore].
func (s *Store) LinkWeChat(ctx context.Context, id string, identity scangate.Identity) error {
	return s.changeUser(ctx, id, "linking an identity", secretsOf(identity), func(tx *sql.Tx) error {
		if !storable(identity) {
			return errInvalid
		}
		// This takes the identity from an owner that is gone.
		if _, _, err := s.owner(ctx, tx, identity, sql.NullString{}); err != nil {
			return err
		}
		// The user's row is locked, so this result stays true until the commit.
		linked, err := s.identityAtAccount(ctx, tx, id, identity)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return s.addIdentity(ctx, tx, id, identity)
		case err != nil:
			return err
		case identity.UnionID == "", linked.UnionID == identity.UnionID:
			// There is nothing to add.
			return nil
		case linked.UnionID != "":
			return scangate.ErrIdentityTaken
		}
		// The foreign key requires the UnionID to be the user's first.
		if err := s.claimUnionID(ctx, tx, id, identity.UnionID); err != nil {
			return err
		}
		return exec(ctx, tx, s.query.setUnionID, identity.UnionID, identity.AppID, identity.OpenID)
	})
}

// identityAtAccount returns the user's identity at the AppID of identity, or
// sql.ErrNoRows. It returns ErrIdentityTaken if the user has another OpenID there, or
// another user has this one.
func (s *Store) identityAtAccount(ctx context.Context, tx *sql.Tx, id string, identity scangate.Identity) (scangate.Identity, error) {
	rows, err := tx.QueryContext(ctx, s.query.identitiesAtAccount, identity.AppID, identity.OpenID, s.userID(id))
	if err != nil {
		return scangate.Identity{}, err
	}
	ownerField := func(r *row) []any { return []any{&r.user.ID} }
	last, found, err := scan(rows, (*row).identityFields, ownerField)
	switch {
	case err != nil:
		return scangate.Identity{}, err
	case len(found) == 0:
		return scangate.Identity{}, sql.ErrNoRows
	case len(found) > 1 || last.user.ID != id || !sameOpenID(found[0], identity):
		// Two rows are the user's other OpenID and another user's identity.
		return scangate.Identity{}, scangate.ErrIdentityTaken
	}
	return found[0], nil
}

// addIdentity links identity to a user who has none at that account.
func (s *Store) addIdentity(ctx context.Context, tx *sql.Tx, id string, identity scangate.Identity) error {
	// The foreign key requires the UnionID to be the user's first.
	if err := s.claimUnionID(ctx, tx, id, identity.UnionID); err != nil {
		return err
	}
	return exec(ctx, tx, s.query.insertIdentity, identity.AppID, identity.OpenID, parameter(identity.UnionID), s.userID(id))
}

// claimUnionID makes the user the owner of unionID unless it is empty. It returns
// ErrIdentityTaken if another user owns it.
func (s *Store) claimUnionID(ctx context.Context, tx *sql.Tx, id, unionID string) error {
	if unionID == "" {
		return nil
	}
	var owner string
	err := tx.QueryRowContext(ctx, s.query.unionIDOwner, unionID).Scan(&owner)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		// Two users can get here at once. The primary key lets one insert the row;
		// the next attempt of the other finds the owner.
		return exec(ctx, tx, s.query.insertUnionID, unionID, s.userID(id))
	case err == nil && owner != id:
		return scangate.ErrIdentityTaken
	}
	return err
}

// UnlinkWeChat implements [scangate.UserStore]. It deletes the UnionID with the user's
// last identity that has it.
func (s *Store) UnlinkWeChat(ctx context.Context, id string, identity scangate.Identity) error {
	return s.changeUser(ctx, id, "unlinking an identity", secretsOf(identity), func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, s.query.identitiesOfUser, s.userID(id))
		if err != nil {
			return err
		}
		_, linked, err := scan(rows, (*row).identityFields)
		i := slices.IndexFunc(linked, func(l scangate.Identity) bool { return sameOpenID(l, identity) })
		if err != nil || i < 0 {
			return err
		}
		if err := exec(ctx, tx, s.query.deleteIdentity, identity.AppID, identity.OpenID); err != nil {
			return err
		}
		// The stored UnionID, not the caller's, which may be empty or another.
		unionID := linked[i].UnionID
		others := slices.Delete(linked, i, i+1)
		if unionID == "" || slices.ContainsFunc(others, func(l scangate.Identity) bool { return l.UnionID == unionID }) {
			return nil
		}
		return exec(ctx, tx, s.query.deleteUnionID, unionID)
	})
}

// BindPhone implements [scangate.UserStore]. It returns an error for a number that the
// column cannot hold, and for any but the empty one if the table has no such column.
func (s *Store) BindPhone(ctx context.Context, id, phone string) error {
	stored, attempts := s.storedPhone(phone), 0
	return s.changeUser(ctx, id, "binding a phone number", []string{phone, stored.String}, func(tx *sql.Tx) error {
		switch {
		case !s.KeepsPhones() && phone == "":
			return nil
		case !s.KeepsPhones():
			return errNoPhones
		case phone != "" && !stored.Valid:
			return errInvalid
		}
		// An empty number is NULL here, which has no owner.
		var owner string
		err := tx.QueryRowContext(ctx, s.query.phoneOwner, stored).Scan(&owner)
		switch {
		case err == nil && owner != id:
			return scangate.ErrPhoneTaken
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		if err := s.phoneInUse(ctx, tx, stored, attempts); err != nil {
			return err
		}
		attempts++
		return exec(ctx, tx, s.query.setPhone, stored, s.userID(id))
	})
}

// phoneInUse returns ErrPhoneTaken if a row that Table.Where leaves out has the number, and
// several attempts to write the number have failed. Whether such a row blocks the number
// depends on the table's unique index, so only attempts show it.
func (s *Store) phoneInUse(ctx context.Context, tx *sql.Tx, stored sql.NullString, attempts int) error {
	// A single attempt may also have failed because of another transaction.
	const enough = 3
	if attempts < enough || s.table.Where == "" || !stored.Valid {
		return nil
	}
	var owner string
	err := tx.QueryRowContext(ctx, s.query.phoneInUse, stored).Scan(&owner)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return scangate.ErrPhoneTaken
}

// EndSessions implements [scangate.UserStore]. It cuts the time off after its
// microseconds.
func (s *Store) EndSessions(ctx context.Context, id string, before time.Time) error {
	return s.changeUser(ctx, id, "ending a user's sessions", nil, func(tx *sql.Tx) error {
		return s.endSessions(ctx, tx, id, before)
	})
}

// endSessions ends the sessions of a user whose row is locked.
func (s *Store) endSessions(ctx context.Context, tx *sql.Tx, id string, before time.Time) error {
	// The zero time ends no session. Stored, it would differ from NULL.
	if !before.After(time.Time{}) {
		return nil
	}
	micros := before.UnixMicro()
	if s.query.endedAt != "" {
		var kept int64
		err := tx.QueryRowContext(ctx, s.query.endedAt, s.userID(id)).Scan(&kept)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return exec(ctx, tx, s.query.insertEnd, micros, s.userID(id))
		case err != nil:
			return err
		}
	}
	return exec(ctx, tx, s.query.setSessionsEndedAt, micros, s.userID(id), micros)
}

// Delete deletes the user's row or, with Table.Delete, marks it as deleted. It frees the
// user's identities and phone number, and ends the sessions. It returns ErrNotFound if
// there is no such user. It is an error if other tables refer to the row by a foreign key
// that forbids the deletion.
//
// A gate with Config.UserTTL may still accept a session for that long. Call
// [scangate.Gate.EndSessions] first if that is too long.
func (s *Store) Delete(ctx context.Context, id string) error {
	deleted := false
	err := s.changeUser(ctx, id, "deleting a user", nil, func(tx *sql.Tx) error {
		if err := s.forget(ctx, tx, id); err != nil {
			return err
		}
		// A row that is only marked may become a user again.
		if err := s.endSessions(ctx, tx, id, time.Now()); err != nil {
			return err
		}
		err := exec(ctx, tx, s.query.deleteUser, s.userID(id))
		deleted = err == nil
		return err
	})
	if deleted && errors.Is(err, scangate.ErrNotFound) {
		// An earlier attempt was committed, but its result did not arrive.
		return nil
	}
	return err
}

// forget deletes all that the store keeps of a user beside the table of users, except for
// the end of the sessions.
func (s *Store) forget(ctx context.Context, tx *sql.Tx, id string) error {
	for _, statement := range s.query.forget {
		if err := exec(ctx, tx, statement, s.userID(id)); err != nil {
			return err
		}
	}
	return nil
}

// exec executes a statement and ignores the number of rows that it affects.
func exec(ctx context.Context, tx *sql.Tx, query string, args ...any) error {
	_, err := tx.ExecContext(ctx, query, args...)
	return err
}
