package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/scangate/scangate"
)

var _ scangate.UserStore = (*Store)(nil)

// The sizes of the columns in bytes.
const (
	maxID   = 255  // of identifiers
	maxName = 1024 // of nicknames and avatar URLs
)

// maxPrefix leaves room for the rest of a constraint's generated name: PostgreSQL's
// names have at most 63 bytes.
const maxPrefix = 40

// Store is a [scangate.UserStore] in an SQL database. Any number of goroutines, and any
// number of processes on the same database, may use it at the same time.
type Store struct {
	db      *sql.DB
	dialect grammar
	schema  []string
	query   queries
}

// New returns a Store in a database of the given dialect. It does not connect. The
// caller keeps ownership of db and closes it.
func New(db *sql.DB, dialect Dialect, options ...Option) (*Store, error) {
	if db == nil {
		return nil, errors.New("sqlstore: New needs a database")
	}
	g, prefix, err := resolve(dialect, options)
	if err != nil {
		return nil, err
	}
	return &Store{db: db, dialect: g, schema: g.schema(prefix), query: g.queries(prefix)}, nil
}

// Option is an option of [New] and of [Schema].
type Option func(*settings)

type settings struct{ prefix string }

// Prefix sets the beginning of the tables' names, by default "scangate_". It must have
// 1 to 40 characters out of a-z, 0-9 and _, the first of which is not a digit.
func Prefix(prefix string) Option {
	return func(s *settings) { s.prefix = prefix }
}

// resolve checks the arguments of New and Schema, and returns the dialect's grammar and
// the prefix.
func resolve(dialect Dialect, options []Option) (grammar, string, error) {
	g, ok := dialect.grammar()
	if !ok {
		return grammar{}, "", fmt.Errorf("sqlstore: unknown dialect %q", string(dialect))
	}
	s := settings{prefix: "scangate_"}
	for _, option := range options {
		option(&s)
	}
	// The prefix becomes part of the SQL, unquoted. Upper case is refused because the
	// databases disagree on whether it makes another name.
	forbidden := func(c rune) bool { return c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') }
	if s.prefix == "" || len(s.prefix) > maxPrefix || s.prefix[0] <= '9' || strings.ContainsFunc(s.prefix, forbidden) {
		return grammar{}, "", fmt.Errorf("sqlstore: Prefix %q must be 1 to %d characters out of a-z, 0-9 and _, and not begin with a digit", s.prefix, maxPrefix)
	}
	return g, s.prefix, nil
}

// fits reports whether a column of size bytes holds text in every dialect.
func fits(text string, size int) bool {
	// PostgreSQL has no U+0000 in a text, and refuses invalid UTF-8. MySQL in its
	// non-strict mode cuts a text that is too long.
	return len(text) <= size && utf8.ValidString(text) && !strings.Contains(text, "\x00")
}

// parameter returns an identifier as a query's parameter. It is NULL, which equals
// nothing, if the identifier is empty or does not fit its column.
func parameter(id string) sql.NullString {
	return sql.NullString{String: id, Valid: id != "" && fits(id, maxID)}
}

// queries are a Store's statements, with its tables' names and its dialect's
// placeholders.
type queries struct {
	firstWrite string // the first statement of each transaction, or empty

	userByID, userByWeChat, userByPhone       string
	lockUser, owners                          string
	identitiesAtAccount, identitiesOfUser     string
	unionIDOwner, phoneOwner                  string
	insertUser, insertIdentity, insertUnionID string
	setUnionID, setPhone, setSessionsEndedAt  string
	deleteIdentity, deleteUnionID             string
	allColumns                                []string // select no row of every column
}

const (
	userColumns     = `u.id, u.nickname, u.avatar_url, u.phone, u.disabled, u.sessions_ended_at`
	identityColumns = `i.app_id, i.open_id, i.union_id`
	// selectUser returns a row per identity of the user, or one row without.
	selectUser = `SELECT ` + userColumns + `, ` + identityColumns + ` FROM {users} u LEFT JOIN {identities} i ON i.user_id = u.id `
)

// queries returns the statements for tables with the prefix.
func (g grammar) queries(prefix string) queries {
	in := func(text string) string { return g.statement(prefix, text) }
	return queries{
		firstWrite: in(g.firstWrite),

		userByID: in(`SELECT ` + userColumns + ` FROM {users} u WHERE u.id = ?`),
		// COALESCE gives the owner of the OpenID precedence over that of the UnionID.
		userByWeChat: in(selectUser + `WHERE u.id = COALESCE(
			(SELECT user_id FROM {identities} WHERE app_id = ? AND open_id = ?),
			(SELECT user_id FROM {unionids} WHERE union_id = ?))`),
		userByPhone: in(selectUser + `WHERE u.phone = ?`),

		lockUser: in(`SELECT id FROM {users} WHERE id = ?` + g.forUpdate),
		owners: in(`SELECT user_id, 'openid' FROM {identities} WHERE app_id = ? AND open_id = ?
			UNION ALL SELECT user_id, 'unionid' FROM {unionids} WHERE union_id = ?
			UNION ALL SELECT id, 'phone' FROM {users} WHERE phone = ?`),
		identitiesAtAccount: in(`SELECT ` + identityColumns + `, i.user_id FROM {identities} i WHERE i.app_id = ? AND (i.open_id = ? OR i.user_id = ?)`),
		identitiesOfUser:    in(`SELECT ` + identityColumns + ` FROM {identities} i WHERE i.user_id = ?`),
		unionIDOwner:        in(`SELECT user_id FROM {unionids} WHERE union_id = ?`),
		phoneOwner:          in(`SELECT id FROM {users} WHERE phone = ?`),

		insertUser:     in(`INSERT INTO {users} (id, nickname, avatar_url, phone, created_at) VALUES (?, ?, ?, ?, ?)`),
		insertUnionID:  in(`INSERT INTO {unionids} (union_id, user_id) VALUES (?, ?)`),
		insertIdentity: in(`INSERT INTO {identities} (app_id, open_id, union_id, user_id) VALUES (?, ?, ?, ?)`),

		setUnionID: in(`UPDATE {identities} SET union_id = ? WHERE app_id = ? AND open_id = ?`),
		setPhone:   in(`UPDATE {users} SET phone = ? WHERE id = ?`),
		// The condition keeps the latest time if calls arrive out of order.
		setSessionsEndedAt: in(`UPDATE {users} SET sessions_ended_at = ? WHERE id = ? AND (sessions_ended_at IS NULL OR sessions_ended_at < ?)`),

		deleteIdentity: in(`DELETE FROM {identities} WHERE app_id = ? AND open_id = ?`),
		deleteUnionID:  in(`DELETE FROM {unionids} WHERE union_id = ?`),

		allColumns: []string{
			in(selectUser + `WHERE 1 = 0`),
			in(`SELECT created_at FROM {users} WHERE 1 = 0`),
			in(`SELECT union_id, user_id FROM {unionids} WHERE 1 = 0`),
		},
	}
}

// statement replaces the names of the tables and the placeholders in text.
func (g grammar) statement(prefix, text string) string {
	text = strings.NewReplacer("{users}", prefix+"users", "{identities}", prefix+"identities", "{unionids}", prefix+"unionids").Replace(text)
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
