package sqlstore

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"unicode"

	"github.com/scangate/scangate"
)

// Table describes the application's own table of users. It is an [Option] of [New] and
// [Schema]. The zero value stands for a table that the store makes itself.
//
// Only Name and ID are required. An empty field means that the table has no such column:
// the store then has no value for it. The names are quoted, so they are spelled as the
// database spells them, and may be reserved words. The store reads and writes the columns
// named here, and writes those that Insert and Delete add. It never changes the table's
// form.
type Table struct {
	// Name is the table's name, such as "members" or "shop.members".
	Name string
	// ID is the column of the primary key.
	ID string
	// IDType is the column's SQL type, such as "BIGINT UNSIGNED", "TEXT" or "UUID". If it
	// is set, the store's tables refer to the table by foreign keys that delete a user's
	// identities with the user. Empty means that IDs are integers and that there are no
	// foreign keys.
	//
	// New IDs of an integer type are made by the database (AUTO_INCREMENT, IDENTITY,
	// AUTOINCREMENT). On MySQL, a text type ends in its COLLATE clause, as in
	// "VARCHAR(36) COLLATE utf8mb4_0900_ai_ci"; "UUID" is a type of MariaDB only. Binary
	// UUIDs are not supported.
	IDType string
	// NewID returns the ID of a new user. Nil means that the database makes integers, and
	// that the store makes random texts of 26 characters and random UUIDs.
	NewID func() string

	// Nickname and AvatarURL are text columns.
	Nickname  string
	AvatarURL string
	// Phone is a text column with a unique index. It is NULL for a user without a number.
	// The numbers must be verified: a person who proves one becomes the user who has it.
	// Without the column, [Store.FindByPhone] finds no user and [Store.BindPhone] is an
	// error.
	Phone string
	// PhonePrefix is the beginning that the table leaves out of numbers. With "+86" the
	// number +8613800138000 is stored as 13800138000, and +85291234567 as it is. Empty
	// means that all numbers are in E.164 form.
	PhonePrefix string
	// SessionsEndedAt is a BIGINT column that allows NULL, with microseconds since 1970.
	// Without it, the store keeps the times in a table of its own.
	SessionsEndedAt string

	// Disabled is an SQL condition over the table's columns, such as "disabled" or
	// "status <> 1". It holds for users who may not log in. Empty means that all may.
	Disabled string
	// Where is an SQL condition over the table's columns, such as "deleted_at IS NULL".
	// The store ignores other rows, and their identities are free. Their phone numbers are
	// free only if the unique index leaves these rows out. Empty means that all rows are
	// users.
	Where string
	// Delete is what [Store.Delete] sets in a user's row, such as
	// "deleted_at = CURRENT_TIMESTAMP". The row then no longer fulfills Where. Delete
	// also sets the phone number to NULL. Empty means that it deletes the row.
	Delete string

	// Insert returns the values of further columns of a new row, by the columns' names.
	// A value for Nickname, AvatarURL or Phone replaces the store's. Nil means none.
	Insert func(scangate.NewUser) map[string]any
}

// apply implements [Option].
func (t Table) apply(s *settings) { s.table = t }

// isZero reports whether t is the zero value.
func (t Table) isZero() bool { return reflect.ValueOf(t).IsZero() }

// maxIdentifier is the length in bytes of the longest name that PostgreSQL keeps. MySQL
// allows one more.
const maxIdentifier = 63

// nameFault returns why name is not the name of a column, or "".
func nameFault(name string) string {
	odd := func(c rune) bool {
		return c != '_' && c != '-' && c != '$' && !unicode.IsLetter(c) && !unicode.IsDigit(c)
	}
	switch {
	case name == "":
		return "is missing"
	case len(name) > maxIdentifier:
		return fmt.Sprintf("has more than %d bytes", maxIdentifier)
	case !fits(name, maxIdentifier), strings.ContainsFunc(name, odd):
		return "must consist of letters, digits, _, - and $"
	}
	return ""
}

// sqlFault returns why text is not a part of an SQL statement, or "". The programmer
// writes it, so this finds mistakes and no attacks.
func sqlFault(text string) string {
	for _, odd := range []string{"?", ";", "--", "/*", "\\", "\x00"} {
		if strings.Contains(text, odd) {
			return fmt.Sprintf("must not contain %q", odd)
		}
	}
	depth := 0
	var quote rune
	for _, c := range text {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"' || c == '`':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth < 0 {
				return "closes a parenthesis that it does not open"
			}
		}
	}
	if depth != 0 || quote != 0 {
		return "leaves a parenthesis or a quote open"
	}
	return ""
}

// idKind is how IDs are written in the database.
type idKind int

