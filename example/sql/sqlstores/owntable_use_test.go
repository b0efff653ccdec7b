package sqlstores

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/sqlstore"
	"github.com/scangate/scangate/storetest"
)

// execMembers executes a statement of the application's, on its table {members}.
func (in tables) execMembers(t *testing.T, statement string) {
	t.Helper()
	in.exec(t, strings.ReplaceAll(statement, "{members}", in.Prefix+"members"))
}

// count returns the number of rows of a table.
func (in tables) count(t *testing.T, table string) int {
	t.Helper()
	var n int
	if err := in.QueryRowContext(t.Context(), in.expand("SELECT COUNT(*) FROM "+table)).Scan(&n); err != nil {
		t.Fatalf("counting the rows of %s: %v", table, err)
	}
	return n
}

// onBigint returns tables with the application's bigint table, and the store on it.
func onBigint(t *testing.T, d database, change func(*sqlstore.Table)) (tables, *sqlstore.Store) {
	t.Helper()
	own := bigintTable(sqlstore.Table{ID: "id", Nickname: "order", Phone: "mobile"})
	if change != nil {
		change(&own.table)
	}
	in := d.tables(t)
	return in, in.ownStore(t, own)
}

// TestOwnTableOldUsers logs in members from before scangate, whose numbers have 11 digits.
func TestOwnTableOldUsers(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, d database) {
		in, s := onBigint(t, d, nil)
		in.execMembers(t, "INSERT INTO {members} (id, mobile, status) VALUES (7, '13700137000', NULL), (8, NULL, 0)")
		member, err := s.FindByPhone(t.Context(), "+8613700137000")
		if err != nil || member.ID != "7" || member.Phone != "+8613700137000" || member.Disabled || member.Nickname != "" {
			t.Fatalf("FindByPhone of an old member = %+v, %v, want member 7 without a name", member, err)
		}
		if err := s.LinkWeChat(t.Context(), member.ID, ann().Identity); err != nil {
			t.Errorf("LinkWeChat: %v, want no error", err)
		}
		if got, err := s.FindByWeChat(t.Context(), ann().Identity); err != nil || got.ID != "7" || len(got.Identities) != 1 {
			t.Errorf("FindByWeChat after LinkWeChat = %+v, %v, want member 7 with one identity", got, err)
		}
		if got, err := s.FindByID(t.Context(), "8"); err != nil || !got.Disabled || got.Phone != "" {
			t.Errorf("FindByID = %+v, %v, want a disabled member without a number", got, err)
		}
	})
}

// TestOwnTableDeletedByApplication lets the application delete a member itself. The member
// can register again, as another user.
func TestOwnTableDeletedByApplication(t *testing.T) {
	forEachOwnTable(t, func(t *testing.T, d database, own ownTable) {
		in := d.tables(t)
		s := in.ownStore(t, own)
		first, err := s.Register(t.Context(), ann())
		if err != nil {
			t.Fatal(err)
		}
		soft := own.table.Delete != ""
		if soft {
			in.execMembers(t, "UPDATE {members} SET "+own.table.Delete)
		} else {
			in.execMembers(t, "DELETE FROM {members}")
		}
		if got, err := s.FindByWeChat(t.Context(), ann().Identity); !errors.Is(err, scangate.ErrNotFound) {
			t.Errorf("FindByWeChat of a deleted member = %+v, %v, want ErrNotFound", got, err)
		}
		if got, err := s.FindByID(t.Context(), first.ID); !errors.Is(err, scangate.ErrNotFound) {
			t.Errorf("FindByID of a deleted member = %+v, %v, want ErrNotFound", got, err)
		}
		again := ann()
		if soft {
			// The unique index still has the number.
			if _, err := s.Register(t.Context(), again); !errors.Is(err, scangate.ErrPhoneTaken) {
				t.Errorf("Register with the number of a deleted row: error = %v, want ErrPhoneTaken", err)
			}
			again.Phone = ""
		}
		second, err := s.Register(t.Context(), again)
		if err != nil || second.ID == first.ID {
			t.Fatalf("Register of a deleted member = %+v, %v, want another ID than %s", second, err, first.ID)
		}
		if got, err := s.FindByWeChat(t.Context(), ann().Identity); err != nil || got.ID != second.ID || len(got.Identities) != 1 {
			t.Errorf("FindByWeChat = %+v, %v, want user %s with one identity", got, err, second.ID)
		}
		if soft {
			if err := s.BindPhone(t.Context(), second.ID, ann().Phone); !errors.Is(err, scangate.ErrPhoneTaken) {
				t.Errorf("BindPhone of the number of a deleted row: error = %v, want ErrPhoneTaken", err)
			}
		}
	})
}

