package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql" // registers the driver "mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"
	_ "modernc.org/sqlite"             // registers the driver "sqlite"

	"github.com/scangate/scangate/sqlstore"
)

// userStore is the store of users, with the database that it closes.
type userStore struct {
	*sqlstore.Store
	db *sql.DB
}

// Close closes the database.
func (u userStore) Close() error { return u.db.Close() }

// openUsers opens the store of users in the database that dsn names. If dsn is empty, the
// environment variable EXAMPLE_DB names it; the default is a file of SQLite. An application
// that has a table of users describes it to sqlstore; see package ownusers.
func openUsers(ctx context.Context, dsn string) (userStore, error) {
	db, dialect, err := openDatabase(cmp.Or(dsn, os.Getenv("EXAMPLE_DB"), "example.db"))
	if err != nil {
		return userStore{}, err
	}
	// Without a limit database/sql opens one connection for each concurrent query.
	db.SetMaxOpenConns(20)
	// As many idle connections, because by default database/sql closes all but two
	// after each burst.
	db.SetMaxIdleConns(20)
	// Servers and firewalls close idle connections, often after five minutes.
	db.SetConnMaxLifetime(3 * time.Minute)
	store, err := sqlstore.New(db, dialect)
	if err == nil {
		err = store.Migrate(ctx) // creates missing tables
	}
	if err != nil {
		_ = db.Close()
		return userStore{}, err
	}
	return userStore{store, db}, nil
}

// openDatabase returns the database that dsn names and its dialect. It does not
// connect. Its errors contain no password.
func openDatabase(dsn string) (*sql.DB, sqlstore.Dialect, error) {
	scheme, _, isURL := strings.Cut(dsn, "://")
	switch {
	case scheme == "postgres", scheme == "postgresql":
		db, err := sql.Open("pgx", dsn)
		return db, sqlstore.PostgreSQL, err
	case scheme == "mysql":
		u, err := url.Parse(dsn)
		if err != nil {
			// Not %w: the error of url.Parse quotes the URL with the password.
			return nil, "", errors.New("-db: invalid URL, want mysql://user:password@host/name")
		}
		// The driver's own format, which has no scheme.
		password, _ := u.User.Password()
		dsn = fmt.Sprintf("%s:%s@tcp(%s)%s?%s", u.User.Username(), password, u.Host, u.Path, u.RawQuery)
		fallthrough
	case strings.Contains(dsn, "tcp("), strings.Contains(dsn, "unix("):
		db, err := sql.Open("mysql", dsn)
		return db, sqlstore.MySQL, err
	case isURL:
		return nil, "", fmt.Errorf("-db: unknown scheme %s://, want mysql:// or postgres://", scheme)
	}
	// With WAL readers do not wait for a writer. With busy_timeout a writer waits
	// up to 5 seconds for another one instead of failing at once.
	// The file's name is escaped, because "?" and "#" have a meaning in a URI.
	file := (&url.URL{Path: dsn}).EscapedPath()
	// SQLite checks foreign keys only if a connection asks for it.
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)")
	return db, sqlstore.SQLite, err
}
