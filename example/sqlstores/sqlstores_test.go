package sqlstores

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/sqlstore"
	"github.com/scangate/scangate/storetest"
)

// ann is somebody of whom everything is known.
func ann() scangate.NewUser {
	return scangate.NewUser{
		Identity:  scangate.Identity{AppID: "wx00000000000000a1", OpenID: "o-Ann-at-the-website", UnionID: "u-Ann-everywhere"},
		Phone:     "+8613800138001",
		Nickname:  "Ann",
		AvatarURL: "https://thirdwx.qlogo.cn/mmopen/ann/132",
	}
}

func TestContract(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		dsn := d.dsn(t)
		storetest.Users(t, func(t *testing.T) scangate.UserStore { return d.tablesIn(t, dsn).store(t) })
	})
}

// TestContractOtherwise keeps the contract under settings that the documentation
// does not advise, but does not rule out either.
func TestContractOtherwise(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as TestContract again")
	}
	each(t, func(t *testing.T, d database) {
		dsn, connections := d.dsn(t), 20
		switch d.dialect {
		case sqlstore.SQLite: // without WAL, busy_timeout and foreign keys
			dsn, _, _ = strings.Cut(dsn, "?")
			dsn = with(dsn, "_pragma=synchronous(OFF)")
			connections = 1
		case sqlstore.MySQL:
			dsn = with(dsn, "interpolateParams=false&clientFoundRows=true&parseTime=true&sql_mode=''")
		case sqlstore.PostgreSQL:
			dsn = with(dsn, "default_query_exec_mode=simple_protocol&default_transaction_isolation=serializable")
		}
		storetest.Users(t, func(t *testing.T) scangate.UserStore {
			in := d.tablesIn(t, dsn)
			in.SetMaxOpenConns(connections)
			return in.store(t)
		})
	})
}

// with adds parameters to a DSN.
func with(dsn, parameters string) string {
	if strings.Contains(dsn, "?") {
		return dsn + "&" + parameters
	}
	return dsn + "?" + parameters
}

// TestMigrateAtOnce has many processes, each with connections of its own, start
// with an empty database.
func TestMigrateAtOnce(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		in := d.tables(t)
		var all sync.WaitGroup
		for range 10 {
			s, err := sqlstore.New(d.open(t, in.DSN), d.dialect, sqlstore.Prefix(in.Prefix))
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() {
				if err := s.Migrate(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		s := in.store(t)
		if _, err := s.Register(t.Context(), ann()); err != nil {
			t.Fatal(err)
		}
		if _, err := in.store(t).FindByWeChat(t.Context(), ann().Identity); err != nil {
			t.Errorf("after Migrate once more: %v", err)
		}
	})
}

// TestMigrateForeignTable has a table by the name of the users' that is not ours.
func TestMigrateForeignTable(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		in := d.tables(t)
		in.exec(t, "CREATE TABLE "+in.Prefix+"users (id VARCHAR(255) NOT NULL PRIMARY KEY, email VARCHAR(255))")
		s, err := sqlstore.New(in.DB, d.dialect, sqlstore.Prefix(in.Prefix))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Migrate(t.Context()); err == nil {
			t.Error("Migrate is content with another's table")
		}
	})
}

// TestSchema is an application that has migrations of its own, and users before it
// has the gate.
func TestSchema(t *testing.T) {
	each(t, func(t *testing.T, d database) {
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
		schemaAnn(t, s)
		schemaBob(t, s, in)
	})
}

func schemaAnn(t *testing.T, s *sqlstore.Store) {
	t.Helper()
	got, err := s.FindByPhone(t.Context(), ann().Phone)
	if err != nil || got.ID != "17" || got.Disabled || !got.SessionsEndedAt.IsZero() {
		t.Errorf("FindByPhone: %+v, %v", got, err)
	}
	if err := s.LinkWeChat(t.Context(), "17", ann().Identity); err != nil {
		t.Error(err)
	}
	got, err = s.FindByWeChat(t.Context(), ann().Identity)
	if err != nil || got.ID != "17" {
		t.Errorf("FindByWeChat: %+v, %v", got, err)
	}
}

func schemaBob(t *testing.T, s *sqlstore.Store, in tables) {
	t.Helper()
	got, err := s.FindByWeChat(t.Context(), scangate.Identity{AppID: "wx2", OpenID: "o-of-nobody", UnionID: "u-Bob"})
	if err != nil || got.ID != "18" || !got.Disabled || got.Nickname != "Bob" || len(got.Identities) != 1 {
		t.Errorf("FindByWeChat: %+v, %v", got, err)
	}
	if got, err := s.FindByID(t.Context(), "18"); err != nil || !got.Disabled {
		t.Errorf("FindByID: %+v, %v", got, err)
	}
	in.exec(t, "DELETE FROM {users} WHERE id = '18'")
	if _, err := s.FindByWeChat(t.Context(), scangate.Identity{AppID: "wx1", OpenID: "o-Bob", UnionID: "u-Bob"}); !errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("FindByWeChat of a user who was removed: %v", err)
	}
	if _, err := s.Register(t.Context(), scangate.NewUser{Identity: scangate.Identity{AppID: "wx1", OpenID: "o-Bob", UnionID: "u-Bob"}}); err != nil {
		t.Errorf("Register of a user who was removed: %v", err)
	}
}

// TestForeignConstraint has the database refuse what the contract allows, so that
// no reading tells why, and the driver's error quotes the OpenID.
func TestForeignConstraint(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		in := d.tables(t)
		s := in.store(t)
		in.exec(t, "CREATE UNIQUE INDEX "+in.Prefix+"own ON {identities} (open_id)")
		if _, err := s.Register(t.Context(), ann()); err != nil {
			t.Fatal(err)
		}
		again := scangate.NewUser{Identity: ann().Identity}
		again.Identity.AppID, again.Identity.UnionID = "wx00000000000000b2", ""
		_, err := s.Register(t.Context(), again)
		if err == nil || errors.Is(err, scangate.ErrIdentityTaken) {
			t.Fatalf("Register: %v, want the failure that it is", err)
		}
		if strings.Contains(err.Error(), again.Identity.OpenID) {
			t.Errorf("the error quotes the OpenID: %v", err)
		}
	})
}

// TestLockedRow has a user's row locked by somebody who does not let go.
func TestLockedRow(t *testing.T) {
	each(t, func(t *testing.T, d database) {
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
		if _, err := tx.ExecContext(t.Context(), in.named("UPDATE {users} SET nickname = 'locked'")); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if err := s.BindPhone(ctx, user.ID, "+8613800138009"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("BindPhone: %v", err)
		}
		if got, err := s.FindByID(t.Context(), user.ID); err != nil || got.Nickname != "Ann" {
			t.Errorf("FindByID meanwhile: %+v, %v", got, err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if err := s.BindPhone(t.Context(), user.ID, "+8613800138009"); err != nil {
			t.Errorf("BindPhone after: %v", err)
		}
	})
}

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(child())
	}
	os.Exit(m.Run())
}
