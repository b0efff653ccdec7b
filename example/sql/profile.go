package main

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/scangate/scangate"
)

// withProfile makes sure that every user who logs in has a row in a table of the
// application's own:
//
//	CREATE TABLE profiles (user_id TEXT PRIMARY KEY, nickname TEXT NOT NULL, created_at TIMESTAMP NOT NULL)
//
// It does not use the event "registered": a process could end between the registration and
// the row. OnLogin runs before every session begins, so the row exists before anyone can see
// a page. A UserStore of your own can insert both rows in one transaction instead.
func withProfile(config *scangate.Config, db *sql.DB) {
	config.OnLogin = func(ctx context.Context, l scangate.Login) error {
		_, err := db.ExecContext(ctx, `INSERT INTO profiles (user_id, nickname, created_at) VALUES ($1, $2, $3)
			ON CONFLICT (user_id) DO NOTHING`, l.User.ID, l.User.Nickname, time.Now().UTC()) // MySQL: INSERT IGNORE, and "?"
		if err != nil {
			return fmt.Errorf("insert the profile: %w", err) // the login is refused
		}
		return nil
	}
}

// This program has no such table: withProfile is for yours.
var _ = withProfile