// TestOwnTableLinkOfDeleted links an identity of a member whom the application has deleted
// to another member.
func TestOwnTableLinkOfDeleted(t *testing.T) {
	forEachOwnTable(t, func(t *testing.T, d database, own ownTable) {
		in := d.tables(t)
		s := in.ownStore(t, own)
		if _, err := s.Register(t.Context(), scangate.NewUser{Identity: ann().Identity}); err != nil {
			t.Fatal(err)
		}
		if own.table.Delete != "" {
			in.execMembers(t, "UPDATE {members} SET "+own.table.Delete)
		} else {
			in.execMembers(t, "DELETE FROM {members}")
		}
		other, err := s.Register(t.Context(), scangate.NewUser{Identity: scangate.Identity{AppID: "wx2", OpenID: "o-other"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.LinkWeChat(t.Context(), other.ID, ann().Identity); err != nil {
			t.Errorf("LinkWeChat of a deleted member's identity: %v, want no error", err)
		}
		if got, err := s.FindByWeChat(t.Context(), ann().Identity); err != nil || got.ID != other.ID || len(got.Identities) != 2 {
			t.Errorf("FindByWeChat = %+v, %v, want user %s with two identities", got, err, other.ID)
		}
	})
}

// TestOwnTableDeletedHidesNobody lets the application delete a member whose identity has no
// unionid. The person comes back by another account of WeChat's, with a unionid, and then by
// the first account.
func TestOwnTableDeletedHidesNobody(t *testing.T) {
	forEachOwnTable(t, func(t *testing.T, d database, own ownTable) {
		in := d.tables(t)
		s := in.ownStore(t, own)
		atFirst := scangate.Identity{AppID: "wx2", OpenID: "o-first"}
		if _, err := s.Register(t.Context(), scangate.NewUser{Identity: atFirst}); err != nil {
			t.Fatal(err)
		}
		if own.table.Delete != "" {
			in.execMembers(t, "UPDATE {members} SET "+own.table.Delete)
		} else {
			in.execMembers(t, "DELETE FROM {members}")
		}
		user, err := s.Register(t.Context(), scangate.NewUser{Identity: ann().Identity})
		if err != nil {
			t.Fatal(err)
		}
		atFirst.UnionID = ann().Identity.UnionID
		if got, err := s.FindByWeChat(t.Context(), atFirst); err != nil || got.ID != user.ID {
			t.Errorf("FindByWeChat by a deleted member's openid = %+v, %v, want the user %s, who has the unionid", got, err, user.ID)
		}
		if err := s.LinkWeChat(t.Context(), user.ID, atFirst); err != nil {
			t.Errorf("LinkWeChat of that identity: %v, want no error", err)
		}
	})
}

// TestOwnTableDeletedKeepsNoUnionID lets the application delete members who hold a unionid and
// an openid of the same person. The person has registered again by another account of WeChat's,
// without a unionid. The next login there brings the unionid, which becomes this user's.
func TestOwnTableDeletedKeepsNoUnionID(t *testing.T) {
	forEachOwnTable(t, func(t *testing.T, d database, own ownTable) {
		in := d.tables(t)
		s := in.ownStore(t, own)
		website, elsewhere := ann().Identity, scangate.Identity{AppID: "wx3", OpenID: "o-elsewhere"}
		for _, identity := range []scangate.Identity{website, elsewhere} {
			if _, err := s.Register(t.Context(), scangate.NewUser{Identity: identity}); err != nil {
				t.Fatal(err)
			}
		}
		if own.table.Delete != "" {
			in.execMembers(t, "UPDATE {members} SET "+own.table.Delete)
		} else {
			in.execMembers(t, "DELETE FROM {members}")
		}
		account := scangate.Identity{AppID: "wx2", OpenID: "o-account"}
		user, err := s.Register(t.Context(), scangate.NewUser{Identity: account})
		if err != nil {
			t.Fatal(err)
		}
		account.UnionID, elsewhere.UnionID = website.UnionID, website.UnionID
		for _, identity := range []scangate.Identity{account, elsewhere, website} {
			if err := s.LinkWeChat(t.Context(), user.ID, identity); err != nil {
				t.Errorf("LinkWeChat of %v: %v, want no error", identity, err)
			}
			if got, err := s.FindByWeChat(t.Context(), website); err != nil || got.ID != user.ID {
				t.Errorf("FindByWeChat by the unionid, after LinkWeChat of %v = %+v, %v, want user %s", identity, got, err, user.ID)
			}
		}
		if got, err := s.Identities(t.Context(), user.ID); err != nil || len(got) != 3 {
			t.Errorf("Identities = %v, %v, want three", got, err)
		}
	})
}

// TestOwnTableRestored marks a member as deleted by Delete and restores the row. The
// sessions from before stay over.
func TestOwnTableRestored(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, d database) {
		own := textTable(sqlstore.Table{ID: "id", Nickname: "order", Phone: "mobile"}, d.dialect)
		in := d.tables(t)
		s := in.ownStore(t, own)
		before := time.Now().Truncate(time.Microsecond)
		user, err := s.Register(t.Context(), ann())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), user.ID); err != nil {
			t.Fatal(err)
		}
		in.execMembers(t, "UPDATE {members} SET deleted_at = NULL")
		got, err := s.FindByID(t.Context(), user.ID)
		if err != nil || got.SessionsEndedAt.Before(before) || got.Phone != "" || got.Nickname != "Ann" {
			t.Errorf("FindByID of a restored member = %+v, %v, want Ann without a number, sessions ended after %v", got, err, before)
		}
		if _, err := s.FindByWeChat(t.Context(), ann().Identity); !errors.Is(err, scangate.ErrNotFound) {
			t.Errorf("FindByWeChat of a restored member: error = %v, want ErrNotFound", err)
		}
	})
}

