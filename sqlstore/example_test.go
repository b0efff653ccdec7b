package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	"github.com/scangate/scangate/sqlstore"
)

// The application imports the driver:
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

// Two applications use separate tables in one database.
func ExamplePrefix() {
	for _, prefix := range []string{"shop_", "blog_", "My Shop"} {
		_, err := sqlstore.New(new(sql.DB), sqlstore.MySQL, sqlstore.Prefix(prefix))
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// <nil>
	// sqlstore: Prefix "My Shop" must be 1 to 40 characters out of a-z, 0-9 and _, and not begin with a digit
}

// Migrate creates the tables that do not exist, so the application may call it at every
// start. An application with migrations of its own runs the statements of Schema instead.
func ExampleStore_Migrate() {
	db, err := sql.Open("sqlite", "file:app.db?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)")
	if err != nil {
		log.Fatal(err)
	}
	users, err := sqlstore.New(db, sqlstore.SQLite)
	if err != nil {
		log.Fatal(err)
	}
	if err := users.Migrate(context.Background()); err != nil {
		log.Fatal(err)
	}
}

// Schema returns the statements for a migration of the application's own.
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
	//   disabled BOOLEAN NOT NULL DEFAULT FALSE,
	//   sessions_ended_at BIGINT,
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
