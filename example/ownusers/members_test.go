package ownusers

import (
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/storetest"
)

// oldSchema is the application's table before it used scangate, with two members.
const oldSchema = `CREATE TABLE members (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL,
	mobile TEXT UNIQUE,
	disabled BOOLEAN NOT NULL,
	joined TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO members (name, mobile, disabled) VALUES ('陈静', '+8613700137000', FALSE), ('Li', NULL, TRUE);`

// open returns a new database with both schemas. It is closed when the test ends.
func open(t *testing.T) *sql.DB {
	t.Helper()
	// Without syncs to the disk: no test needs the data after a power failure.
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "members.db")+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_pragma=synchronous(OFF)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	// Several connections, so that writers compete for the lock. Not more, because
	// SQLite polls for the lock, and many waiting writers would slow the test down.
	db.SetMaxOpenConns(4)
	for _, statements := range []string{oldSchema, Schema} {
		if _, err := db.ExecContext(t.Context(), statements); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func TestContract(t *testing.T) {
	storetest.Users(t, func(t *testing.T) scangate.UserStore { return New(open(t)) })
}

// TestOldMembers links a WeChat identity to a member from before scangate.
func TestOldMembers(t *testing.T) {
	store := New(open(t))
	identity := scangate.Identity{AppID: "wx0000000000000001", OpenID: "o-chen", UnionID: "u-chen"}
	chen, err := store.FindByPhone(t.Context(), "+8613700137000")
	if err != nil || chen.ID != "1" || chen.Nickname != "陈静" {
		t.Fatalf("FindByPhone of an old member = %+v, %v, want member 1, 陈静", chen, err)
	}
	if err := store.LinkWeChat(t.Context(), chen.ID, identity); err != nil {
		t.Fatal(err)
	}
	if got, err := store.FindByWeChat(t.Context(), identity); err != nil || got.ID != chen.ID {
		t.Errorf("FindByWeChat after LinkWeChat = %+v, %v, want member %s", got, err, chen.ID)
	}
	if got, err := store.FindByID(t.Context(), "2"); err != nil || !got.Disabled {
		t.Errorf("FindByID of a disabled member = %+v, %v, want Disabled", got, err)
	}
}
