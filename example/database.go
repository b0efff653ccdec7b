package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql" // registers the driver "mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"
	_ "modernc.org/sqlite"             // registers the driver "sqlite"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/sqlstore"
)

// openUsers opens the store of users: in the database that -db names, or in Redis.
// An application that has a table of users describes it to sqlstore; see package
// ownusers.
func openUsers(ctx context.Context, o options) (users scangate.UserStore, closeUsers func(), err error) {
	switch o.db {
	case "memory":
		return scangate.NewMemoryStore(), func() {}, nil
	case "":
		// If Config.Users is nil, the gate creates this store itself. The example
		// creates it because startSimulator registers users in it.
		store, err := scangate.NewRedisStore(o.redis, "")
		return store, func() { _ = store.Close() }, err
	}
	db, dialect, err := openDatabase(o.db)
	if err != nil {
		return nil, nil, err
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
		return nil, nil, err
	}
	return store, func() { _ = db.Close() }, nil
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
