// Package ownusers is for an application that has users already. It implements
// scangate.UserStore on the application's own table, which is called members here.
package ownusers

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/scangate/scangate"
)

// Schema adds the gate's columns and tables to the existing table:
//
//	members (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,
//		mobile TEXT UNIQUE, disabled BOOLEAN NOT NULL, ...)
//
// A phone number is NULL or in E.164 form, such as +8613800138000. Constraints of the
// database keep numbers and identities unique, so that concurrent writers cannot break
// that. UnionIDs have a table of their own: several rows of one member may hold the
// same UnionID, but rows of two members may not.
const Schema = `
ALTER TABLE members ADD COLUMN picture TEXT NOT NULL DEFAULT '';
ALTER TABLE members ADD COLUMN sessions_ended_at BIGINT NOT NULL DEFAULT -62135596800000000; -- Go's zero time, in microseconds
CREATE TABLE member_unionids (union_id TEXT PRIMARY KEY, member_id INTEGER NOT NULL REFERENCES members);
CREATE TABLE member_wechats (app_id TEXT, open_id TEXT, union_id TEXT NOT NULL, member_id INTEGER NOT NULL REFERENCES members,
  PRIMARY KEY (app_id, open_id), UNIQUE (member_id, app_id));`

// New returns a store on the members table of a SQLite database. Schema must have been
// applied.
func New(db *sql.DB) scangate.UserStore { return members{db} }

// members implements scangate.UserStore. Its methods may be called concurrently.
type members struct{ db *sql.DB }

// FindByID implements scangate.UserStore.
func (m members) FindByID(ctx context.Context, id string) (scangate.User, error) {
	return m.find(ctx, `m.id = ?`, parseID(id))
}

// FindByPhone implements scangate.UserStore.
func (m members) FindByPhone(ctx context.Context, phone string) (scangate.User, error) {
	// NULL equals nothing, so an empty number finds no member.
	return m.find(ctx, `m.mobile = NULLIF(?, '')`, phone)
}

// FindByWeChat implements scangate.UserStore.
func (m members) FindByWeChat(ctx context.Context, identity scangate.Identity) (scangate.User, error) {
	// The OpenID decides, if it is known. Otherwise the UnionID does: the member has
	// used another account of the same company. No row has an empty UnionID.
	return m.find(ctx, `m.id = COALESCE((SELECT member_id FROM member_wechats WHERE app_id = ? AND open_id = ?),
		(SELECT member_id FROM member_unionids WHERE union_id = ?))`, identity.AppID, identity.OpenID, identity.UnionID)
}

// find returns the member that the condition selects, with all identities.
func (m members) find(ctx context.Context, where string, args ...any) (scangate.User, error) {
	// The left join returns one row for each identity, or one row for a member without.
	//nolint:gosec // where is one of the three constants above, never input
	rows, err := m.db.QueryContext(ctx, `SELECT m.id, m.name, m.picture, COALESCE(m.mobile, ''), m.disabled, m.sessions_ended_at,
		COALESCE(w.app_id, ''), COALESCE(w.open_id, ''), COALESCE(w.union_id, '')
		FROM members m LEFT JOIN member_wechats w ON w.member_id = m.id WHERE `+where, args...)
	if err != nil {
		return scangate.User{}, wrap(ctx, err)
	}
	defer func() { _ = rows.Close() }()
	var user scangate.User
	for rows.Next() {
		var sessionsEndedAt int64
		var identity scangate.Identity
		err := rows.Scan(&user.ID, &user.Nickname, &user.AvatarURL, &user.Phone, &user.Disabled, &sessionsEndedAt,
			&identity.AppID, &identity.OpenID, &identity.UnionID)
		if err != nil {
			return scangate.User{}, wrap(ctx, err)
		}
		// Every row repeats the member's own columns.
		user.SessionsEndedAt = time.UnixMicro(sessionsEndedAt).UTC()
		// Empty: the row of a member without identities.
		if identity.OpenID != "" {
			user.Identities = append(user.Identities, identity)
		}
	}
	// No row: no such member.
	if err := rows.Err(); err != nil || user.ID == "" {
		return scangate.User{}, wrap(ctx, cmp.Or(err, scangate.ErrNotFound))
	}
	return user, nil
}

// Register implements scangate.UserStore.
func (m members) Register(ctx context.Context, newUser scangate.NewUser) (scangate.User, error) {
	user := scangate.User{Nickname: newUser.Nickname, AvatarURL: newUser.AvatarURL, Phone: newUser.Phone, Identities: []scangate.Identity{newUser.Identity}}
	err := m.inTx(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `INSERT INTO members (name, picture, mobile, disabled) VALUES (?, ?, NULLIF(?, ''), FALSE)
			ON CONFLICT (mobile) DO NOTHING RETURNING id`, newUser.Nickname, newUser.AvatarURL, newUser.Phone).Scan(&user.ID)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			// DO NOTHING inserted no row: another member has the number.
			return scangate.ErrPhoneTaken
		case err != nil:
			return err
		}
		// If the identity is taken, the transaction takes the new member back.
		return link(ctx, tx, user.ID, newUser.Identity)
	})
	if err != nil {
		return scangate.User{}, err
	}
	return user, nil
}

