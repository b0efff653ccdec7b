package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/scangate/scangate"
)

// registration is a call of Register, which may take several attempts.
type registration struct {
	who      scangate.NewUser
	phone    sql.NullString // in the table's form
	id       string         // empty if the database makes it
	user     scangate.User  // as inserted; empty until an attempt ends without an error
	attempts int            // to insert the row
}

// Register implements [scangate.UserStore]. In the store's own table, the user's ID is 26
// random characters out of A-Z and 2-7. Register returns an error for an identity without
// an AppID or OpenID, and for values that the columns cannot hold.
func (s *Store) Register(ctx context.Context, newUser scangate.NewUser) (scangate.User, error) {
	r := registration{who: newUser, phone: s.storedPhone(newUser.Phone), id: s.newID()}
	secrets := append(secretsOf(newUser.Identity), newUser.Phone, r.phone.String)
	err := s.change(ctx, "registering a user", secrets, func(tx *sql.Tx) error {
		// Checked inside of the transaction, so that a context that has ended comes
		// first.
		if err := s.checkRegistration(r); err != nil {
			return err
		}
		return s.register(ctx, tx, &r)
	})
	if err != nil {
		return scangate.User{}, err
	}
	return r.user, nil
}

// checkRegistration returns an error for values that the columns cannot hold.
func (s *Store) checkRegistration(r registration) error {
	who := r.who
	switch {
	case who.Phone != "" && !s.KeepsPhones():
		return errNoPhones
	case !storable(who.Identity), r.phone.Valid != (who.Phone != ""), !fits(who.Nickname, maxName), !fits(who.AvatarURL, maxName):
		return errInvalid
	case r.id != "" && s.userID(r.id) == nil, r.id == "" && (s.table.NewID != nil || s.kind != integerIDs):
		return fmt.Errorf("%w: Table.NewID returned %q", errInvalid, r.id)
	}
	return nil
}

// register inserts the user with the identity. It returns ErrIdentityTaken or
// ErrPhoneTaken if another user has the identity or the phone number.
func (s *Store) register(ctx context.Context, tx *sql.Tx, r *registration) error {
	owner, owned, err := s.owner(ctx, tx, r.who.Identity, r.phone)
	switch {
	case err != nil:
		return err
	case owner == "":
		// Everything is free.
	case owner == r.user.ID:
		// An earlier attempt was committed, but its result did not arrive.
		return nil
	case owned == "phone":
		return scangate.ErrPhoneTaken
	default:
		return scangate.ErrIdentityTaken
	}
	if err := s.phoneInUse(ctx, tx, r.phone, r.attempts); err != nil {
		return err
	}
	r.attempts++
	r.user = scangate.User{}
	// An error also means that another call has registered the same since the query
	// above: the next attempt then finds the owner.
	id, err := s.insertUser(ctx, tx, r)
	if err != nil {
		return err
	}
	user := scangate.User{ID: id, Nickname: r.who.Nickname, AvatarURL: r.who.AvatarURL, Phone: r.who.Phone}
	if !s.own {
		if user, err = s.insertedUser(ctx, tx, id); err != nil {
			return err
		}
	}
	user.Identities = []scangate.Identity{r.who.Identity}
	if err := s.addIdentity(ctx, tx, id, r.who.Identity); err != nil {
		return err
	}
	r.user = user
	return nil
}

// owner returns the user who has the OpenID, the UnionID or the phone number, and which
// of them: "openid", "unionid" or "phone". It returns "" if they are free. Identities that
// belong to no user any more become free, even if there is an owner.
func (s *Store) owner(ctx context.Context, tx *sql.Tx, identity scangate.Identity, phone sql.NullString) (owner, owned string, err error) {
	args := []any{identity.AppID, identity.OpenID, parameter(identity.UnionID)}
	if s.KeepsPhones() {
		args = append(args, phone)
	}
	// The second reading usually finds no orphan. A user may be deleted between two.
	for range 3 {
		owners, orphans, err := s.owners(ctx, tx, args)
		if err != nil {
			return "", "", err
		}
		if len(orphans) == 0 {
			// The database returns the rows in any order.
			for _, owned := range []string{"openid", "unionid", "phone"} {
				if owner := owners[owned]; owner != "" {
					return owner, owned, nil
				}
			}
			return "", "", nil
		}
		for _, orphan := range orphans {
			if err := s.forget(ctx, tx, orphan); err != nil {
				return "", "", err
			}
		}
	}
	return "", "", errors.New("an identity that belongs to no user could not be deleted")
}

