package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/scangate/scangate"
)

// members is a table with all columns.
func members() Table {
	return Table{Name: "members", ID: "id", Nickname: "name", AvatarURL: "picture", Phone: "mobile", SessionsEndedAt: "ended", Disabled: "banned"}
}

// newTable calls New with members, changed.
func newTable(t *testing.T, dialect Dialect, change func(*Table)) (*Store, error) {
	t.Helper()
	db := sql.OpenDB(&fakeDatabase{})
	t.Cleanup(func() { _ = db.Close() })
	table := members()
	change(&table)
	return New(db, dialect, table)
}

func TestNewTableAllowed(t *testing.T) {
	for _, c := range []struct {
		name    string
		dialect Dialect
		change  func(*Table)
	}{
		{"all columns", SQLite, func(*Table) {}},
		{"two columns", MySQL, func(m *Table) { *m = Table{Name: "members", ID: "id"} }},
		{"zero value", MySQL, func(m *Table) { *m = Table{} }},
		{"schema", PostgreSQL, func(m *Table) { m.Name = "shop.user" }},
		{"Chinese", MySQL, func(m *Table) { m.Name, m.Nickname = "用户", "昵称" }},
		{"conditions", MySQL, func(m *Table) {
			m.Disabled, m.Where, m.Delete = "status IN (2, 3)", "(deleted_at IS NULL) AND kind = 'a)'", "deleted_at = NOW()"
		}},
		{"integers", MySQL, func(m *Table) { m.IDType = "bigint(20) unsigned" }},
		{"text with a collation", MySQL, func(m *Table) { m.IDType = "VARCHAR(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci" }},
		{"bytes", MySQL, func(m *Table) { m.IDType = "VARBINARY(255)" }},
		{"quoted collation", PostgreSQL, func(m *Table) { m.IDType = `TEXT COLLATE "C"` }},
		{"UUID", PostgreSQL, func(m *Table) { m.IDType = "uuid" }},
		{"prefix of numbers", SQLite, func(m *Table) { m.PhonePrefix = "+86" }},
	} {
		if s, err := newTable(t, c.dialect, c.change); err != nil || s == nil {
			t.Errorf("%s: New = %v, %v, want a Store and no error", c.name, s, err)
		}
	}
}

func TestNewTableRefused(t *testing.T) {
	for _, c := range []struct {
		name    string
		dialect Dialect
		change  func(*Table)
		want    string // in the error
	}{
		{"no name", SQLite, func(m *Table) { m.Name = "" }, `Table.Name "" is missing`},
		{"two dots", SQLite, func(m *Table) { m.Name = "a.b.c" }, `Table.Name "a.b.c" has more than one dot`},
		{"empty schema", SQLite, func(m *Table) { m.Name = ".members" }, `Table.Name ".members" is missing`},
		{"SQL", SQLite, func(m *Table) { m.Name = "members; DROP TABLE members" }, "Table.Name"},
		{"quotes", SQLite, func(m *Table) { m.Name = "members`" }, "Table.Name"},
		{"placeholder", SQLite, func(m *Table) { m.Nickname = "name?" }, `Table.Nickname "name?" must consist of`},
		{"braces", SQLite, func(m *Table) { m.Nickname = "{id}" }, `Table.Nickname "{id}"`},
		{"NUL", SQLite, func(m *Table) { m.Phone = "mobile\x00" }, "Table.Phone"},
		{"long name", SQLite, func(m *Table) { m.Phone = strings.Repeat("x", 64) }, "has more than 63 bytes"},
		{"no ID", SQLite, func(m *Table) { m.ID = "" }, `Table.ID "" is missing`},
		{"one column twice", SQLite, func(m *Table) { m.AvatarURL = "NAME" }, "Table.Nickname and Table.AvatarURL are the same column"},
		{"the store's own table", SQLite, func(m *Table) { m.Name = "Scangate_Identities" }, "set another Prefix"},
		{"type", SQLite, func(m *Table) { m.IDType = "NUMERIC(20)" }, `Table.IDType "NUMERIC(20)" is not a type like`},
		{"SQL in the type", SQLite, func(m *Table) { m.IDType = "TEXT, x TEXT" }, "Table.IDType"},
		{"no collation", MySQL, func(m *Table) { m.IDType = "VARCHAR(36)" }, "MySQL needs the column's collation"},
		{"two statements", SQLite, func(m *Table) { m.Where = "1 = 1; DROP TABLE members" }, `Table.Where "1 = 1; DROP TABLE members" must not contain ";"`},
		{"placeholder in a condition", SQLite, func(m *Table) { m.Disabled = "status = ?" }, "Table.Disabled"},
		{"comment", SQLite, func(m *Table) { m.Where = "1 = 1 --" }, "Table.Where"},
		{"closed parenthesis", SQLite, func(m *Table) { m.Where = "deleted) OR (1 = 1" }, "closes a parenthesis"},
		{"open parenthesis", SQLite, func(m *Table) { m.Where = "(deleted" }, "open"},
		{"open quote", SQLite, func(m *Table) { m.Where = "kind = 'a" }, "open"},
		{"Delete alone", SQLite, func(m *Table) { m.Delete = "deleted = 1" }, "Table.Delete is set without Table.Where"},
		{"PhonePrefix alone", SQLite, func(m *Table) { m.Phone, m.PhonePrefix = "", "+86" }, "Table.PhonePrefix is set without Table.Phone"},
		{"PhonePrefix without plus", SQLite, func(m *Table) { m.PhonePrefix = "86" }, `Table.PhonePrefix "86"`},
	} {
		s, err := newTable(t, c.dialect, c.change)
		if s != nil || err == nil || !strings.HasPrefix(err.Error(), "sqlstore: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: New = %v, %v, want nil and an error from sqlstore with %q", c.name, s, err, c.want)
		}
	}
}

