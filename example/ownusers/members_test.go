package ownusers

import (
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/storetest"
)

// before is the application's table as it was before.
const before = `CREATE TABLE members (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL,
	mobile TEXT UNIQUE,
	disabled BOOLEAN NOT NULL,
	joined TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO members (name, mobile, disabled) VALUES ('陈静', '+8613700137000', FALSE), ('Li', NULL, TRUE);`

// open opens a database of the test's own.
func open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "members.db")+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_pragma=synchronous(OFF)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(4) // several, so that they compete, but no crowd that waits by sleeping
	for _, statements := range []string{before, Schema} {
		if _, err := db.ExecContext(t.Context(), statements); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func TestContract(t *testing.T) {
	storetest.Users(t, func(t *testing.T) scangate.UserStore { return New(open(t)) })
}

// TestMembers has people log in who were members before there was a gate.
func TestMembers(t *testing.T) {
	m := New(open(t))
	who := scangate.Identity{AppID: "wx0000000000000001", OpenID: "o-chen", UnionID: "u-chen"}
	chen, err := m.FindByPhone(t.Context(), "+8613700137000")
	if err != nil || chen.ID != "1" || chen.Nickname != "陈静" {
		t.Fatalf("FindByPhone: %+v, %v", chen, err)
	}
	if err := m.LinkWeChat(t.Context(), chen.ID, who); err != nil {
		t.Fatal(err)
	}
	if got, err := m.FindByWeChat(t.Context(), who); err != nil || got.ID != chen.ID {
		t.Errorf("FindByWeChat: %+v, %v", got, err)
	}
	if got, err := m.FindByID(t.Context(), "2"); err != nil || !got.Disabled {
		t.Errorf("FindByID of a member who is disabled: %+v, %v", got, err)
	}
}
