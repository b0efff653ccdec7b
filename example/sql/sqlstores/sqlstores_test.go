package sqlstores

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/sqlstore"
	"github.com/scangate/scangate/storetest"
)

// ann returns a new user with all fields set.
func ann() scangate.NewUser {
	return scangate.NewUser{
		Identity:  scangate.Identity{AppID: "wx00000000000000a1", OpenID: "o-Ann-at-the-website", UnionID: "u-Ann-everywhere"},
		Phone:     "+8613800138001",
		Nickname:  "Ann",
		AvatarURL: "https://thirdwx.qlogo.cn/mmopen/ann/132",
	}
}

func TestContract(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, d database) {
		dsn := d.dsn(t)
		storetest.Users(t, func(t *testing.T) scangate.UserStore { return d.tablesIn(t, dsn).store(t) })
	})
}

func TestDelete(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, d database) {
		dsn := d.dsn(t)
		storetest.Delete(t, func(t *testing.T) storetest.UserDeleter { return d.tablesIn(t, dsn).store(t) })
	})
}

// TestContractOtherSettings runs the contract's suite with settings of the database that
// the documentation neither advises nor forbids.
func TestContractOtherSettings(t *testing.T) {
	if testing.Short() {
		t.Skip("it repeats TestContract with other settings, which doubles the time")
	}
	forEachDatabase(t, func(t *testing.T, d database) {
		dsn, connections := d.dsn(t), 20
		switch d.dialect {
		case sqlstore.SQLite:
			// Without WAL, busy_timeout and foreign keys. One connection, because
			// without busy_timeout a second writer fails at once.
			dsn, _, _ = strings.Cut(dsn, "?")
			dsn = addParameters(dsn, "_pragma=synchronous(OFF)")
			connections = 1
		case sqlstore.MySQL:
			// clientFoundRows changes the meaning of RowsAffected.
			dsn = addParameters(dsn, "interpolateParams=false&clientFoundRows=true&parseTime=true&sql_mode=''")
		case sqlstore.PostgreSQL:
			// Serializable transactions can fail at Commit and need a retry.
			dsn = addParameters(dsn, "default_query_exec_mode=simple_protocol&default_transaction_isolation=serializable")
		}
		storetest.Users(t, func(t *testing.T) scangate.UserStore {
			in := d.tablesIn(t, dsn)
			in.SetMaxOpenConns(connections)
			return in.store(t)
		})
	})
}

// TestIdentities lists the identities of one user of two.
func TestIdentities(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, d database) {
		s := d.tables(t).store(t)
		user, err := s.Register(t.Context(), ann())
		if err != nil {
			t.Fatal(err)
		}
		second := scangate.Identity{AppID: "wx00000000000000a2", OpenID: "o-Ann-at-the-account"}
		if err := s.LinkWeChat(t.Context(), user.ID, second); err != nil {
			t.Fatal(err)
		}
		bob := scangate.NewUser{Identity: scangate.Identity{AppID: second.AppID, OpenID: "o-Bob"}}
		if _, err := s.Register(t.Context(), bob); err != nil {
			t.Fatal(err)
		}
		want := []scangate.Identity{ann().Identity, second}
		got, err := s.Identities(t.Context(), user.ID)
		slices.SortFunc(got, func(a, b scangate.Identity) int { return strings.Compare(a.AppID, b.AppID) })
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("Identities = %v, %v, want %v", got, err, want)
		}
		if err := s.Delete(t.Context(), user.ID); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Identities(t.Context(), user.ID); !errors.Is(err, scangate.ErrNotFound) {
			t.Errorf("Identities of a deleted user = %v, %v, want ErrNotFound", got, err)
		}
	})
}

// addParameters adds parameters to a DSN.
func addParameters(dsn, parameters string) string {
	if strings.Contains(dsn, "?") {
		return dsn + "&" + parameters
	}
	return dsn + "?" + parameters
}

// TestConcurrentMigrate calls Migrate ten times at the same moment on an empty database,
// each time through connections of its own, like ten processes that start together.
func TestConcurrentMigrate(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, d database) {
		in := d.tables(t)
		var migrations sync.WaitGroup
		for range 10 {
			s, err := sqlstore.New(d.open(t, in.DSN), d.dialect, sqlstore.Prefix(in.Prefix))
			if err != nil {
				t.Fatal(err)
			}
			migrations.Go(func() {
				if err := s.Migrate(t.Context()); err != nil {
					t.Errorf("concurrent Migrate: %v", err)
				}
			})
		}
		migrations.Wait()
		s := in.store(t)
		if _, err := s.Register(t.Context(), ann()); err != nil {
			t.Fatal(err)
		}
		// Another Migrate must keep the data.
		if _, err := in.store(t).FindByWeChat(t.Context(), ann().Identity); err != nil {
			t.Errorf("FindByWeChat after another Migrate: %v, want the user", err)
		}
	})
}

// TestMigrateForeignTable calls Migrate in a database where another application has a
// table named like the store's.
func TestMigrateForeignTable(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, d database) {
		in := d.tables(t)
		in.exec(t, "CREATE TABLE "+in.Prefix+"users (id VARCHAR(255) NOT NULL PRIMARY KEY, email VARCHAR(255))")
		s, err := sqlstore.New(in.DB, d.dialect, sqlstore.Prefix(in.Prefix))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Migrate(t.Context()); err == nil {
			t.Error("Migrate with a foreign users table: no error, want one")
		}
	})
}