// LinkWeChat implements scangate.UserStore.
func (m members) LinkWeChat(ctx context.Context, id string, identity scangate.Identity) error {
	return m.inTx(ctx, func(tx *sql.Tx) error { return link(ctx, tx, id, identity) })
}

// link adds an identity to a member. It returns ErrIdentityTaken if the identity or its
// UnionID belongs to another member, or if the member has another identity at that
// account.
func link(ctx context.Context, tx *sql.Tx, id string, identity scangate.Identity) error {
	if err := lockMember(ctx, tx, id); err != nil {
		return err
	}
	// Both statements succeed again for an identity that the member has. In a conflict
	// with another member, their WHERE clauses match no row.
	if identity.UnionID != "" {
		err := exec(ctx, tx, scangate.ErrIdentityTaken, `INSERT INTO member_unionids (union_id, member_id) VALUES (?, ?)
			ON CONFLICT DO UPDATE SET member_id = member_id WHERE member_id = excluded.member_id`, identity.UnionID, parseID(id))
		if err != nil {
			return err
		}
	}
	// MAX adds a UnionID that was missing, and never removes one.
	return exec(ctx, tx, scangate.ErrIdentityTaken, `INSERT INTO member_wechats (app_id, open_id, union_id, member_id) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET union_id = MAX(union_id, excluded.union_id) WHERE open_id = excluded.open_id AND member_id = excluded.member_id
		AND (union_id = excluded.union_id OR union_id = '' OR excluded.union_id = '')`, identity.AppID, identity.OpenID, identity.UnionID, parseID(id))
}

// UnlinkWeChat implements scangate.UserStore.
func (m members) UnlinkWeChat(ctx context.Context, id string, identity scangate.Identity) error {
	return m.inTx(ctx, func(tx *sql.Tx) error {
		if err := lockMember(ctx, tx, id); err != nil {
			return err
		}
		// nil: unlinking an identity that the member does not have succeeds.
		if err := exec(ctx, tx, nil, `DELETE FROM member_wechats WHERE app_id = ? AND open_id = ? AND member_id = ?`,
			identity.AppID, identity.OpenID, parseID(id)); err != nil {
			return err
		}
		// Free the UnionID too, unless another identity of the member has it.
		return exec(ctx, tx, nil, `DELETE FROM member_unionids WHERE member_id = ?
			AND union_id NOT IN (SELECT union_id FROM member_wechats WHERE member_id = ?)`, parseID(id), parseID(id))
	})
}

// BindPhone implements scangate.UserStore.
func (m members) BindPhone(ctx context.Context, id, phone string) error {
	return m.inTx(ctx, func(tx *sql.Tx) error {
		if err := lockMember(ctx, tx, id); err != nil {
			return err
		}
		// OR IGNORE changes no row if another member has the number.
		return exec(ctx, tx, scangate.ErrPhoneTaken, `UPDATE OR IGNORE members SET mobile = NULLIF(?, '') WHERE id = ?`, phone, parseID(id))
	})
}

// EndSessions implements scangate.UserStore.
func (m members) EndSessions(ctx context.Context, id string, before time.Time) error {
	return m.inTx(ctx, func(tx *sql.Tx) error {
		// MAX, because the time must never go back: that would revive sessions.
		return exec(ctx, tx, scangate.ErrNotFound, `UPDATE members SET sessions_ended_at = MAX(sessions_ended_at, ?) WHERE id = ?`, before.UnixMicro(), parseID(id))
	})
}

// inTx calls f in a transaction. The first statement of f must be a write: SQLite lets
// a writer wait for another one, but refuses a write in a transaction that has read
// before.
func (m members) inTx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := m.db.BeginTx(ctx, nil)
	if err != nil {
		return wrap(ctx, err)
	}
	defer func() { _ = tx.Rollback() }() // has no effect after Commit
	if err := f(tx); err != nil {
		return wrap(ctx, err)
	}
	return wrap(ctx, tx.Commit())
}

// lockMember locks the database for the rest of the transaction. It returns ErrNotFound
// if there is no such member.
func lockMember(ctx context.Context, tx *sql.Tx, id string) error {
	return exec(ctx, tx, scangate.ErrNotFound, `UPDATE members SET id = id WHERE id = ?`, parseID(id))
}

// exec executes a statement. It returns unchanged if the statement changes no row.
func exec(ctx context.Context, tx *sql.Tx, unchanged error, statement string, args ...any) error {
	result, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	// In SQLite an UPDATE affects each row that matches, changed or not.
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return cmp.Or(err, unchanged)
	}
	return nil
}

// parseID returns the number of a member, or 0 if id is not a number in its usual form.
// AUTOINCREMENT starts at 1, so 0 finds no member.
func parseID(id string) int64 {
	// FormatInt refuses other spellings of a number, such as "+1" and "01": a user
	// must have one ID only.
	if n, _ := strconv.ParseInt(id, 10, 64); strconv.FormatInt(n, 10) == id {
		return n
	}
	return 0
}

// wrap prepares an error for the caller. SQLite's errors quote no values. Those of other
// databases do, and may then contain a phone number: do not return them as they are.
func wrap(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	// The driver's error after a cancellation does not wrap the context's error.
	return fmt.Errorf("members: %w", cmp.Or(ctx.Err(), err))
}
