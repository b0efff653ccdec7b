package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

var (
	errDeadlock = errors.New("deadlock found")
	errTorn     = errors.New("the connection tore")
)

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
		want    string // in the error; empty: none
	}{
		{"allowed: sqlite", db, SQLite, nil, ""},
		{"allowed: mysql", db, MySQL, nil, ""},
		{"allowed: postgresql", db, PostgreSQL, nil, ""},
		{"allowed: prefix", db, SQLite, []Option{Prefix("app_2_")}, ""},
		{"allowed: underscore", db, SQLite, []Option{Prefix("_")}, ""},
		{"allowed: longest prefix", db, SQLite, []Option{Prefix(strings.Repeat("x", 40))}, ""},
		{"refused: no database", nil, SQLite, nil, "needs a database"},
		{"refused: no dialect", db, "", nil, `unknown dialect ""`},
		{"refused: dialect", db, "oracle", nil, `unknown dialect "oracle"`},
		{"refused: empty prefix", db, SQLite, []Option{Prefix("")}, `Prefix ""`},
		{"refused: digit first", db, SQLite, []Option{Prefix("2app_")}, `Prefix "2app_"`},
		{"refused: upper case", db, SQLite, []Option{Prefix("App_")}, `Prefix "App_"`},
		{"refused: dot", db, SQLite, []Option{Prefix("app.")}, `Prefix "app."`},
		{"refused: SQL", db, SQLite, []Option{Prefix("x; DROP TABLE users; --")}, "Prefix"},
		{"refused: placeholder", db, SQLite, []Option{Prefix("x?")}, `Prefix "x?"`},
		{"refused: letter that is none", db, SQLite, []Option{Prefix("é")}, `Prefix "é"`},
		{"refused: too long", db, SQLite, []Option{Prefix(strings.Repeat("x", 41))}, "Prefix"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := New(c.db, c.dialect, c.options...)
			if c.want == "" && (err != nil || s == nil) || c.want != "" && (err == nil || s != nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("New returned the error %v, want %q", err, c.want)
			}
		})
	}
}

func TestSchema(t *testing.T) {
	for _, c := range []struct {
		dialect Dialect
		has     []string
	}{
		{SQLite, []string{"id TEXT NOT NULL PRIMARY KEY", "open_id TEXT NOT NULL", "WITHOUT ROWID"}},
		{MySQL, []string{"id VARBINARY(255) NOT NULL PRIMARY KEY", "open_id VARBINARY(255) NOT NULL", "nickname VARCHAR(1024)", "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"}},
		{PostgreSQL, []string{`id TEXT COLLATE "C" NOT NULL PRIMARY KEY`, `open_id TEXT COLLATE "C" NOT NULL`}},
	} {
		t.Run(string(c.dialect), func(t *testing.T) {
			got, err := Schema(c.dialect, Prefix("app_"))
			if err != nil {
				t.Fatal(err)
			}
			every := append(c.has,
				"CREATE TABLE IF NOT EXISTS app_users (", "CREATE TABLE IF NOT EXISTS app_unionids (", "CREATE TABLE IF NOT EXISTS app_identities (",
				"PRIMARY KEY (app_id, open_id)", "UNIQUE (user_id, app_id)", "REFERENCES app_users (id) ON DELETE CASCADE",
			)
			for _, want := range every {
				if !strings.Contains(got, want) {
					t.Errorf("the schema is without %q:\n%s", want, got)
				}
			}
			if strings.Count(got, ";\n") != 3 || strings.ContainsAny(got, "{}?$") {
				t.Errorf("the schema is not three plain statements:\n%s", got)
			}
		})
	}
}

func TestSchemaRefuses(t *testing.T) {
	if got, err := Schema("oracle"); err == nil || got != "" {
		t.Errorf("Schema of an unknown dialect: %q, %v", got, err)
	}
	if got, err := Schema(SQLite, Prefix("Users")); err == nil || got != "" {
		t.Errorf("Schema with a prefix of upper case: %q, %v", got, err)
	}
}

func TestPlaceholders(t *testing.T) {
	const text = "SELECT id FROM {users} WHERE id = ? AND phone = ? OR id IN (SELECT user_id FROM {unionids})"
	for dialect, want := range map[Dialect]string{
		SQLite:     "SELECT id FROM p_users WHERE id = ? AND phone = ? OR id IN (SELECT user_id FROM p_unionids)",
		MySQL:      "SELECT id FROM p_users WHERE id = ? AND phone = ? OR id IN (SELECT user_id FROM p_unionids)",
		PostgreSQL: "SELECT id FROM p_users WHERE id = $1 AND phone = $2 OR id IN (SELECT user_id FROM p_unionids)",
	} {
		g, _ := dialect.grammar()
		if got := g.statement("p_", text); got != want {
			t.Errorf("%s: %s", dialect, got)
		}
	}
}