// TestOwnTableIDGivenAgain gives the ID of a deleted member to another. The deleted
// member's WeChat must not log in as the other, nor their sessions.
func TestOwnTableIDGivenAgain(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, d database) {
		in, s := onBigint(t, d, func(table *sqlstore.Table) { table.NewID = func() string { return "17" } })
		if _, err := s.Register(t.Context(), ann()); err != nil {
			t.Fatal(err)
		}
		in.execMembers(t, "DELETE FROM {members}")
		bob := scangate.NewUser{Identity: scangate.Identity{AppID: "wx2", OpenID: "o-Bob"}}
		if _, err := s.Register(t.Context(), bob); err != nil {
			t.Fatal(err)
		}
		if got, err := s.FindByWeChat(t.Context(), ann().Identity); !errors.Is(err, scangate.ErrNotFound) {
			t.Errorf("FindByWeChat of the deleted member = %+v, %v, want ErrNotFound", got, err)
		}
		before := time.Now().Truncate(time.Microsecond)
		if err := s.Delete(t.Context(), "17"); err != nil {
			t.Fatal(err)
		}
		again, err := s.Register(t.Context(), ann())
		if err != nil || again.ID != "17" || again.SessionsEndedAt.Before(before) {
			t.Errorf("Register after Delete = %+v, %v, want user 17, sessions ended after %v", again, err, before)
		}
	})
}

// TestOwnTableLeastColumns has a table with an ID only.
func TestOwnTableLeastColumns(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, d database) {
		in, s := onBigint(t, d, func(table *sqlstore.Table) { *table = sqlstore.Table{ID: "id"} })
		user, err := s.Register(t.Context(), scangate.NewUser{Identity: ann().Identity, Nickname: "Ann", AvatarURL: ann().AvatarURL})
		if err != nil || user.Nickname != "" || user.AvatarURL != "" || user.Disabled {
			t.Fatalf("Register = %+v, %v, want a user without a name and a picture", user, err)
		}
		if in.count(t, in.Prefix+"members") != 1 {
			t.Errorf("Register: %d members, want 1", in.count(t, in.Prefix+"members"))
		}
		at := time.Now()
		if err := s.EndSessions(t.Context(), user.ID, at); err != nil {
			t.Errorf("EndSessions: %v, want no error", err)
		}
		if got, err := s.FindByWeChat(t.Context(), ann().Identity); err != nil || got.SessionsEndedAt.Sub(at).Abs() >= time.Microsecond {
			t.Errorf("FindByWeChat = %+v, %v, want sessions ended at %v", got, err, at)
		}
		storetest.Users(t, func(t *testing.T) scangate.UserStore {
			_, s := onBigint(t, d, func(table *sqlstore.Table) { *table = sqlstore.Table{ID: "id"} })
			return s
		}, storetest.Nicknames, storetest.Avatars)
	})
}

// TestOwnTableForeignKeys gives the ID's type. The database then deletes identities with
// the member.
func TestOwnTableForeignKeys(t *testing.T) {
	types := map[sqlstore.Dialect]string{sqlstore.SQLite: "INTEGER", sqlstore.MySQL: "BIGINT UNSIGNED", sqlstore.PostgreSQL: "INT"}
	forEachDatabase(t, func(t *testing.T, d database) {
		in, s := onBigint(t, d, func(table *sqlstore.Table) { table.IDType = types[d.dialect] })
		if _, err := s.Register(t.Context(), ann()); err != nil {
			t.Fatal(err)
		}
		in.execMembers(t, "DELETE FROM {members}")
		for _, table := range []string{"{identities}", "{unionids}"} {
			if n := in.count(t, table); n != 0 {
				t.Errorf("after deleting the member: %d rows in %s, want 0", n, table)
			}
		}
	})
}

