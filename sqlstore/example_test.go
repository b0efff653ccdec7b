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

// Two applications in one database have tables of their own.
func ExamplePrefix() {
	for _, prefix := range []string{"shop_", "blog_", "No such thing"} {
		_, err := sqlstore.New(new(sql.DB), sqlstore.MySQL, sqlstore.Prefix(prefix))
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// <nil>
	// sqlstore: Prefix "No such thing" is not of a-z, 0-9 and _
}

// Migrate makes the tables where they are not, so each start may call it. Who has
// migrations of their own runs the statements of Schema with them instead.
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