// TestTableStatements compares the statement of FindByID, which every request runs.
func TestTableStatements(t *testing.T) {
	soft := members()
	soft.Where, soft.SessionsEndedAt = "deleted_at IS NULL", ""
	least := Table{Name: "shop.user", ID: "uid"}
	for _, c := range []struct {
		dialect Dialect
		table   Table
		want    string
	}{
		{PostgreSQL, soft, `SELECT u.id, u.nickname, u.avatar_url, u.phone, u.disabled, (SELECT e.sessions_ended_at FROM scangate_ended e WHERE e.user_id = u.id) ` +
			`FROM (SELECT "id" AS id, COALESCE("name", '') AS nickname, COALESCE("picture", '') AS avatar_url, "mobile" AS phone, CASE WHEN (banned) THEN 1 ELSE 0 END AS disabled ` +
			`FROM "members" WHERE deleted_at IS NULL) u WHERE u.id = CAST($1 AS BIGINT)`},
		{MySQL, least, "SELECT u.id, u.nickname, u.avatar_url, u.phone, u.disabled, (SELECT e.sessions_ended_at FROM scangate_ended e WHERE e.user_id = u.id) " +
			"FROM (SELECT `uid` AS id, '' AS nickname, '' AS avatar_url, NULL AS phone, 0 AS disabled FROM `shop`.`user`) u WHERE u.id = ?"},
	} {
		fake := &fakeDatabase{}
		if _, err := fake.store(t, c.dialect, c.table).FindByID(t.Context(), "17"); !errors.Is(err, scangate.ErrNotFound) {
			t.Errorf("%s: FindByID in an empty database: error = %v, want ErrNotFound", c.dialect, err)
		}
		if !slices.Equal(fake.statements, []string{c.want}) {
			t.Errorf("%s: FindByID: statements = %q\nwant %q", c.dialect, fake.statements, c.want)
		}
	}
}

func TestTableSchema(t *testing.T) {
	integers, typed, column := members(), members(), members()
	integers.SessionsEndedAt, typed.SessionsEndedAt = "", ""
	typed.IDType, column.IDType = "BIGINT UNSIGNED", "INT"
	const users, foreignKey, ended = "CREATE TABLE IF NOT EXISTS app_users", "REFERENCES `members` (`id`) ON DELETE CASCADE", "CREATE TABLE IF NOT EXISTS app_ended"
	for _, c := range []struct {
		name        string
		table       Table
		want, wrong []string
	}{
		{"integers", integers, []string{"user_id BIGINT NOT NULL", ended}, []string{users, foreignKey, "members"}},
		{"with a type", typed, []string{"user_id BIGINT UNSIGNED NOT NULL", foreignKey, ended}, []string{users}},
		{"with a column for the end of sessions", column, []string{"user_id INT NOT NULL", foreignKey}, []string{users, ended}},
	} {
		got, err := Schema(MySQL, c.table, Prefix("app_"))
		if err != nil {
			t.Errorf("%s: Schema: %v, want no error", c.name, err)
		}
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: Schema = %s\nwant it to contain %q", c.name, got, want)
			}
		}
		for _, wrong := range c.wrong {
			if strings.Contains(got, wrong) {
				t.Errorf("%s: Schema = %s\nwant no %q in it", c.name, got, wrong)
			}
		}
	}
}