// TestOwnTableMigrateErrors calls Migrate with a table that differs from its description.
func TestOwnTableMigrateErrors(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, d database) {
		for name, change := range map[string]func(*sqlstore.Table){
			"no such column":                func(table *sqlstore.Table) { table.Phone = "phone" },
			"no such column in a condition": func(table *sqlstore.Table) { table.Disabled = "banned" },
			"no such table":                 func(table *sqlstore.Table) { table.Name += "x" },
		} {
			in, _ := onBigint(t, d, nil)
			own := bigintTable(sqlstore.Table{ID: "id", Nickname: "order", Phone: "mobile"})
			own.table.Name = in.Prefix + "members"
			change(&own.table)
			s, err := sqlstore.New(in.DB, d.dialect, own.table, sqlstore.Prefix(in.Prefix))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Migrate(t.Context()); err == nil {
				t.Errorf("Migrate with %s: no error, want one", name)
			}
		}
	})
}

// TestOwnTableReadsFewRows looks members up in a table of 3,000 rows, and counts the rows
// that the server reads one after the other. An index needs none.
func TestOwnTableReadsFewRows(t *testing.T) {
	forEachOwnTable(t, func(t *testing.T, d database, own ownTable) {
		if d.dialect == sqlstore.SQLite {
			t.Skip("SQLite does not count the rows that it reads")
		}
		in := d.tables(t)
		in.SetMaxOpenConns(1) // the servers count per connection
		s := in.ownStore(t, own)
		user, err := s.Register(t.Context(), ann())
		if err != nil {
			t.Fatal(err)
		}
		in.fillMembers(t, own, 3000)
		start := in.rowsScanned(t)
		_, byID := s.FindByID(t.Context(), user.ID)
		_, byWeChat := s.FindByWeChat(t.Context(), ann().Identity)
		_, byPhone := s.FindByPhone(t.Context(), ann().Phone)
		link := s.LinkWeChat(t.Context(), user.ID, scangate.Identity{AppID: "wx2", OpenID: "o-Ann", UnionID: ann().Identity.UnionID})
		bind := s.BindPhone(t.Context(), user.ID, "+8613800138009")
		for _, err := range []error{byID, byWeChat, byPhone, link, bind} {
			if err != nil {
				t.Errorf("a call for a member of many: %v, want no error", err)
			}
		}
		if n := in.rowsScanned(t) - start; n > 500 {
			t.Errorf("five calls scanned %d rows, want at most 500 of 3,000", n)
		}
		// The counter works.
		in.execMembers(t, "UPDATE {members} SET mobile = mobile WHERE mobile LIKE '%x'")
		if n := in.rowsScanned(t) - start; n < 3000 {
			t.Errorf("with a scan of the table, %d rows were scanned, want at least 3,000", n)
		}
	})
}

// fillMembers adds n rows to the application's table.
func (in tables) fillMembers(t *testing.T, own ownTable, n int) {
	t.Helper()
	columns, values := "mobile", "'1%010d'"
	if own.table.IDType != "" {
		columns, values = "id, "+columns, "'00000000-0000-4000-8000-%012[1]d', "+strings.ReplaceAll(values, "%010", "%010[1]")
	}
	if own.table.Insert != nil {
		columns, values = columns+", joined", values+", CURRENT_TIMESTAMP"
	}
	var rows []string
	for i := range n {
		rows = append(rows, "("+fmt.Sprintf(values, i)+")")
	}
	for part := range slices.Chunk(rows, 1000) {
		in.execMembers(t, "INSERT INTO {members} ("+columns+") VALUES "+strings.Join(part, ", "))
	}
	// The planner of PostgreSQL otherwise takes the table for small.
	if in.dialect == sqlstore.PostgreSQL {
		in.execMembers(t, "ANALYZE {members}")
	}
}

// rowsScanned returns how many rows the server has read without an index.
func (in tables) rowsScanned(t *testing.T) int {
	t.Helper()
	query := "SHOW SESSION STATUS LIKE 'Handler_read_rnd_next'"
	if in.dialect == sqlstore.PostgreSQL {
		in.exec(t, "SELECT pg_stat_force_next_flush()")
		query = "SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE relname = '" + in.Prefix + "members'"
	}
	var name string
	var n int
	if err := in.QueryRowContext(t.Context(), query).Scan(&name, &n); err != nil {
		t.Fatalf("reading the server's counter: %v", err)
	}
	return n
}