// owners runs the query of that name. It returns the users by "openid", "unionid" and
// "phone", and the sorted IDs that belong to no user any more.
func (s *Store) owners(ctx context.Context, tx *sql.Tx, args []any) (users map[string]string, orphans []string, err error) {
	rows, err := tx.QueryContext(ctx, s.query.owners, args...)
	if err != nil {
		return nil, nil, err
	}
	// A transaction has one connection, which runs no other statement before this.
	defer func() { _ = rows.Close() }()
	users = make(map[string]string)
	for rows.Next() {
		var id, owned string
		if err := rows.Scan(&id, &owned); err != nil {
			return nil, nil, err
		}
		if owned == "orphan" {
			orphans = append(orphans, id)
		} else {
			users[owned] = id
		}
	}
	// Sorted, so that calls that free the same orphans lock them in one order.
	slices.Sort(orphans)
	return users, slices.Compact(orphans), rows.Err()
}

// insertUser inserts a row into the table of users and returns its ID.
func (s *Store) insertUser(ctx context.Context, tx *sql.Tx, r *registration) (string, error) {
	values := make(map[string]any)
	for column, value := range map[string]any{s.table.Nickname: r.who.Nickname, s.table.AvatarURL: r.who.AvatarURL, s.table.Phone: r.phone} {
		if column != "" {
			values[column] = value
		}
	}
	if s.table.Insert != nil {
		maps.Copy(values, s.table.Insert(r.who))
	}
	var columns []string
	var args []any
	if r.id != "" {
		columns, args = []string{s.quote(s.table.ID)}, []any{s.userID(r.id)}
	}
	for _, column := range slices.Sorted(maps.Keys(values)) {
		if problem := nameFault(column); problem != "" {
			return "", fmt.Errorf("%w: Table.Insert returned the column %q, which %s", errInvalid, column, problem)
		}
		columns, args = append(columns, s.quote(column)), append(args, values[column])
	}
	row := s.emptyRow
	if len(columns) > 0 {
		row = "(" + strings.Join(columns, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(columns)-1) + ")"
	}
	insert := s.statement("INSERT INTO {table} ") + s.numberPlaceholders(row)
	if r.id != "" {
		return r.id, exec(ctx, tx, insert, args...)
	}
	return s.insertReturning(ctx, tx, insert, args)
}

// insertReturning executes an INSERT and returns the ID that the database has made.
func (s *Store) insertReturning(ctx context.Context, tx *sql.Tx, insert string, args []any) (string, error) {
	if s.returning {
		var id sql.NullString
		err := tx.QueryRowContext(ctx, insert+s.statement(" RETURNING {id}"), args...).Scan(&id)
		if err == nil && !id.Valid {
			return "", errNoID
		}
		return id.String, err
	}
	result, err := tx.ExecContext(ctx, insert, args...)
	if err != nil {
		return "", err
	}
	id, err := result.LastInsertId()
	if err == nil && id == 0 {
		return "", errNoID
	}
	return strconv.FormatInt(id, 10), err
}

// insertedUser reads the new row of a user, which may have defaults of the application's.
func (s *Store) insertedUser(ctx context.Context, tx *sql.Tx, id string) (scangate.User, error) {
	// A database that gives IDs again may have left identities of an earlier user.
	if err := s.forget(ctx, tx, id); err != nil {
		return scangate.User{}, err
	}
	var r row
	err := tx.QueryRowContext(ctx, s.query.userByID, s.userID(id)).Scan(r.userFields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return scangate.User{}, errNotUser
	}
	return s.scannedUser(r, nil), err
}