// TestSchema is an application that runs Schema in its own migrations. It has users
// from before it used scangate: Ann with a phone number, and Bob with a WeChat.
func TestSchema(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, d database) {
		in := d.tables(t)
		schema, err := sqlstore.Schema(d.dialect, sqlstore.Prefix(in.Prefix))
		if err != nil {
			t.Fatal(err)
		}
		for statement := range strings.SplitSeq(schema, ";\n") {
			if strings.TrimSpace(statement) != "" {
				in.exec(t, statement)
			}
		}
		in.exec(t, "INSERT INTO {users} (id, phone) VALUES ('17', '+8613800138001')")
		in.exec(t, "INSERT INTO {users} (id, nickname, disabled) VALUES ('18', 'Bob', TRUE)")
		in.exec(t, "INSERT INTO {unionids} (union_id, user_id) VALUES ('u-Bob', '18')")
		in.exec(t, "INSERT INTO {identities} (app_id, open_id, union_id, user_id) VALUES ('wx1', 'o-Bob', 'u-Bob', '18')")
		s, err := sqlstore.New(in.DB, d.dialect, sqlstore.Prefix(in.Prefix))
		if err != nil {
			t.Fatal(err)
		}
		testOldUserWithPhone(t, s)
		testOldUserWithWeChat(t, s, in)
	})
}

func testOldUserWithPhone(t *testing.T, s *sqlstore.Store) {
	t.Helper()
	got, err := s.FindByPhone(t.Context(), ann().Phone)
	// The defaults of the columns that the application's INSERT does not set.
	if err != nil || got.ID != "17" || got.Disabled || !got.SessionsEndedAt.IsZero() {
		t.Errorf("FindByPhone = %+v, %v, want user 17, enabled, no sessions ended", got, err)
	}
	if err := s.LinkWeChat(t.Context(), "17", ann().Identity); err != nil {
		t.Errorf("LinkWeChat: %v", err)
	}
	got, err = s.FindByWeChat(t.Context(), ann().Identity)
	if err != nil || got.ID != "17" {
		t.Errorf("FindByWeChat = %+v, %v, want user 17", got, err)
	}
}

func testOldUserWithWeChat(t *testing.T, s *sqlstore.Store, in tables) {
	t.Helper()
	got, err := s.FindByWeChat(t.Context(), scangate.Identity{AppID: "wx2", OpenID: "o-unknown", UnionID: "u-Bob"})
	if err != nil || got.ID != "18" || !got.Disabled || got.Nickname != "Bob" || len(got.Identities) != 1 {
		t.Errorf("FindByWeChat by UnionID = %+v, %v, want user 18, Bob, disabled, one identity", got, err)
	}
	if got, err := s.FindByID(t.Context(), "18"); err != nil || !got.Disabled {
		t.Errorf("FindByID = %+v, %v, want a disabled user", got, err)
	}
	// An application may delete a user itself. That must free the identity.
	in.exec(t, "DELETE FROM {users} WHERE id = '18'")
	if _, err := s.FindByWeChat(t.Context(), scangate.Identity{AppID: "wx1", OpenID: "o-Bob", UnionID: "u-Bob"}); !errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("FindByWeChat of a deleted user: %v, want ErrNotFound", err)
	}
	if _, err := s.Register(t.Context(), scangate.NewUser{Identity: scangate.Identity{AppID: "wx1", OpenID: "o-Bob", UnionID: "u-Bob"}}); err != nil {
		t.Errorf("Register of a deleted user: %v, want success", err)
	}
}

// TestForeignConstraint adds a constraint that is not part of the store's schema. The
// store must return a failure, not ErrIdentityTaken. The failure must not contain the
// OpenID, which the driver's error quotes.
func TestForeignConstraint(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, d database) {
		in := d.tables(t)
		s := in.store(t)
		in.exec(t, "CREATE UNIQUE INDEX "+in.Prefix+"own ON {identities} (open_id)")
		if _, err := s.Register(t.Context(), ann()); err != nil {
			t.Fatal(err)
		}
		sameOpenID := scangate.NewUser{Identity: ann().Identity}
		sameOpenID.Identity.AppID, sameOpenID.Identity.UnionID = "wx00000000000000b2", ""
		_, err := s.Register(t.Context(), sameOpenID)
		if err == nil || errors.Is(err, scangate.ErrIdentityTaken) {
			t.Fatalf("Register against a foreign constraint: %v, want an error other than ErrIdentityTaken", err)
		}
		if strings.Contains(err.Error(), sameOpenID.Identity.OpenID) {
			t.Errorf("Register: error %q contains the OpenID", err)
		}
	})
}

// TestLockedRow holds a lock on a user's row in another transaction. BindPhone must
// return at the deadline of its context, and succeed after the lock is released.
func TestLockedRow(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, d database) {
		in := d.tables(t)
		s := in.store(t)
		user, err := s.Register(t.Context(), ann())
		if err != nil {
			t.Fatal(err)
		}
		tx, err := in.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), in.expand("UPDATE {users} SET nickname = 'locked'")); err != nil {
			t.Fatal(err)
		}
		// The database waits for the lock on the wall clock. 300 ms is short against
		// the 5 s of busy_timeout, and BindPhone never gets the lock before.
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if err := s.BindPhone(ctx, user.ID, "+8613800138009"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("BindPhone of a locked user: %v, want DeadlineExceeded", err)
		}
		if got, err := s.FindByID(t.Context(), user.ID); err != nil || got.Nickname != "Ann" {
			t.Errorf("FindByID of a locked user = %+v, %v, want the committed name Ann", got, err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if err := s.BindPhone(t.Context(), user.ID, "+8613800138009"); err != nil {
			t.Errorf("BindPhone after the lock was released: %v", err)
		}
	})
}

// TestMain runs the tests, or the main function of a child process.
func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(runChild())
	}
	os.Exit(m.Run())
}
