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
	firstWrite   string // the first statement of each transaction, or empty
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
			firstWrite: "UPDATE {users} SET id = id WHERE id = ''",
		}, true
	case MySQL:
		return grammar{
			// Not VARCHAR: in utf8mb4_bin, "a" equals "a ".
			idType:       "VARBINARY(255)",
			nameType:     "VARCHAR(1024)",
			tableOptions: " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
			forUpdate:    " FOR UPDATE",
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
			// A database may be set to a stricter level, at which transactions that
			// meet fail instead of waiting.
			isolation: sql.LevelReadCommitted,
		}, true
	}
	return grammar{}, false
}

// tables returns the statements that create the tables, in an order in which each
// table only refers to earlier ones.
func tables() []string {
	return []string{
		`CREATE TABLE IF NOT EXISTS {users} (
  id {id} NOT NULL PRIMARY KEY,
  nickname {name} NOT NULL DEFAULT '',
  avatar_url {name} NOT NULL DEFAULT '',
  phone {id} UNIQUE CHECK (phone <> ''),
  disabled BOOLEAN NOT NULL DEFAULT FALSE,
  sessions_ended_at BIGINT,
  created_at BIGINT NOT NULL DEFAULT 0
)`,
		// Several identities of one user may have the same UnionID, so a unique
		// column of identities could not express that a UnionID has one owner.
		`CREATE TABLE IF NOT EXISTS {unionids} (
  union_id {id} NOT NULL PRIMARY KEY CHECK (union_id <> ''),
  user_id {id} NOT NULL,
  UNIQUE (user_id, union_id),
  FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE
)`,
		// UNIQUE (user_id, app_id) allows a user one OpenID per account. The last
		// foreign key allows an identity no UnionID of another user.
		`CREATE TABLE IF NOT EXISTS {identities} (
  app_id {id} NOT NULL,
  open_id {id} NOT NULL,
  union_id {id},
  user_id {id} NOT NULL,
  PRIMARY KEY (app_id, open_id),
  UNIQUE (user_id, app_id),
  FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE,
  FOREIGN KEY (user_id, union_id) REFERENCES {unionids} (user_id, union_id) ON DELETE CASCADE
)`,
	}
}

// schema returns the statements that create the tables in this dialect.
func (g grammar) schema(prefix string) []string {
	types := strings.NewReplacer("{id}", g.idType, "{name}", g.nameType)
	statements := tables()
	for i, s := range statements {
		statements[i] = g.statement(prefix, types.Replace(s)) + g.tableOptions
	}
	return statements
}

// Schema returns the SQL that [Store.Migrate] executes, for applications with
// migrations of their own. It creates the tables that do not exist. Each statement ends
// in a semicolon and a newline.
func Schema(dialect Dialect, options ...Option) (string, error) {
	g, prefix, err := resolve(dialect, options)
	if err != nil {
		return "", err
	}
	return strings.Join(g.schema(prefix), ";\n\n") + ";\n", nil
}

// Migrate creates the tables that do not exist. Every process may call it at its
// start, several at the same time. It returns an error if a table of that name exists
// and lacks a column.
func (s *Store) Migrate(ctx context.Context) error {
	for _, statement := range s.schema {
		// Despite IF NOT EXISTS, PostgreSQL returns an error to one of two processes
		// that create a table at the same time.
		err := s.retry(ctx, "creating the tables", nil, func() error {
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
			return failure(ctx, "a table differs from Schema", err, nil)
		}
	}
	return nil
}