// TestOneQuery demands that a look-up is one query, without a transaction.
func TestOneQuery(t *testing.T) {
	for name, find := range map[string]func(s *Store) (scangate.User, error){
		"FindByID":     func(s *Store) (scangate.User, error) { return s.FindByID(t.Context(), "17") },
		"FindByWeChat": func(s *Store) (scangate.User, error) { return s.FindByWeChat(t.Context(), ann().Identity) },
		"FindByPhone":  func(s *Store) (scangate.User, error) { return s.FindByPhone(t.Context(), ann().Phone) },
	} {
		f := &fakeDatabase{}
		if _, err := find(f.store(t, MySQL)); !errors.Is(err, scangate.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
		if len(f.seen) != 1 {
			t.Errorf("%s asked %q", name, f.seen)
		}
	}
}

// TestUnfit demands that what no column holds, and what is empty, is compared with
// nothing.
func TestUnfit(t *testing.T) {
	for _, unfit := range []string{"", "o\x00", "\xff", strings.Repeat("x", 256)} {
		f := &fakeDatabase{rows: func(_ string, args []driver.NamedValue) ([][]driver.Value, error) {
			for _, arg := range args {
				if arg.Value != nil {
					t.Errorf("a query with %.20q", arg.Value)
				}
			}
			return nil, nil
		}}
		s := f.store(t, SQLite)
		_, byID := s.FindByID(t.Context(), unfit)
		_, byWeChat := s.FindByWeChat(t.Context(), scangate.Identity{AppID: unfit, OpenID: unfit, UnionID: unfit})
		_, byPhone := s.FindByPhone(t.Context(), unfit)
		for _, err := range []error{byID, byWeChat, byPhone, s.EndSessions(t.Context(), unfit, time.Now())} {
			if !errors.Is(err, scangate.ErrNotFound) {
				t.Errorf("%.20q: %v, want ErrNotFound", unfit, err)
			}
		}
	}
}

// TestRegisterUnfit demands that what no column holds is refused, and not tried
// again.
func TestRegisterUnfit(t *testing.T) {
	for name, change := range map[string]func(*scangate.NewUser){
		"no AppID":         func(who *scangate.NewUser) { who.Identity.AppID = "" },
		"no OpenID":        func(who *scangate.NewUser) { who.Identity.OpenID = "" },
		"OpenID with NUL":  func(who *scangate.NewUser) { who.Identity.OpenID += "\x00" },
		"long UnionID":     func(who *scangate.NewUser) { who.Identity.UnionID += strings.Repeat("x", 255) },
		"phone no text":    func(who *scangate.NewUser) { who.Phone += "\xff" },
		"long nickname":    func(who *scangate.NewUser) { who.Nickname = strings.Repeat("x", 1025) },
		"AvatarURL broken": func(who *scangate.NewUser) { who.AvatarURL = "\xff" },
	} {
		f, who := &fakeDatabase{}, ann()
		change(&who)
		_, err := f.store(t, SQLite).Register(t.Context(), who)
		if !errors.Is(err, errUnfit) || f.count("BEGIN") > 1 || f.count("INSERT") > 0 {
			t.Errorf("%s: %v, after %q", name, err, f.seen)
		}
	}
}

// TestTransaction demands that a transaction is read committed, or in SQLite begins
// with a write.
func TestTransaction(t *testing.T) {
	for _, c := range []struct {
		dialect   Dialect
		isolation sql.IsolationLevel
		first     string
	}{
		{SQLite, sql.LevelDefault, "UPDATE scangate_users SET id = id"},
		{MySQL, sql.LevelReadCommitted, "SELECT id FROM scangate_users WHERE id = ? FOR UPDATE"},
		{PostgreSQL, sql.LevelReadCommitted, "SELECT id FROM scangate_users WHERE id = $1 FOR UPDATE"},
	} {
		f := &fakeDatabase{}
		err := f.store(t, c.dialect).BindPhone(t.Context(), "17", ann().Phone)
		if !errors.Is(err, scangate.ErrNotFound) || len(f.seen) < 2 || !strings.HasPrefix(f.seen[1], c.first) {
			t.Errorf("%s: %v, after %q", c.dialect, err, f.seen)
		}
		if got := sql.IsolationLevel(f.isolation); got != c.isolation {
			t.Errorf("%s: isolation %v, want %v", c.dialect, got, c.isolation)
		}
		if f.count("COMMIT") != 0 || f.count("ROLLBACK") != 1 {
			t.Errorf("%s: a change that failed was not rolled back: %q", c.dialect, f.seen)
		}
	}
}

// TestRetries demands that a change which fails by another's is begun again.
func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := 3
		f := &fakeDatabase{exec: func(string, []driver.NamedValue) error {
			if failures--; failures >= 0 {
				return errDeadlock
			}
			return nil
		}}
		user, err := f.store(t, MySQL).Register(t.Context(), ann())
		if err != nil || user.ID == "" {
			t.Errorf("Register: %+v, %v", user, err)
		}
		if f.count("BEGIN") != 4 || f.count("ROLLBACK") != 3 || f.count("COMMIT") != 1 {
			t.Errorf("it asked %q", f.seen)
		}
	})
}

