package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	"github.com/scangate/scangate/sqlstore"
)

// With a driver imported, as in
//
//	import _ "github.com/jackc/pgx/v5/stdlib"
func ExampleNew() {
	db, err := sql.Open("pgx", "postgres://app@127.0.0.1/app")
	if err != nil {
		log.Fatal(err)
	}
	users, err := sqlstore.New(db, sqlstore.PostgreSQL)
	if err != nil {
		log.Fatal(err)
	}
	if err := users.Migrate(context.Background()); err != nil {
		log.Fatal(err)
	}
	// scangate.New(scangate.Config{Users: users, ...})
}

func ExampleSchema() {
	schema, err := sqlstore.Schema(sqlstore.SQLite, sqlstore.Prefix("app_"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(schema)
	// Output:
	// CREATE TABLE IF NOT EXISTS app_users (
	//   id TEXT NOT NULL PRIMARY KEY,
	//   nickname TEXT NOT NULL DEFAULT '',
	//   avatar_url TEXT NOT NULL DEFAULT '',
	//   phone TEXT UNIQUE CHECK (phone <> ''),
	//   barred BOOLEAN NOT NULL DEFAULT FALSE,
	//   signed_out BIGINT,
	//   created_at BIGINT NOT NULL DEFAULT 0
	// ) WITHOUT ROWID;
	//
	// CREATE TABLE IF NOT EXISTS app_unionids (
	//   union_id TEXT NOT NULL PRIMARY KEY CHECK (union_id <> ''),
	//   user_id TEXT NOT NULL,
	//   UNIQUE (user_id, union_id),
	//   FOREIGN KEY (user_id) REFERENCES app_users (id) ON DELETE CASCADE
	// ) WITHOUT ROWID;
	//
	// CREATE TABLE IF NOT EXISTS app_identities (
	//   app_id TEXT NOT NULL,
	//   open_id TEXT NOT NULL,
	//   union_id TEXT,
	//   user_id TEXT NOT NULL,
	//   PRIMARY KEY (app_id, open_id),
	//   UNIQUE (user_id, app_id),
	//   FOREIGN KEY (user_id) REFERENCES app_users (id) ON DELETE CASCADE,
	//   FOREIGN KEY (user_id, union_id) REFERENCES app_unionids (user_id, union_id) ON DELETE CASCADE
	// ) WITHOUT ROWID;
}
