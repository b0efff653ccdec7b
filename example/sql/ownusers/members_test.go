package ownusers

import (
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/sqlstore"
	"github.com/scangate/scangate/storetest"
)

// oldSchema is the application's table before it used scangate, with two members.
const oldSchema = `CREATE TABLE members (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL,
	picture TEXT,
	mobile TEXT UNIQUE,
	disabled BOOLEAN NOT NULL DEFAULT FALSE,
	joined TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO members (name, mobile, disabled) VALUES ('陈静', '13700137000', FALSE), ('Li', NULL, TRUE);`

// open returns a new database with the old schema, which is closed when the test ends.
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
	if _, err := db.ExecContext(t.Context(), oldSchema); err != nil {
		t.Fatal(err)
	}
	return db
}

// newStore returns a store on the database.
func newStore(t *testing.T, db *sql.DB) *sqlstore.Store {
	t.Helper()
	users, err := New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return users
}

func TestContract(t *testing.T) {
	storetest.Users(t, func(t *testing.T) scangate.UserStore { return newStore(t, open(t)) })
}

func TestDelete(t *testing.T) {
	storetest.Delete(t, func(t *testing.T) storetest.UserDeleter { return newStore(t, open(t)) })
}

// TestOldMembers links a WeChat identity to a member from before scangate.
func TestOldMembers(t *testing.T) {
	store := newStore(t, open(t))
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

// TestImport copies the openids and unionids of a hand-made login into the store's tables,
// with the statements of both guides.
func TestImport(t *testing.T) {
	db := open(t)
	var statements []string
	for _, name := range []string{"../../../docs/guide.md", "../../../docs/guide.zh-CN.md"} {
		guide, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(guide), -1) {
			statements = append(statements, block[1])
		}
	}
	if len(statements) != 2 || statements[0] != statements[1] {
		t.Fatalf("the guides have the SQL blocks %q, want one in each, and the same", statements)
	}
	store := newStore(t, db)
	for _, statement := range []string{
		"ALTER TABLE members ADD COLUMN openid TEXT; ALTER TABLE members ADD COLUMN unionid TEXT",
		"UPDATE members SET openid = 'o-chen', unionid = 'u-chen' WHERE id = 1; UPDATE members SET openid = 'o-li' WHERE id = 2",
		statements[0],
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("executing %q: %v", statement, err)
		}
	}
	for id, identity := range map[string]scangate.Identity{
		"1": {AppID: "wx0000000000000002", OpenID: "o-chen-elsewhere", UnionID: "u-chen"},
		"2": {AppID: "wx0000000000000001", OpenID: "o-li"},
	} {
		if got, err := store.FindByWeChat(t.Context(), identity); err != nil || got.ID != id || len(got.Identities) != 1 {
			t.Errorf("FindByWeChat of member %s = %+v, %v, want this member with one identity", id, got, err)
		}
	}
}