// TestRetriesEnd demands that a failure which stays is returned, soon.
func TestRetriesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeDatabase{exec: func(string, []driver.NamedValue) error { return errDeadlock }}
		s, began := f.store(t, MySQL), time.Now()
		_, err := s.Register(t.Context(), ann())
		if !errors.Is(err, errDeadlock) || errors.Is(err, scangate.ErrIdentityTaken) {
			t.Errorf("Register: %v", err)
		}
		if n, took := f.count("BEGIN"), time.Since(began); n != tries || took > time.Second {
			t.Errorf("%d tries in %v", n, took)
		}
	})
}

// TestRetriesNot demands that what is no failure of the change itself is returned
// at once.
func TestRetriesNot(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	for name, c := range map[string]struct {
		rows [][]driver.Value
		err  error
		want error
	}{
		"openid taken":  {[][]driver.Value{{"18", "openid"}}, nil, scangate.ErrIdentityTaken},
		"unionid taken": {[][]driver.Value{{"18", "unionid"}}, nil, scangate.ErrIdentityTaken},
		"phone taken":   {[][]driver.Value{{"18", "phone"}}, nil, scangate.ErrPhoneTaken},
		"unreachable":   {nil, refused, refused},
	} {
		f := &fakeDatabase{rows: func(string, []driver.NamedValue) ([][]driver.Value, error) { return c.rows, c.err }}
		if _, err := f.store(t, MySQL).Register(t.Context(), ann()); !errors.Is(err, c.want) || f.count("BEGIN") != 1 {
			t.Errorf("%s: %v, after %q", name, err, f.seen)
		}
	}
}

// TestRetriesContext demands that a context which ends between two tries ends them.
func TestRetriesContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeDatabase{exec: func(string, []driver.NamedValue) error { return errDeadlock }}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := f.store(t, MySQL).Register(ctx, ann())
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errDeadlock) || f.count("BEGIN") == tries {
			t.Errorf("Register: %v, after %d tries", err, f.count("BEGIN"))
		}
	})
}

// TestCommitUnheard demands that a user who was registered, though the word of it
// was lost, is not taken for another.
func TestCommitUnheard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var id driver.Value
		f := &fakeDatabase{
			exec: func(query string, args []driver.NamedValue) error {
				if strings.Contains(query, "scangate_users") {
					id = args[0].Value
				}
				return nil
			},
			rows: func(query string, _ []driver.NamedValue) ([][]driver.Value, error) {
				if id != nil && strings.Contains(query, "UNION ALL") {
					return [][]driver.Value{{id, "openid"}}, nil
				}
				return nil, nil
			},
		}
		f.commit = func() error {
			if f.count("COMMIT") == 1 {
				return errTorn
			}
			return nil
		}
		user, err := f.store(t, MySQL).Register(t.Context(), ann())
		if err != nil || user.ID != id || f.count("INSERT INTO scangate_users") != 1 {
			t.Errorf("Register: %+v, %v, after %q", user, err, f.seen)
		}
	})
}

// TestFailure demands that a failure of the database is no miss, and keeps what was
// looked up to itself.
func TestFailure(t *testing.T) {
	quoting := errors.New("Duplicate entry 'wx00000000000000a1-o-Ann-at-the-website' for key '+8613800138001'")
	f := &fakeDatabase{rows: func(string, []driver.NamedValue) ([][]driver.Value, error) { return nil, quoting }}
	s := f.store(t, MySQL)
	_, byWeChat := s.FindByWeChat(t.Context(), ann().Identity)
	_, byPhone := s.FindByPhone(t.Context(), ann().Phone)
	link, bind := s.LinkWeChat(t.Context(), "17", ann().Identity), s.BindPhone(t.Context(), "17", ann().Phone)
	for _, err := range []error{byWeChat, byPhone, link, bind} {
		switch {
		case err == nil, errors.Is(err, scangate.ErrNotFound), errors.Is(err, quoting):
			t.Errorf("the error is %v", err)
		case strings.Contains(err.Error(), "8613800138001"), strings.Contains(err.Error(), "o-Ann"):
			t.Errorf("the error quotes: %v", err)
		}
	}
	if _, err := s.FindByID(t.Context(), "17"); !errors.Is(err, quoting) {
		t.Errorf("the error of FindByID is %v, and does not say why", err)
	}
}

func TestQuotes(t *testing.T) {
	const openID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
	for _, c := range []struct {
		name    string
		message string
		text    string
		want    bool
	}{
		{"whole", "Duplicate entry 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o' for key 'PRIMARY'", openID, true},
		{"cut short", "Duplicate entry 'oUpF8uM", openID, true},
		{"escaped in part", `value oUpF8uMuAJO\x5fM2`, openID, true},
		{"short", "no such o1", "o1", true},
		{"another", "UNIQUE constraint failed: scangate_identities.app_id", openID, false},
		{"empty", "database is locked", "", false},
	} {
		if got := quotes(c.message, []string{"", c.text}); got != c.want {
			t.Errorf("%s: quotes reports %t", c.name, got)
		}
	}
}
