package sqlstore

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/scangate/scangate"
)

// layout is where a Store keeps its data: the table of users, which may be the
// application's own, and the tables beside it.
type layout struct {
	grammar
	table  Table
	kind   idKind
	own    bool // the store makes the table of users itself
	prefix string
}

// newLayout returns the layout for a valid prefix and any table.
func newLayout(dialect Dialect, g grammar, s settings) (layout, error) {
	l := layout{grammar: g, table: s.table, prefix: s.prefix}
	if s.table.isZero() {
		l.own, l.table = true, ownTable(s.prefix, g)
		return l, nil
	}
	if err := s.table.check([]string{s.prefix + "identities", s.prefix + "unionids", s.prefix + "ended"}); err != nil {
		return layout{}, err
	}
	var err error
	l.kind, err = kindOf(dialect, s.table.IDType)
	return l, err
}

// ownTable returns the table of users that the store makes itself.
func ownTable(prefix string, g grammar) Table {
	return Table{
		Name: prefix + "users", ID: "id", IDType: g.idType, Nickname: "nickname", AvatarURL: "avatar_url", Phone: "phone",
		SessionsEndedAt: "sessions_ended_at", Disabled: "disabled",
		Insert: func(scangate.NewUser) map[string]any {
			return map[string]any{"created_at": time.Now().UnixMicro()}
		},
	}
}

// quote returns the name of a table or column of the table of users. The store's own
// names need no quotes.
func (l layout) quote(name string) string {
	if l.own || name == "" {
		return name
	}
	return l.quotes + strings.ReplaceAll(name, ".", l.quotes+"."+l.quotes) + l.quotes
}

// live returns the condition for the rows that are users, to be appended to another one.
func (l layout) live() string {
	if l.table.Where == "" {
		return ""
	}
	return " AND (" + l.table.Where + ")"
}

// users returns the table of users as one with the names and columns of the store's own.
// All databases take the subquery apart, so that its conditions and indexes work as
// without it.
func (l layout) users() string {
	t := l.table
	if l.own {
		return t.Name
	}
	text := func(column string) string {
		if column == "" {
			return "''"
		}
		return "COALESCE(" + l.quote(column) + ", '')"
	}
	columns := []string{l.quote(t.ID) + " AS id", text(t.Nickname) + " AS nickname", text(t.AvatarURL) + " AS avatar_url"}
	if t.Phone == "" {
		columns = append(columns, "NULL AS phone")
	} else {
		columns = append(columns, l.quote(t.Phone)+" AS phone")
	}
	if t.Disabled == "" {
		columns = append(columns, "0 AS disabled")
	} else {
		// A condition may be NULL, and a column may be BIT or a number.
		columns = append(columns, "CASE WHEN ("+t.Disabled+") THEN 1 ELSE 0 END AS disabled")
	}
	if t.SessionsEndedAt != "" {
		columns = append(columns, l.quote(t.SessionsEndedAt)+" AS sessions_ended_at")
	}
	where := ""
	if t.Where != "" {
		where = " WHERE " + t.Where
	}
	return "(SELECT " + strings.Join(columns, ", ") + " FROM " + l.quote(t.Name) + where + ")"
}

// endedAt returns the expression for the end of the sessions of the user u.
func (l layout) endedAt() string {
	if l.table.SessionsEndedAt != "" {
		return "u.sessions_ended_at"
	}
	// Not a part of the subquery of users: MySQL would then compute that whole.
	return "(SELECT e.sessions_ended_at FROM " + l.prefix + "ended e WHERE e.user_id = u.id)"
}

// userIDType returns the column type of users' IDs in the store's own tables.
func (l layout) userIDType() string {
	if l.table.IDType == "" {
		return "BIGINT"
	}
	return l.table.IDType
}

// statement replaces the names in braces and the placeholders in text.
func (l layout) statement(text string) string {
	id := "?"
	if l.numbered {
		// PostgreSQL would otherwise refuse numbers beyond the column's type, and texts
		// for a UUID.
		switch l.kind {
		case integerIDs:
			id = "CAST(? AS BIGINT)"
		case uuidIDs:
			id = "CAST(? AS UUID)"
		case textIDs:
		}
	}
	return l.numberPlaceholders(strings.NewReplacer(
		"{users}", l.users(), "{table}", l.quote(l.table.Name), "{id}", l.quote(l.table.ID), "{phone}", l.quote(l.table.Phone),
		"{sessionsEndedAt}", l.quote(l.table.SessionsEndedAt), "{endedAt}", l.endedAt(), "{live}", l.live(), "{delete}", l.table.Delete,
		"{identities}", l.prefix+"identities", "{unionids}", l.prefix+"unionids", "{ended}", l.prefix+"ended",
		"{?}", id, "{forUpdate}", l.forUpdate,
	).Replace(text))
}

// numberPlaceholders returns text with the dialect's placeholders.
func (g grammar) numberPlaceholders(text string) string {
	if !g.numbered {
		return text
	}
	// Every question mark is a placeholder: no statement contains one in a literal.
	parts := strings.Split(text, "?")
	var b strings.Builder
	for i, part := range parts[:len(parts)-1] {
		b.WriteString(part + "$" + strconv.Itoa(i+1))
	}
	b.WriteString(parts[len(parts)-1])
	return b.String()
}

// uuidForm is the form in which databases return a UUID.
var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// userID returns a user's ID as a query's parameter. It is nil, which equals nothing, for
// a text that no user has as ID.
func (l layout) userID(id string) any {
	switch l.kind {
	case integerIDs:
		// FormatInt refuses other spellings of a number, such as "+1" and "01": a user
		// must have one ID only.
		if n, err := strconv.ParseInt(id, 10, 64); err == nil && strconv.FormatInt(n, 10) == id {
			return n
		}
		return nil
	case uuidIDs:
		if !uuidForm.MatchString(id) {
			return nil
		}
		return id
	default:
		if !parameter(id).Valid {
			return nil
		}
		return id
	}
}

// newID returns the ID of a new user. It is empty if the database makes it.
func (l layout) newID() string {
	switch {
	case l.table.NewID != nil:
		return l.table.NewID()
	case l.kind == integerIDs:
		return ""
	case l.kind == uuidIDs:
		var b [16]byte
		// Read never fails.
		_, _ = rand.Read(b[:])
		// Version 4, of RFC 9562.
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
		return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	}
	return rand.Text()
}

// storedPhone returns a number in E.164 form as a query's parameter, in the table's form.
// It is NULL for a number that the column cannot hold.
func (l layout) storedPhone(phone string) sql.NullString {
	if l.table.PhonePrefix == "" {
		return parameter(phone)
	}
	if national, ok := strings.CutPrefix(phone, l.table.PhonePrefix); ok {
		return parameter(national)
	}
	// A number without a plus would be taken for a national one.
	if !strings.HasPrefix(phone, "+") {
		return sql.NullString{}
	}
	return parameter(phone)
}

// e164 returns a number of the table in E.164 form.
func (l layout) e164(stored string) string {
	if stored == "" || strings.HasPrefix(stored, "+") {
		return stored
	}
	return l.table.PhonePrefix + stored
}
