package sqlstore

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/scangate/scangate"
)

// ann returns a new user who has a UnionID, a phone number and a nickname.
func ann() scangate.NewUser {
	return scangate.NewUser{
		Identity: scangate.Identity{AppID: "wx00000000000000a1", OpenID: "o-Ann-at-the-website", UnionID: "u-Ann-everywhere"},
		Phone:    "+8613800138001",
		Nickname: "Ann",
	}
}

func TestNew(t *testing.T) {
	db := sql.OpenDB(&fakeDatabase{})
	t.Cleanup(func() { _ = db.Close() })
	for _, c := range []struct {
		name    string
		db      *sql.DB
		dialect Dialect
		options []Option
		want    string // in the error; empty for none
	}{
		{"allowed: sqlite", db, SQLite, nil, ""},
		{"allowed: mysql", db, MySQL, nil, ""},
		{"allowed: postgresql", db, PostgreSQL, nil, ""},
		{"allowed: prefix", db, SQLite, []Option{Prefix("app_2_")}, ""},
		{"allowed: underscore", db, SQLite, []Option{Prefix("_")}, ""},
		{"allowed: longest prefix", db, SQLite, []Option{Prefix(strings.Repeat("x", 40))}, ""},
		{"refused: no database", nil, SQLite, nil, "needs a database"},
		{"refused: no dialect", db, "", nil, `unknown dialect ""`},
		{"refused: unknown dialect", db, "oracle", nil, `unknown dialect "oracle"`},
		{"refused: empty prefix", db, SQLite, []Option{Prefix("")}, `Prefix ""`},
		{"refused: digit first", db, SQLite, []Option{Prefix("2app_")}, `Prefix "2app_"`},
		{"refused: upper case", db, SQLite, []Option{Prefix("App_")}, `Prefix "App_"`},
		{"refused: dot", db, SQLite, []Option{Prefix("app.")}, `Prefix "app."`},
		{"refused: SQL", db, SQLite, []Option{Prefix("x; DROP TABLE users; --")}, "Prefix"},
		{"refused: placeholder", db, SQLite, []Option{Prefix("x?")}, `Prefix "x?"`},
		{"refused: accented letter", db, SQLite, []Option{Prefix("é")}, `Prefix "é"`},
		{"refused: prefix too long", db, SQLite, []Option{Prefix(strings.Repeat("x", 41))}, "Prefix"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := New(c.db, c.dialect, c.options...)
			switch {
			case c.want == "" && (err != nil || s == nil):
				t.Errorf("New = %v, %v, want a Store and no error", s, err)
			case c.want != "" && (s != nil || err == nil || !strings.HasPrefix(err.Error(), "sqlstore: ") || !strings.Contains(err.Error(), c.want)):
				t.Errorf("New = %v, %v, want nil and an error from sqlstore with %q", s, err, c.want)
			}
		})
	}
}

func TestSchema(t *testing.T) {
	for _, c := range []struct {
		dialect Dialect
		want    []string
	}{
		{SQLite, []string{"id TEXT NOT NULL PRIMARY KEY", "open_id TEXT NOT NULL", "WITHOUT ROWID"}},
		{MySQL, []string{"id VARBINARY(255) NOT NULL PRIMARY KEY", "open_id VARBINARY(255) NOT NULL", "nickname VARCHAR(1024)", "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"}},
		{PostgreSQL, []string{`id TEXT COLLATE "C" NOT NULL PRIMARY KEY`, `open_id TEXT COLLATE "C" NOT NULL`}},
	} {
		t.Run(string(c.dialect), func(t *testing.T) {
			got, err := Schema(c.dialect, Prefix("app_"))
			if err != nil {
				t.Fatalf("Schema(%q): %v", c.dialect, err)
			}
			inEveryDialect := []string{
				"CREATE TABLE IF NOT EXISTS app_users (", "CREATE TABLE IF NOT EXISTS app_unionids (", "CREATE TABLE IF NOT EXISTS app_identities (",
				"PRIMARY KEY (app_id, open_id)", "UNIQUE (user_id, app_id)", "REFERENCES app_users (id) ON DELETE CASCADE",
			}
			for _, want := range append(c.want, inEveryDialect...) {
				if !strings.Contains(got, want) {
					t.Errorf("Schema(%q) = %s\nwant it to contain %q", c.dialect, got, want)
				}
			}
			if n := strings.Count(got, ";\n"); n != 3 {
				t.Errorf("Schema(%q) has %d statements, want 3:\n%s", c.dialect, n, got)
			}
			if strings.ContainsAny(got, "{}?$") {
				t.Errorf("Schema(%q) = %s\nwant no placeholder in it", c.dialect, got)
			}
		})
	}
}

func TestSchemaRefuses(t *testing.T) {
	if got, err := Schema("oracle"); err == nil || got != "" {
		t.Errorf("Schema of an unknown dialect = %q, %v, want an error", got, err)
	}
	if got, err := Schema(SQLite, Prefix("Users")); err == nil || got != "" {
		t.Errorf("Schema with an upper-case prefix = %q, %v, want an error", got, err)
	}
}

func TestStatementPlaceholders(t *testing.T) {
	const text = "SELECT id FROM {table} WHERE id = ? AND phone = ? OR id IN (SELECT user_id FROM {unionids})"
	for dialect, want := range map[Dialect]string{
		SQLite:     "SELECT id FROM p_users WHERE id = ? AND phone = ? OR id IN (SELECT user_id FROM p_unionids)",
		MySQL:      "SELECT id FROM p_users WHERE id = ? AND phone = ? OR id IN (SELECT user_id FROM p_unionids)",
		PostgreSQL: "SELECT id FROM p_users WHERE id = $1 AND phone = $2 OR id IN (SELECT user_id FROM p_unionids)",
	} {
		l, err := resolve(dialect, []Option{Prefix("p_")})
		if err != nil {
			t.Fatal(err)
		}
		if got := l.statement(text); got != want {
			t.Errorf("%s: statement = %s\nwant %s", dialect, got, want)
		}
	}
}
