package sqlstore

import (
	"context"
	"database/sql"
	"strings"
)

// Dialect is the SQL dialect of a database.
type Dialect string

// The supported dialects. MySQL also serves MariaDB.
const (
	SQLite     Dialect = "sqlite"
	MySQL      Dialect = "mysql"
	PostgreSQL Dialect = "postgresql"
)

// grammar holds the differences between the dialects.
type grammar struct {
	idType       string // column type of identifiers
	nameType     string // column type of nicknames and URLs
	tableOptions string // appended to CREATE TABLE
	forUpdate    string // appended to a SELECT that locks its rows
	numbered     bool   // placeholders are $1, $2, ... instead of ?
	firstWrites  bool   // each transaction begins with a write
	returning    bool   // INSERT can return the ID that the database makes
	emptyRow     string // follows the table's name in an INSERT without columns
	quotes       string // around names
	isolation    sql.IsolationLevel
}

// grammar returns the grammar of d, and whether d is one of the supported dialects.
func (d Dialect) grammar() (grammar, bool) {
	switch d {
	case SQLite:
		return grammar{
			idType:       "TEXT",
			nameType:     "TEXT",
			tableOptions: " WITHOUT ROWID",
			// SQLite has one writer at a time. A transaction that reads first and
			// then writes fails at once if another has written in between. One that
			// begins with a write waits for its turn.
			firstWrites: true,
			returning:   true,
			emptyRow:    "DEFAULT VALUES",
			// Not double quotes: SQLite takes an unknown name in them for a text.
			quotes: "`",
		}, true
	case MySQL:
		return grammar{
			// Not VARCHAR: in utf8mb4_bin, "a" equals "a ".
			idType:       "VARBINARY(255)",
			nameType:     "VARCHAR(1024)",
			tableOptions: " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
			forUpdate:    " FOR UPDATE",
			emptyRow:     "() VALUES ()",
			quotes:       "`",
			// The default, repeatable read, also locks the gaps between rows. Calls
			// that add different rows then deadlock.
			isolation: sql.LevelReadCommitted,
		}, true
	case PostgreSQL:
		return grammar{
			// "C" compares bytes, unlike most databases' default collation.
			idType:    `TEXT COLLATE "C"`,
			nameType:  "TEXT",
			forUpdate: " FOR UPDATE",
			numbered:  true,
			returning: true,
			emptyRow:  "DEFAULT VALUES",
			quotes:    `"`,
			// A database may be set to a stricter level, at which transactions that
			// meet fail instead of waiting.
			isolation: sql.LevelReadCommitted,
		}, true
	}
	return grammar{}, false
}

// The statements that create the store's tables. References is a foreign key to the table
// of users, if there is one.
const (
	createUsers = `CREATE TABLE IF NOT EXISTS {table} (
  id {idType} NOT NULL PRIMARY KEY,
  nickname {nameType} NOT NULL DEFAULT '',
  avatar_url {nameType} NOT NULL DEFAULT '',
  phone {idType} UNIQUE CHECK (phone <> ''),
  disabled BOOLEAN NOT NULL DEFAULT FALSE,
  sessions_ended_at BIGINT,
  created_at BIGINT NOT NULL DEFAULT 0
)`
	// Several identities of one user may have the same UnionID, so a unique column of
	// identities could not express that a UnionID has one owner.
	createUnionIDs = `CREATE TABLE IF NOT EXISTS {unionids} (
  union_id {idType} NOT NULL PRIMARY KEY CHECK (union_id <> ''),
  user_id {userIDType} NOT NULL,
  UNIQUE (user_id, union_id){references}
)`
	// UNIQUE (user_id, app_id) allows a user one OpenID per account. The last foreign key
	// allows an identity no UnionID of another user.
	createIdentities = `CREATE TABLE IF NOT EXISTS {identities} (
  app_id {idType} NOT NULL,
  open_id {idType} NOT NULL,
  union_id {idType},
  user_id {userIDType} NOT NULL,
  PRIMARY KEY (app_id, open_id),
  UNIQUE (user_id, app_id){references},
  FOREIGN KEY (user_id, union_id) REFERENCES {unionids} (user_id, union_id) ON DELETE CASCADE
)`
	// It has no foreign key. Its rows outlive users, so that the sessions of a deleted
	// user stay over if the database gives the ID to another.
	createEnded = `CREATE TABLE IF NOT EXISTS {ended} (
  user_id {userIDType} NOT NULL PRIMARY KEY,
  sessions_ended_at BIGINT NOT NULL
)`
)

// schema returns the statements that create the store's tables, in an order in which each
// table only refers to earlier ones.
func (l layout) schema() []string {
	statements := []string{createUnionIDs, createIdentities}
	if l.own {
		statements = append([]string{createUsers}, statements...)
	}
	if l.table.SessionsEndedAt == "" {
		statements = append(statements, createEnded)
	}
	references := ""
	if l.table.IDType != "" {
		references = ",\n  FOREIGN KEY (user_id) REFERENCES {table} ({id}) ON DELETE CASCADE"
	}
	types := strings.NewReplacer("{idType}", l.idType, "{nameType}", l.nameType, "{userIDType}", l.userIDType(), "{references}", references)
	for i, s := range statements {
		statements[i] = l.statement(types.Replace(s)) + l.tableOptions
	}
	return statements
}

// Schema returns the SQL that [Store.Migrate] executes, for applications with
// migrations of their own. It creates the tables that do not exist. Each statement ends
// in a semicolon and a newline.
func Schema(dialect Dialect, options ...Option) (string, error) {
	l, err := resolve(dialect, options)
	if err != nil {
		return "", err
	}
	return strings.Join(l.schema(), ";\n\n") + ";\n", nil
}

// Migrate creates those of the store's own tables that do not exist. It never changes the
// table that a [Table] names. Every process may call it at its start, several at the same
// time. It returns an error if a table lacks a column.
func (s *Store) Migrate(ctx context.Context) error {
	doing := "creating the tables"
	if s.table.IDType != "" && !s.own {
		// MySQL's error names a constraint, but not the cause.
		doing += " with foreign keys to a column of Table.IDType " + s.table.IDType
	}
	for _, statement := range s.schema {
		// Despite IF NOT EXISTS, PostgreSQL returns an error to one of two processes
		// that create a table at the same time.
		err := s.retry(ctx, doing, nil, func() error {
			_, err := s.db.ExecContext(ctx, statement)
			return err
		})
		if err != nil {
			return err
		}
	}
	return s.verifyColumns(ctx)
}

// verifyColumns returns an error if a table lacks one of the store's columns.
func (s *Store) verifyColumns(ctx context.Context) error {
	for _, query := range s.query.allColumns {
		rows, err := s.db.QueryContext(ctx, query)
		if err == nil {
			err = rows.Close()
		}
		if err != nil {
			return failure(ctx, "a table lacks a column", err, nil)
		}
	}
	return nil
}
