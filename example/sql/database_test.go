package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/scangate/scangate/sqlstore"
	"github.com/scangate/scangate/wechat"
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

// databases are the kinds of database, each with a new one for a test.
var databases = []struct {
	name string
	open func(t *testing.T) (dsn string)
}{
	// Characters with a meaning in a DSN.
	{"sqlite", func(t *testing.T) string { return filepath.Join(t.TempDir(), "100% odd? #1.db") }},
	{"mysql", emptyMySQL},
	{"postgres", emptyPostgres},
}

// startProgram runs the program until the test ends or stop is called. It returns the
// address of the account page.
func startProgram(t *testing.T, weChat *wechattest.Server, args ...string) (address string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), in, weChat.Account(), weChat.Endpoint())
		_ = in.CloseWithError(io.EOF)
		ended <- err
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run %q: %v, want nil after its context ends", args, err)
		}
	})
	t.Cleanup(stop)
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "Open ")
	if err != nil || !ok {
		t.Fatalf("run %q printed %q, %v, want a line \"Open ...\"", args, line, err)
	}
	return address, stop
}

// newClient returns a browser without cookies.
func newClient(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

// logIn logs the person wang in on a new desktop, by a scan. It returns the account page.
func logIn(t *testing.T, weChat *wechattest.Server, address string) string {
	t.Helper()
	desktop := newClient(t)
	weChat.LogInByScan(t, desktop, strings.TrimSuffix(address, "/account")+"/wechat/login?return_to=/account", "wang")
	resp, err := desktop.Get(address)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	page, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(page), "Hello, user ") {
		t.Errorf("account page: got %s, %v, want a greeting", page, err)
	}
	return string(page)
}

// TestUsersPersist starts the program twice. A person who logs in to both must be the
// same user.
func TestUsersPersist(t *testing.T) {
	for _, tt := range databases {
		t.Run(tt.name, func(t *testing.T) {
			weChat, dsn := wechattest.NewServer(t, simulatedApp), tt.open(t)
			address, stop := startProgram(t, weChat, "-db", dsn)
			before := logIn(t, weChat, address)
			stop()
			address, _ = startProgram(t, weChat, "-db", dsn)
			if after := logIn(t, weChat, address); after != before {
				t.Errorf("account page after a restart = %q, want %q", after, before)
			}
		})
	}
}

// simulatedApp is the account at the simulated WeChat.
var simulatedApp = wechattest.App{Account: wechat.Account{AppID: "wx0000000000000001", Secret: "51a1a7ed51a1a7ed51a1a7ed51a1a7ed"}}

// TestTwoProgramsRegister logs a new person in on many desktops at the same time. Two
// programs share the database of users, which must end up with one user.
func TestTwoProgramsRegister(t *testing.T) {
	if testing.Short() {
		t.Skip("each of its logins has 10 s on the wall clock")
	}
	for _, tt := range databases {
		t.Run(tt.name, func(t *testing.T) {
			weChat, dsn := wechattest.NewServer(t, simulatedApp), tt.open(t)
			first, _ := startProgram(t, weChat, "-db", dsn)
			second, _ := startProgram(t, weChat, "-db", dsn)
			var logins sync.WaitGroup
			for range 3 {
				logins.Go(func() { logIn(t, weChat, first) })
				logins.Go(func() { logIn(t, weChat, second) })
			}
			logins.Wait()
			db, _, err := openDatabase(dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			for _, table := range []string{"scangate_users", "scangate_identities"} {
				var rows int
				if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&rows); err != nil || rows != 1 {
					t.Errorf("counting the rows of %s: got %d, %v, want 1", table, rows, err)
				}
			}
		})
	}
}

// TestProgramRefuses starts the program with wrong settings. The error must name the
// setting and must not contain the password.
func TestProgramRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"an unknown flag", []string{"-nonsense"}, "-nonsense"},
		{"an unknown kind of database", []string{"-db", "oracle://scott:tiger@127.0.0.1/x"}, "oracle://"},
		{"a file in a missing folder", []string{"-db", "nowhere/users.db"}, "database file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			weChat := wechattest.NewServer(t, simulatedApp)
			err := run(t.Context(), append([]string{"-addr", "127.0.0.1:0"}, tt.args...), io.Discard, weChat.Account(), weChat.Endpoint())
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "tiger") {
				t.Errorf("run %q: error = %v, want one that contains %q and no password", tt.args, err, tt.want)
			}
		})
	}
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
