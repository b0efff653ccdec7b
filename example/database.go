package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver "mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/sqlstore"
)

// openUsers opens the table of users: in the database that -db names, or in Redis.
// Package ownusers is for an application that has such a table already.
func openUsers(ctx context.Context, o options) (users scangate.UserStore, closeUsers func(), err error) {
	switch o.db {
	case "memory":
		return scangate.NewMemoryStore(), func() {}, nil
	case "": // what the gate does by itself, but the simulator wants to know the users too
		store, err := scangate.NewRedisStore(o.redis, "")
		return store, func() { _ = store.Close() }, err
	}
	db, dialect, err := openDatabase(o.db)
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(20) // else a crowd of people would be as many connections
	db.SetMaxIdleConns(20)
	db.SetConnMaxLifetime(3 * time.Minute) // shorter than what servers and firewalls allow
	store, err := sqlstore.New(db, dialect)
	if err == nil {
		err = store.Migrate(ctx) // makes the tables if they are not there
	}
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return store, func() { _ = db.Close() }, nil
}

// openDatabase tells by a DSN's look what kind of database it is for.
func openDatabase(dsn string) (*sql.DB, sqlstore.Dialect, error) {
	scheme, _, isURL := strings.Cut(dsn, "://")
	switch {
	case scheme == "postgres", scheme == "postgresql":
		db, err := sql.Open("pgx", dsn)
		return db, sqlstore.PostgreSQL, err
	case scheme == "mysql":
		u, err := url.Parse(dsn)
		if err != nil {
			return nil, "", errors.New("-db: this is no URL") // err would show the password
		}
		password, _ := u.User.Password()
		dsn = fmt.Sprintf("%s:%s@tcp(%s)%s?%s", u.User.Username(), password, u.Host, u.Path, u.RawQuery)
		fallthrough
	case strings.Contains(dsn, "tcp("), strings.Contains(dsn, "unix("): // as the driver has it
		db, err := sql.Open("mysql", dsn)
		return db, sqlstore.MySQL, err
	case isURL:
		return nil, "", fmt.Errorf("-db: %s:// is neither mysql:// nor postgres://", scheme)
	}
	// WAL lets readers go on beside a writer; busy_timeout has writers wait for
	// each other.
	file := (&url.URL{Path: dsn}).EscapedPath()
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)")
	return db, sqlstore.SQLite, err
}
