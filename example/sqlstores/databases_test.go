package sqlstores

import (
	"context"
	"crypto/rand"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/scangate/scangate/sqlstore"
)

// database is one that sqlstore is for.
type database struct {
	name    string
	driver  string
	dialect sqlstore.Dialect
	env     string // holds its DSN; empty for SQLite
}

func databases() []database {
	return []database{
		{"sqlite", "sqlite", sqlstore.SQLite, ""},
		{"mysql", "mysql", sqlstore.MySQL, "SCANGATE_MYSQL_DSN"},
		{"postgres", "pgx", sqlstore.PostgreSQL, "SCANGATE_POSTGRES_DSN"},
	}
}

// each runs a test with each database that is there. SCANGATE_REQUIRE names those
// that have to be.
func each(t *testing.T, test func(t *testing.T, d database)) {
	required := strings.FieldsFunc(os.Getenv("SCANGATE_REQUIRE"), func(c rune) bool { return c == ',' || c == ' ' })
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			if d.env != "" && os.Getenv(d.env) == "" {
				if slices.Contains(required, d.name) {
					t.Fatalf("SCANGATE_REQUIRE asks for %s, but %s is not set", d.name, d.env)
				}
				t.Skipf("%s is not set", d.env)
			}
			test(t, d)
		})
	}
}

// dsn names the database: a new file for SQLite, opened as the package's
// documentation advises but for synchronous, as no test cuts the power.
func (d database) dsn(t *testing.T) string {
	if d.env != "" {
		return os.Getenv(d.env)
	}
	file := filepath.Join(t.TempDir(), "users.db")
	return "file:" + file + "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_pragma=synchronous(OFF)"
}

// open connects to the database until the test ends.
func (d database) open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(d.driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(20)
	db.SetMaxIdleConns(20)
	if err := db.PingContext(t.Context()); err != nil {
		t.Fatalf("%s does not answer: %v", d.name, err)
	}
	return db
}

// tables is where one test's users are.
type tables struct {
	database
	*sql.DB
	DSN    string
	Prefix string
}

// tables returns a place for tables that nobody else has, and drops them when the
// test is over.
func (d database) tables(t *testing.T) tables {
	t.Helper()
	return d.tablesIn(t, d.dsn(t))
}

func (d database) tablesIn(t *testing.T, dsn string) tables {
	t.Helper()
	db := d.open(t, dsn)
	prefix := "t" + strings.ToLower(rand.Text()[:12]) + "_"
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		for _, name := range []string{"identities", "unionids", "users"} {
			if _, err := db.ExecContext(ctx, "DROP TABLE IF EXISTS "+prefix+name); err != nil {
				t.Errorf("dropping the tables: %v", err)
			}
		}
	})
	return tables{d, db, dsn, prefix}
}

// store returns a Store over the tables, which are made if they are not there.
func (in tables) store(t *testing.T) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.New(in.DB, in.dialect, sqlstore.Prefix(in.Prefix))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// named puts the tables' names into a statement.
func (in tables) named(statement string) string {
	return strings.NewReplacer("{users}", in.Prefix+"users", "{identities}", in.Prefix+"identities", "{unionids}", in.Prefix+"unionids").Replace(statement)
}

func (in tables) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := in.ExecContext(t.Context(), in.named(statement)); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
