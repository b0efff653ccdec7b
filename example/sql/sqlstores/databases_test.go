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

// database is a kind of database that sqlstore supports.
type database struct {
	name    string
	driver  string
	dialect sqlstore.Dialect
	env     string // the environment variable with the DSN; empty for SQLite
}

// databases returns all supported databases.
func databases() []database {
	return []database{
		{"sqlite", "sqlite", sqlstore.SQLite, ""},
		{"mysql", "mysql", sqlstore.MySQL, "SCANGATE_MYSQL_DSN"},
		{"postgres", "pgx", sqlstore.PostgreSQL, "SCANGATE_POSTGRES_DSN"},
	}
}

// forEachDatabase runs a test with each database that the environment names. A missing
// database skips the test, unless SCANGATE_REQUIRE names it.
func forEachDatabase(t *testing.T, test func(t *testing.T, d database)) {
	required := strings.FieldsFunc(os.Getenv("SCANGATE_REQUIRE"), func(c rune) bool { return c == ',' || c == ' ' })
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			if d.env != "" && os.Getenv(d.env) == "" {
				if slices.Contains(required, d.name) {
					t.Fatalf("SCANGATE_REQUIRE names %s, but %s is not set", d.name, d.env)
				}
				t.Skipf("no %s server: %s is not set", d.name, d.env)
			}
			test(t, d)
		})
	}
}

// dsn returns the DSN from the environment, or the DSN of a new file for SQLite.
func (d database) dsn(t *testing.T) string {
	if d.env != "" {
		return os.Getenv(d.env)
	}
	// The settings that the package's documentation advises, plus synchronous(OFF): no
	// test needs the data after a power failure.
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
		t.Fatalf("connecting to %s: %v", d.name, err)
	}
	return db
}

// tables are the tables of one test.
type tables struct {
	database
	*sql.DB
	DSN    string
	Prefix string
}

// tables returns a random prefix for the tables of this test, in a new connection pool.
// The tables are dropped when the test ends.
func (d database) tables(t *testing.T) tables {
	t.Helper()
	return d.tablesIn(t, d.dsn(t))
}

// tablesIn is tables with a given DSN.
func (d database) tablesIn(t *testing.T, dsn string) tables {
	t.Helper()
	db := d.open(t, dsn)
	prefix := "t" + strings.ToLower(rand.Text()[:12]) + "_"
	t.Cleanup(func() {
		// Not t.Context, which is done when cleanups run.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		// The order matters: the first two tables refer to users or members.
		for _, name := range []string{"identities", "unionids", "ended", "users", "members"} {
			if _, err := db.ExecContext(ctx, "DROP TABLE IF EXISTS "+prefix+name); err != nil {
				t.Errorf("dropping table %s: %v", prefix+name, err)
			}
		}
	})
	return tables{d, db, dsn, prefix}
}

// store returns a Store on the tables. It creates missing tables.
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

// expand replaces {users}, {identities} and {unionids} in a statement by the names of
// the tables.
func (in tables) expand(statement string) string {
	return strings.NewReplacer("{users}", in.Prefix+"users", "{identities}", in.Prefix+"identities", "{unionids}", in.Prefix+"unionids").Replace(statement)
}

// exec executes a statement after expand.
func (in tables) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := in.ExecContext(t.Context(), in.expand(statement)); err != nil {
		t.Fatalf("executing %q: %v", statement, err)
	}
}