func TestUserID(t *testing.T) {
	const uuid = "0192a4b4-7c11-4d2e-9f10-0123456789ab"
	for _, c := range []struct {
		kind idKind
		id   string
		want any
	}{
		{integerIDs, "17", int64(17)},
		{integerIDs, "-1", int64(-1)},
		{integerIDs, "017", nil},
		{integerIDs, "+17", nil},
		{integerIDs, "17 ", nil},
		{integerIDs, "1e3", nil},
		{integerIDs, "", nil},
		{integerIDs, "99999999999999999999", nil},
		{uuidIDs, uuid, uuid},
		{uuidIDs, strings.ToUpper(uuid), nil},
		{uuidIDs, "{" + uuid + "}", nil},
		{uuidIDs, "nobody", nil},
		{textIDs, "nobody", "nobody"},
		{textIDs, "", nil},
		{textIDs, "a\x00", nil},
	} {
		if got := (layout{kind: c.kind}).userID(c.id); got != c.want {
			t.Errorf("userID(%q) of kind %d = %v, want %v", c.id, c.kind, got, c.want)
		}
	}
}

func TestPhonePrefix(t *testing.T) {
	l := layout{table: Table{PhonePrefix: "+86"}}
	for phone, stored := range map[string]string{"+8613800138000": "13800138000", "+85291234567": "+85291234567", "": "", "13800138000": "", "+86": ""} {
		got := l.storedPhone(phone)
		if got.String != stored && got.Valid || got.Valid != (stored != "") {
			t.Errorf("storedPhone(%q) = %+v, want %q", phone, got, stored)
		}
		if stored != "" && l.e164(stored) != phone {
			t.Errorf("e164(%q) = %q, want %q", stored, l.e164(stored), phone)
		}
	}
	if got := l.e164(""); got != "" {
		t.Errorf("e164 of a column without a number = %q, want none", got)
	}
}

// TestRegisterInsertsValues registers a user with values from Table.Insert.
func TestRegisterInsertsValues(t *testing.T) {
	table := members()
	table.Nickname = "name"
	table.Insert = func(who scangate.NewUser) map[string]any {
		return map[string]any{"tenant": 5, "name": "user " + who.Nickname}
	}
	var inserted []driver.NamedValue
	fake := &fakeDatabase{rows: func(query string, args []driver.NamedValue) ([][]driver.Value, error) {
		switch {
		case strings.HasPrefix(query, "INSERT INTO"):
			inserted = args
			return [][]driver.Value{{int64(17)}}, nil
		case strings.HasPrefix(query, "SELECT u.id"):
			return [][]driver.Value{{int64(17), "user Ann", "", "+8613800138001", int64(1), nil}}, nil
		}
		return nil, nil
	}}
	user, err := fake.store(t, PostgreSQL, table).Register(t.Context(), ann())
	// The store reads the row again, because the application's defaults may differ.
	if err != nil || user.ID != "17" || user.Nickname != "user Ann" || !user.Disabled || len(user.Identities) != 1 {
		t.Errorf("Register = %+v, %v, want user 17 as in the table", user, err)
	}
	const want = `INSERT INTO "members" ("mobile", "name", "picture", "tenant") VALUES ($1, $2, $3, $4) RETURNING "id"`
	if fake.count(want) != 1 || len(inserted) != 4 || inserted[1].Value != "user Ann" || inserted[3].Value != int64(5) {
		t.Errorf("Register: statements = %q with %v, want %q", fake.statements, inserted, want)
	}
}

// TestRegisterFailsForGood has mistakes of the programmer, which no second attempt can
// correct.
func TestRegisterFailsForGood(t *testing.T) {
	for name, c := range map[string]struct {
		dialect Dialect
		change  func(*Table)
		want    error
	}{
		"no column for numbers":    {SQLite, func(m *Table) { m.Phone = "" }, errNoPhones},
		"the database makes no ID": {SQLite, func(*Table) {}, errNoID},
		"invalid column":           {SQLite, func(m *Table) { m.Insert = func(scangate.NewUser) map[string]any { return map[string]any{"a?": 1} } }, errInvalid},
		"NewID returns nothing":    {SQLite, func(m *Table) { m.NewID = func() string { return "" } }, errInvalid},
		"NewID returns a text":     {SQLite, func(m *Table) { m.NewID = func() string { return "a" } }, errInvalid},
		"the new row is no user":   {MySQL, func(m *Table) { m.Where = "tenant = 5"; m.NewID = func() string { return "17" } }, errNotUser},
	} {
		table, fake := members(), &fakeDatabase{rows: func(query string, _ []driver.NamedValue) ([][]driver.Value, error) {
			if strings.HasPrefix(query, "INSERT") {
				return [][]driver.Value{{nil}}, nil
			}
			return nil, nil
		}}
		c.change(&table)
		if _, err := fake.store(t, c.dialect, table).Register(t.Context(), ann()); !errors.Is(err, c.want) {
			t.Errorf("%s: Register: error = %v, want %v", name, err, c.want)
		}
		if n := fake.count("BEGIN"); n != 1 {
			t.Errorf("%s: Register: %d attempts, want 1", name, n)
		}
	}
}

