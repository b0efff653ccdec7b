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

// fakeDatabase is a driver whose answers a test gives.
type fakeDatabase struct {
	// rows are what a query returns, exec how a statement ends, commit how a
	// transaction does. A nil one is no rows, and no error.
	rows   func(query string, args []driver.NamedValue) ([][]driver.Value, error)
	exec   func(query string, args []driver.NamedValue) error
	commit func() error

	mu        sync.Mutex
	seen      []string // what was asked, in order
	isolation driver.IsolationLevel
}

// store returns a Store in the fake database.
func (f *fakeDatabase) store(t *testing.T, dialect Dialect) *Store {
	t.Helper()
	db := sql.OpenDB(f)
	t.Cleanup(func() { _ = db.Close() })
	s, err := New(db, dialect)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (f *fakeDatabase) see(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, strings.Join(strings.Fields(what), " "))
}

// count returns how often something that begins so was asked.
func (f *fakeDatabase) count(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, s := range f.seen {
		if strings.HasPrefix(s, what) {
			n++
		}
	}
	return n
}

func (f *fakeDatabase) Connect(context.Context) (driver.Conn, error) { return fakeConn{f}, nil }
func (f *fakeDatabase) Driver() driver.Driver                        { return nil }

// fakeConn is a connection, and its transaction.
type fakeConn struct{ f *fakeDatabase }

func (c fakeConn) Prepare(string) (driver.Stmt, error) { return nil, driver.ErrSkip }
func (c fakeConn) Close() error                        { return nil }
func (c fakeConn) Begin() (driver.Tx, error)           { return nil, driver.ErrSkip }

func (c fakeConn) BeginTx(_ context.Context, options driver.TxOptions) (driver.Tx, error) {
	c.f.see("BEGIN")
	c.f.isolation = options.Isolation
	return c, nil
}

func (c fakeConn) Commit() error {
	c.f.see("COMMIT")
	if c.f.commit == nil {
		return nil
	}
	return c.f.commit()
}

func (c fakeConn) Rollback() error {
	c.f.see("ROLLBACK")
	return nil
}

func (c fakeConn) ExecContext(_ context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.f.see(query)
	if c.f.exec == nil {
		return driver.RowsAffected(1), nil
	}
	return driver.RowsAffected(1), c.f.exec(query, args)
}

func (c fakeConn) QueryContext(_ context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.f.see(query)
	if c.f.rows == nil {
		return &fakeRows{}, nil
	}
	rows, err := c.f.rows(query, args)
	return &fakeRows{rows}, err
}

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
