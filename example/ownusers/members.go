// Package ownusers is for an application that has users already: a
// scangate.UserStore over its own table, which is called members here.
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

// Schema is what the table needs besides what it has:
//
//	members (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,
//		mobile TEXT UNIQUE, disabled BOOLEAN NOT NULL, ...)
//
// Numbers are NULL or as in +8613800138000. What has to be unique is so by the
// database, whoever writes to it. A UnionID may stand in several rows of one
// member and in nobody else's, which takes a table of its own.
const Schema = `
ALTER TABLE members ADD COLUMN picture TEXT NOT NULL DEFAULT '';
ALTER TABLE members ADD COLUMN sessions_ended_at BIGINT NOT NULL DEFAULT -62135596800000000; -- Go's zero time, in microseconds
CREATE TABLE member_unionids (union_id TEXT PRIMARY KEY, member_id INTEGER NOT NULL REFERENCES members);
CREATE TABLE member_wechats (app_id TEXT, open_id TEXT, union_id TEXT NOT NULL, member_id INTEGER NOT NULL REFERENCES members,
  PRIMARY KEY (app_id, open_id), UNIQUE (member_id, app_id));`

// New returns the table as the gate needs it, in SQLite.
func New(db *sql.DB) scangate.UserStore { return members{db} }

type members struct{ db *sql.DB }

func (m members) FindByID(ctx context.Context, id string) (scangate.User, error) {
	return m.find(ctx, `m.id = ?`, number(id))
}

func (m members) FindByPhone(ctx context.Context, phone string) (scangate.User, error) {
	return m.find(ctx, `m.mobile = NULLIF(?, '')`, phone)
}

func (m members) FindByWeChat(ctx context.Context, who scangate.Identity) (scangate.User, error) {
	return m.find(ctx, `m.id = COALESCE((SELECT member_id FROM member_wechats WHERE app_id = ? AND open_id = ?),
		(SELECT member_id FROM member_unionids WHERE union_id = ?))`, who.AppID, who.OpenID, who.UnionID)
}

// find reads a member: one row for each identity, or one without.
func (m members) find(ctx context.Context, where string, args ...any) (scangate.User, error) {
	//nolint:gosec // where is one of the three above
	rows, err := m.db.QueryContext(ctx, `SELECT m.id, m.name, m.picture, COALESCE(m.mobile, ''), m.disabled, m.sessions_ended_at,
		COALESCE(w.app_id, ''), COALESCE(w.open_id, ''), COALESCE(w.union_id, '')
		FROM members m LEFT JOIN member_wechats w ON w.member_id = m.id WHERE `+where, args...)
	if err != nil {
		return scangate.User{}, failed(ctx, err)
	}
	defer func() { _ = rows.Close() }()
	var user scangate.User
	for rows.Next() {
		var sessionsEndedAt int64
		var who scangate.Identity
		err := rows.Scan(&user.ID, &user.Nickname, &user.AvatarURL, &user.Phone, &user.Disabled, &sessionsEndedAt, &who.AppID, &who.OpenID, &who.UnionID)
		if err != nil {
			return scangate.User{}, failed(ctx, err)
		}
		user.SessionsEndedAt = time.UnixMicro(sessionsEndedAt).UTC()
		if who.OpenID != "" {
			user.Identities = append(user.Identities, who)
		}
	}
	if err := rows.Err(); err != nil || user.ID == "" {
		return scangate.User{}, failed(ctx, cmp.Or(err, scangate.ErrNotFound))
	}
	return user, nil
}

func (m members) Register(ctx context.Context, who scangate.NewUser) (scangate.User, error) {
	user := scangate.User{Nickname: who.Nickname, AvatarURL: who.AvatarURL, Phone: who.Phone, Identities: []scangate.Identity{who.Identity}}
	err := m.change(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `INSERT INTO members (name, picture, mobile, disabled) VALUES (?, ?, NULLIF(?, ''), FALSE)
			ON CONFLICT (mobile) DO NOTHING RETURNING id`, who.Nickname, who.AvatarURL, who.Phone).Scan(&user.ID)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return scangate.ErrPhoneTaken
		case err != nil:
			return err
		}
		return link(ctx, tx, user.ID, who.Identity)
	})
	if err != nil {
		return scangate.User{}, err
	}
	return user, nil
}

