package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/scangate/scangate/sqlstore"
	"github.com/scangate/scangate/wechattest"
)

// skipWithout skips a test because a program or server is missing. It fails the test
// instead if SCANGATE_REQUIRE names the program or server.
func skipWithout(t *testing.T, name, reason string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("SCANGATE_REQUIRE"), ","), name) {
		t.Fatalf("SCANGATE_REQUIRE names %s, but %s", name, reason)
	}
	t.Skip(reason)
}

// emptyMySQL creates a database for this test on the server of SCANGATE_MYSQL_DSN. It
// returns the DSN.
func emptyMySQL(t *testing.T) string {
	t.Helper()
	dsn := os.Getenv("SCANGATE_MYSQL_DSN")
	if dsn == "" {
		skipWithout(t, "mysql", "SCANGATE_MYSQL_DSN is not set")
	}
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.DBName = emptyDatabase(t, dsn)
	return config.FormatDSN()
}

// emptyPostgres is emptyMySQL for PostgreSQL.
func emptyPostgres(t *testing.T) string {
	t.Helper()
	dsn := os.Getenv("SCANGATE_POSTGRES_DSN")
	if dsn == "" {
		skipWithout(t, "postgres", "SCANGATE_POSTGRES_DSN is not set")
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + emptyDatabase(t, dsn)
	return u.String()
}

// emptyDatabase creates a database with a random name and drops it when the test ends.
// It returns the name.
func emptyDatabase(t *testing.T, dsn string) string {
	t.Helper()
	db, _, err := openDatabase(dsn)
	if err != nil {
		t.Fatal(err)
	}
	name := "t" + strings.ToLower(rand.Text()[:12])
	if _, err := db.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Not t.Context, which is done when cleanups run.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := db.ExecContext(ctx, "DROP DATABASE "+name); err != nil {
			t.Errorf("dropping database %s: %v", name, err)
		}
		_ = db.Close()
	})
	return name
}

// TestUsersPersist starts the program twice. A person who logs in to both must be the
// same user.
func TestUsersPersist(t *testing.T) {
	for _, tt := range []struct {
		name string
		args func(t *testing.T) []string
	}{
		{"sqlite", func(t *testing.T) []string {
			// Characters with a meaning in a DSN.
			return []string{"-db", filepath.Join(t.TempDir(), "100% odd? #1.db")}
		}},
		{"mysql", func(t *testing.T) []string { return []string{"-db", emptyMySQL(t)} }},
		{"postgres", func(t *testing.T) []string { return []string{"-db", emptyPostgres(t)} }},
		{"redis", func(t *testing.T) []string { return []string{"-redis", startRedis(t)} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := tt.args(t)
			first, second := logInOnce(t, args), logInOnce(t, args)
			if first.ID == "" || first != second {
				t.Errorf("user after a restart = %+v, want %+v with an ID", second, first)
			}
		})
	}
}

// logInOnce starts the program, logs the person wang in, and stops the program. It
// returns the user. At the first call the person is new to the program.
func logInOnce(t *testing.T, args []string) view {
	t.Helper()
	p := startProcess(t, args...)
	defer p.stop()
	phone := wechattest.New(nil).Phone("wang", nil, p.wechat)
	if _, _, err := allow(t.Context(), phone, p.url+"/account"); err != nil {
		t.Fatal(err)
	}
	resp, err := phone.Open(t.Context(), p.url+"/api/account")
	if err != nil {
		t.Fatal(err)
	}
	var got view
	if err := json.Unmarshal([]byte(body(t, resp)), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestOpenDatabase opens DSNs of all kinds. Wrong ones must not reveal their password.
func TestOpenDatabase(t *testing.T) {
	for _, tt := range []struct {
		dsn     string
		dialect sqlstore.Dialect // empty for an error
	}{
		{"users.db", sqlstore.SQLite},
		{"/var/lib/example/users.db", sqlstore.SQLite},
		{"mysql://app:tiger@127.0.0.1/app", sqlstore.MySQL},
		{"mysql://app:tiger@127.0.0.1:3306/app?tls=true", sqlstore.MySQL},
		{"mysql://127.0.0.1/app", sqlstore.MySQL},
		{"app:tiger@tcp(127.0.0.1:3306)/app", sqlstore.MySQL},
		{"app@unix(/run/mysqld/mysqld.sock)/app?tls=false", sqlstore.MySQL},
		{"postgres://app:tiger@127.0.0.1/app", sqlstore.PostgreSQL},
		{"postgresql://app:tiger@127.0.0.1:5432/app?sslmode=disable", sqlstore.PostgreSQL},
		{"mysql://app:tiger%zz@127.0.0.1/app", ""},
		{"mysql://app:tiger@127.0.0.1", ""},
		{"app:tiger@tcp(127.0.0.1:3306)", ""},
		{"sqlserver://app:tiger@127.0.0.1/app", ""},
	} {
		t.Run(tt.dsn, func(t *testing.T) {
			db, dialect, err := openDatabase(tt.dsn)
			if err == nil {
				_ = db.Close()
			}
			// sql.Open does not connect, so no server is needed.
			if (err == nil) != (tt.dialect != "") || err == nil && dialect != tt.dialect {
				t.Errorf("openDatabase: got dialect %q, error %v, want dialect %q", dialect, err, tt.dialect)
			}
			if err != nil && strings.Contains(err.Error(), "tiger") {
				t.Errorf("openDatabase: error %q contains the password", err)
			}
		})
	}
}
