package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"strings"
	"sync"
	"testing"
)

// fakeDatabase is a driver that a test controls. It records every statement.
type fakeDatabase struct {
	// rows returns the rows of a query. exec and commit return the error of a
	// statement and of a commit. If one is nil, there are no rows and no error.
	rows   func(query string, args []driver.NamedValue) ([][]driver.Value, error)
	exec   func(query string, args []driver.NamedValue) error
	commit func() error

	mu         sync.Mutex
	statements []string // in order, with BEGIN, COMMIT and ROLLBACK
	isolation  driver.IsolationLevel
}

// store returns a Store in the fake database.
func (f *fakeDatabase) store(t *testing.T, dialect Dialect, options ...Option) *Store {
	t.Helper()
	db := sql.OpenDB(f)
	t.Cleanup(func() { _ = db.Close() })
	s, err := New(db, dialect, options...)
	if err != nil {
		t.Fatalf("New(db, %q): %v", dialect, err)
	}
	return s
}

// record appends a statement, with each run of white space as one space.
func (f *fakeDatabase) record(statement string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.statements = append(f.statements, strings.Join(strings.Fields(statement), " "))
}

// count returns the number of recorded statements that begin with prefix.
func (f *fakeDatabase) count(prefix string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, s := range f.statements {
		if strings.HasPrefix(s, prefix) {
			n++
		}
	}
	return n
}

func (f *fakeDatabase) Connect(context.Context) (driver.Conn, error) { return fakeConn{f}, nil }
func (f *fakeDatabase) Driver() driver.Driver                        { return nil }

// fakeConn is a connection to a fakeDatabase, and the connection's transaction.
type fakeConn struct{ f *fakeDatabase }

func (c fakeConn) Prepare(string) (driver.Stmt, error) { return nil, driver.ErrSkip }
func (c fakeConn) Close() error                        { return nil }
func (c fakeConn) Begin() (driver.Tx, error)           { return nil, driver.ErrSkip }

func (c fakeConn) BeginTx(_ context.Context, options driver.TxOptions) (driver.Tx, error) {
	c.f.record("BEGIN")
	c.f.isolation = options.Isolation
	return c, nil
}

func (c fakeConn) Commit() error {
	c.f.record("COMMIT")
	if c.f.commit == nil {
		return nil
	}
	return c.f.commit()
}

func (c fakeConn) Rollback() error {
	c.f.record("ROLLBACK")
	return nil
}

func (c fakeConn) ExecContext(_ context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.f.record(query)
	if c.f.exec == nil {
		return driver.RowsAffected(1), nil
	}
	return driver.RowsAffected(1), c.f.exec(query, args)
}

func (c fakeConn) QueryContext(_ context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.f.record(query)
	if c.f.rows == nil {
		return &fakeRows{}, nil
	}
	rows, err := c.f.rows(query, args)
	return &fakeRows{rows}, err
}

// fakeRows is the result of a query.
type fakeRows struct{ left [][]driver.Value }

func (r *fakeRows) Close() error { return nil }

func (r *fakeRows) Columns() []string {
	if len(r.left) == 0 {
		return nil
	}
	return make([]string, len(r.left[0]))
}

func (r *fakeRows) Next(to []driver.Value) error {
	if len(r.left) == 0 {
		return io.EOF
	}
	copy(to, r.left[0])
	r.left = r.left[1:]
	return nil
}