func (m members) LinkWeChat(ctx context.Context, id string, who scangate.Identity) error {
	return m.change(ctx, func(tx *sql.Tx) error { return link(ctx, tx, id, who) })
}

// link adds an identity. Its statements change no row where that is another
// member's, or the member has another at that account.
func link(ctx context.Context, tx *sql.Tx, id string, who scangate.Identity) error {
	if err := lock(ctx, tx, id); err != nil {
		return err
	}
	if who.UnionID != "" {
		err := exec(ctx, tx, scangate.ErrIdentityTaken, `INSERT INTO member_unionids (union_id, member_id) VALUES (?, ?)
			ON CONFLICT DO UPDATE SET member_id = member_id WHERE member_id = excluded.member_id`, who.UnionID, number(id))
		if err != nil {
			return err
		}
	}
	return exec(ctx, tx, scangate.ErrIdentityTaken, `INSERT INTO member_wechats (app_id, open_id, union_id, member_id) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET union_id = MAX(union_id, excluded.union_id) WHERE open_id = excluded.open_id AND member_id = excluded.member_id
		AND (union_id = excluded.union_id OR union_id = '' OR excluded.union_id = '')`, who.AppID, who.OpenID, who.UnionID, number(id))
}

func (m members) UnlinkWeChat(ctx context.Context, id string, who scangate.Identity) error {
	return m.change(ctx, func(tx *sql.Tx) error {
		if err := lock(ctx, tx, id); err != nil {
			return err
		}
		if err := exec(ctx, tx, nil, `DELETE FROM member_wechats WHERE app_id = ? AND open_id = ? AND member_id = ?`, who.AppID, who.OpenID, number(id)); err != nil {
			return err
		}
		return exec(ctx, tx, nil, `DELETE FROM member_unionids WHERE member_id = ?
			AND union_id NOT IN (SELECT union_id FROM member_wechats WHERE member_id = ?)`, number(id), number(id))
	})
}

func (m members) BindPhone(ctx context.Context, id, phone string) error {
	return m.change(ctx, func(tx *sql.Tx) error {
		if err := lock(ctx, tx, id); err != nil {
			return err
		}
		return exec(ctx, tx, scangate.ErrPhoneTaken, `UPDATE OR IGNORE members SET mobile = NULLIF(?, '') WHERE id = ?`, phone, number(id))
	})
}

func (m members) EndSessions(ctx context.Context, id string, before time.Time) error {
	return m.change(ctx, func(tx *sql.Tx) error {
		return exec(ctx, tx, scangate.ErrNotFound, `UPDATE members SET sessions_ended_at = MAX(sessions_ended_at, ?) WHERE id = ?`, before.UnixMicro(), number(id))
	})
}

// change calls f in a transaction, which has to begin with a write: SQLite lets
// writers wait for each other, but refuses one that has read before.
func (m members) change(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := m.db.BeginTx(ctx, nil)
	if err != nil {
		return failed(ctx, err)
	}
	defer func() { _ = tx.Rollback() }() // nothing after Commit
	if err := f(tx); err != nil {
		return failed(ctx, err)
	}
	return failed(ctx, tx.Commit())
}

// lock is that write.
func lock(ctx context.Context, tx *sql.Tx, id string) error {
	return exec(ctx, tx, scangate.ErrNotFound, `UPDATE members SET id = id WHERE id = ?`, number(id))
}

// exec returns the error none if the statement changes no row.
func exec(ctx context.Context, tx *sql.Tx, none error, statement string, args ...any) error {
	result, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return cmp.Or(err, none)
	}
	return nil
}

// number is an id as the table has it, or 0, which is nobody's.
func number(id string) int64 {
	if n, _ := strconv.ParseInt(id, 10, 64); strconv.FormatInt(n, 10) == id {
		return n
	}
	return 0
}

// failed is an error as the methods return it. SQLite's quote no values; those of
// other databases do, and must not be passed on.
func failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("members: %w", cmp.Or(ctx.Err(), err))
}
