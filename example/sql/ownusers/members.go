// Package ownusers is for an application that has users already. It keeps them in its
// own table, which is called members here, and adds WeChat identities beside it.
package ownusers

import (
	"context"
	"database/sql"

	"github.com/scangate/scangate/sqlstore"
)

// New returns a store on the application's table in a SQLite database:
//
//	members (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, picture TEXT,
//		mobile TEXT UNIQUE, disabled BOOLEAN NOT NULL DEFAULT FALSE, ...)
//
// Mobile numbers have 11 digits. New creates the tables beside it that do not exist.
func New(ctx context.Context, db *sql.DB) (*sqlstore.Store, error) {
	users, err := sqlstore.New(db, sqlstore.SQLite, sqlstore.Table{
		Name: "members", ID: "id", Nickname: "name", AvatarURL: "picture",
		Phone: "mobile", PhonePrefix: "+86", Disabled: "disabled",
	})
	if err != nil {
		return nil, err
	}
	return users, users.Migrate(ctx)
}