const (
	textIDs idKind = iota
	integerIDs
	uuidIDs
)

var (
	integerType = regexp.MustCompile(`^(?i:(BIG|MEDIUM|SMALL)?INT|INTEGER|INT[248])(\(\d+\))?(?i: UNSIGNED)?$`)
	textType    = regexp.MustCompile(`^(?i:TEXT|(VAR)?CHAR\(\d+\)|CHARACTER VARYING(\(\d+\))?|VARBINARY\(\d+\))(?i: CHARACTER SET \w+)?( (?i:COLLATE) ("[\w.-]+"|\w+))?$`)
	callingCode = regexp.MustCompile(`^\+[1-9]\d{0,3}$`)
)

// kindOf returns the kind of IDs in a column of that SQL type.
func kindOf(dialect Dialect, sqlType string) (idKind, error) {
	switch {
	case sqlType == "", integerType.MatchString(sqlType):
		return integerIDs, nil
	case strings.EqualFold(sqlType, "UUID"):
		return uuidIDs, nil
	case !textType.MatchString(sqlType):
		return 0, fmt.Errorf(`sqlstore: Table.IDType %q is not a type like "BIGINT", "BIGINT UNSIGNED", "TEXT", "VARCHAR(36)" or "UUID"`, sqlType)
	case dialect == MySQL && !strings.Contains(strings.ToUpper(sqlType), "VARBINARY") && !strings.Contains(strings.ToUpper(sqlType), " COLLATE "):
		// With another collation, MySQL refuses to compare the columns, or compares them
		// without an index.
		return 0, fmt.Errorf(`sqlstore: Table.IDType %q: MySQL needs the column's collation too, as in "VARCHAR(36) COLLATE utf8mb4_general_ci"; SHOW FULL COLUMNS prints it`, sqlType)
	}
	return textIDs, nil
}

// check returns a fault of t, or nil. own are the names of the store's own tables.
func (t Table) check(own []string) error {
	for _, check := range []func() error{
		func() error { return t.checkName(own) }, t.checkColumns, t.checkSQL,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	switch {
	case t.PhonePrefix != "" && t.Phone == "":
		return errors.New("sqlstore: Table.PhonePrefix is set without Table.Phone")
	case t.PhonePrefix != "" && !callingCode.MatchString(t.PhonePrefix):
		return fmt.Errorf(`sqlstore: Table.PhonePrefix %q is not a calling code like "+86"`, t.PhonePrefix)
	case t.Delete != "" && t.Where == "":
		return errors.New("sqlstore: Table.Delete is set without Table.Where, so deleted users would stay users")
	}
	return nil
}

// checkName checks the table's name.
func (t Table) checkName(own []string) error {
	parts := strings.Split(t.Name, ".")
	if len(parts) > 2 {
		return fmt.Errorf("sqlstore: Table.Name %q has more than one dot", t.Name)
	}
	for _, part := range parts {
		if problem := nameFault(part); problem != "" {
			return fmt.Errorf("sqlstore: Table.Name %q %s", t.Name, problem)
		}
	}
	for _, name := range own {
		if strings.EqualFold(parts[len(parts)-1], name) {
			return fmt.Errorf("sqlstore: Table.Name %q is one of the store's own tables: set another Prefix", t.Name)
		}
	}
	return nil
}

// checkColumns checks the names of the columns.
func (t Table) checkColumns() error {
	seen := make(map[string]string)
	for _, column := range []struct{ field, name string }{
		{"ID", t.ID}, {"Nickname", t.Nickname}, {"AvatarURL", t.AvatarURL}, {"Phone", t.Phone}, {"SessionsEndedAt", t.SessionsEndedAt},
	} {
		if column.name == "" && column.field != "ID" {
			continue
		}
		if problem := nameFault(column.name); problem != "" {
			return fmt.Errorf("sqlstore: Table.%s %q %s", column.field, column.name, problem)
		}
		// Databases disagree on whether upper case makes another name.
		lower := strings.ToLower(column.name)
		if other, ok := seen[lower]; ok {
			return fmt.Errorf("sqlstore: Table.%s and Table.%s are the same column %q", other, column.field, column.name)
		}
		seen[lower] = column.field
	}
	return nil
}

// checkSQL checks the parts of SQL.
func (t Table) checkSQL() error {
	for _, part := range []struct{ field, sql string }{{"Disabled", t.Disabled}, {"Where", t.Where}, {"Delete", t.Delete}} {
		if problem := sqlFault(part.sql); problem != "" {
			return fmt.Errorf("sqlstore: Table.%s %q %s", part.field, part.sql, problem)
		}
	}
	return nil
}
