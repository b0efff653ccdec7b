package sqlstore

import (
	"context"
	"database/sql"
	"strings"
)

// Dialect is the kind of SQL that a database speaks.
type Dialect string

// The dialects. MySQL is MariaDB's too.
const (
	SQLite     Dialect = "sqlite"
	MySQL      Dialect = "mysql"
	PostgreSQL Dialect = "postgresql"
)

// grammar is what makes a dialect.
type grammar struct {
	key, name string // the types of identifiers and of names
	table     string // what ends a CREATE TABLE
	forUpdate string // what ends a SELECT that locks
	numbered  bool   // whether placeholders are $1, $2
	// begin is a statement that has to be a transaction's first, or empty.
	begin     string
	isolation sql.IsolationLevel
}

// grammar returns that of the dialect, if it is one.
func (d Dialect) grammar() (grammar, bool) {
	switch d {
	case SQLite:
		return grammar{
			key:   "TEXT",
			name:  "TEXT",
			table: " WITHOUT ROWID",
			// SQLite has one writer. A transaction that has read before it first
			// writes fails, rather than wait, if there was another in between.
			begin: "UPDATE {users} SET id = id WHERE id = ''",
		}, true
	case MySQL:
		// With VARBINARY "a" is not "a ", which it is with utf8mb4_bin.
		return grammar{
			key:       "VARBINARY(255)",
			name:      "VARCHAR(1024)",
			table:     " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
			forUpdate: " FOR UPDATE",
			isolation: sql.LevelReadCommitted,
		}, true
	case PostgreSQL:
		return grammar{
			key:       `TEXT COLLATE "C"`,
			name:      "TEXT",
			forUpdate: " FOR UPDATE",
			numbered:  true,
			isolation: sql.LevelReadCommitted,
		}, true
	}
	return grammar{}, false
}

// tables are the statements that create them. That a UnionID is one user's,
// though several of their identities may have it, needs a table of its own; the
// last foreign key says that an identity's UnionID is its user's.
func tables() []string {
	return []string{
		`CREATE TABLE IF NOT EXISTS {users} (
  id {key} NOT NULL PRIMARY KEY,
  nickname {name} NOT NULL DEFAULT '',
  avatar_url {name} NOT NULL DEFAULT '',
  phone {key} UNIQUE CHECK (phone <> ''),
  disabled BOOLEAN NOT NULL DEFAULT FALSE,
  sessions_ended_at BIGINT,
  created_at BIGINT NOT NULL DEFAULT 0
)`,
		`CREATE TABLE IF NOT EXISTS {unionids} (
  union_id {key} NOT NULL PRIMARY KEY CHECK (union_id <> ''),
  user_id {key} NOT NULL,
  UNIQUE (user_id, union_id),
  FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE
)`,
		`CREATE TABLE IF NOT EXISTS {identities} (
  app_id {key} NOT NULL,
  open_id {key} NOT NULL,
  union_id {key},
  user_id {key} NOT NULL,
  PRIMARY KEY (app_id, open_id),
  UNIQUE (user_id, app_id),
  FOREIGN KEY (user_id) REFERENCES {users} (id) ON DELETE CASCADE,
  FOREIGN KEY (user_id, union_id) REFERENCES {unionids} (user_id, union_id) ON DELETE CASCADE
)`,
	}
}

// schema returns the statements that create the tables.
func (g grammar) schema(prefix string) []string {
	types := strings.NewReplacer("{key}", g.key, "{name}", g.name)
	statements := tables()
	for i, s := range statements {
		statements[i] = g.statement(prefix, types.Replace(s)) + g.table
	}
	return statements
}

// Schema returns the SQL that creates the tables where they are not, each
// statement ending in a semicolon and a newline: for those who have migrations of
// their own. It is what [Store.Migrate] executes.
func Schema(dialect Dialect, options ...Option) (string, error) {
	g, prefix, err := resolve(dialect, options)
	if err != nil {
		return "", err
	}
	return strings.Join(g.schema(prefix), ";\n\n") + ";\n", nil
}

// Migrate creates the tables where they are not. It may be called by each process
// that starts, and by several at once. A table of that name which is another's is
// an error.
func (s *Store) Migrate(ctx context.Context) error {
	for _, statement := range s.schema {
		err := s.retry(ctx, "creating the tables", nil, func() error {
			_, err := s.db.ExecContext(ctx, statement)
			return err
		})
		if err != nil {
			return err
		}
	}
	return s.verify(ctx)
}

// verify reads no row of each table, but all of the columns.
func (s *Store) verify(ctx context.Context) error {
	for _, query := range s.query.columns {
		rows, err := s.db.QueryContext(ctx, query)
		if err == nil {
			err = rows.Close()
		}
		if err != nil {
			return failure(ctx, "a table is not as Schema has it", err, nil)
		}
	}
	return nil
}