// TestRegisterAfterLostCommitOfMadeID is TestRegisterAfterLostCommit with an ID that the
// database makes: only the first attempt has learned it.
func TestRegisterAfterLostCommitOfMadeID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		committed := false
		fake := &fakeDatabase{rows: func(query string, _ []driver.NamedValue) ([][]driver.Value, error) {
			switch {
			case strings.HasPrefix(query, "INSERT"):
				return [][]driver.Value{{int64(17)}}, nil
			case strings.HasPrefix(query, "SELECT u.id"):
				return [][]driver.Value{{int64(17), "Ann", "", "+8613800138001", int64(0), nil}}, nil
			case strings.Contains(query, "UNION ALL") && committed:
				return [][]driver.Value{{int64(17), "openid"}}, nil
			}
			return nil, nil
		}}
		fake.commit = func() error {
			if !committed {
				committed = true
				return errConnectionLost
			}
			return nil
		}
		user, err := fake.store(t, SQLite, members()).Register(t.Context(), ann())
		if err != nil || user.ID != "17" || user.Nickname != "Ann" {
			t.Errorf("Register = %+v, %v, want user 17 and no error", user, err)
		}
		if n := fake.count("INSERT INTO `members`"); n != 1 {
			t.Errorf("Register inserted %d users, want 1: %q", n, fake.statements)
		}
	})
}

// TestDeleteAfterLostCommit commits a deletion but loses the connection before the result
// arrives. The second attempt finds no user, and succeeds.
func TestDeleteAfterLostCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		committed := false
		fake := &fakeDatabase{rows: func(string, []driver.NamedValue) ([][]driver.Value, error) {
			if committed {
				return nil, nil
			}
			return [][]driver.Value{{"17"}}, nil
		}}
		fake.commit = func() error {
			committed = true
			return errConnectionLost
		}
		s := fake.store(t, MySQL)
		if err := s.Delete(t.Context(), "17"); err != nil {
			t.Errorf("Delete whose commit was lost: error = %v, want none", err)
		}
		if err := s.Delete(t.Context(), "17"); !errors.Is(err, scangate.ErrNotFound) {
			t.Errorf("Delete of a deleted user: error = %v, want ErrNotFound", err)
		}
	})
}

// TestWithoutPhones calls the methods for phone numbers of a table without numbers.
func TestWithoutPhones(t *testing.T) {
	fake := &fakeDatabase{rows: func(string, []driver.NamedValue) ([][]driver.Value, error) {
		return [][]driver.Value{{int64(17)}}, nil
	}}
	s := fake.store(t, SQLite, Table{Name: "members", ID: "id"})
	if s.KeepsPhones() || !fake.store(t, SQLite).KeepsPhones() {
		t.Error("KeepsPhones: want false for a table without numbers, and true for the store's own")
	}
	if _, err := s.FindByPhone(t.Context(), ann().Phone); !errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("FindByPhone: error = %v, want ErrNotFound", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.FindByPhone(ended, ann().Phone); !errors.Is(err, context.Canceled) {
		t.Errorf("FindByPhone with a canceled context: error = %v, want Canceled", err)
	}
	if err := s.BindPhone(t.Context(), "17", ann().Phone); !errors.Is(err, errNoPhones) {
		t.Errorf("BindPhone: error = %v, want %v", err, errNoPhones)
	}
	if err := s.BindPhone(t.Context(), "17", ""); err != nil {
		t.Errorf("BindPhone of the empty number: error = %v, want none", err)
	}
}

// TestTwoOwners looks a number up that two rows have, because the column is not unique.
// Choosing one would log a person in as another.
func TestTwoOwners(t *testing.T) {
	fake := &fakeDatabase{rows: func(string, []driver.NamedValue) ([][]driver.Value, error) {
		var rows [][]driver.Value
		for _, id := range []int64{17, 18} {
			rows = append(rows, []driver.Value{id, "", "", ann().Phone, int64(0), nil, nil, nil, nil})
		}
		return rows, nil
	}}
	_, err := fake.store(t, MySQL, members()).FindByPhone(t.Context(), ann().Phone)
	if !errors.Is(err, errTwoOwners) || errors.Is(err, scangate.ErrNotFound) {
		t.Errorf("FindByPhone: error = %v, want %v", err, errTwoOwners)
	}
}
