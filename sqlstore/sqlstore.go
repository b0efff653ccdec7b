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

// What the columns hold, in bytes.
const (
	maxKey  = 255
	maxName = 1024
)

// maxPrefix leaves room, in the 63 characters of an SQL name, for the rest of a
// constraint's.
const maxPrefix = 40

// Store is a [scangate.UserStore] in an SQL database. It may be used from many
// goroutines, and by many processes at once.
type Store struct {
	db      *sql.DB
	dialect grammar
	schema  []string
	query   queries
}

// New returns a Store in the database, which speaks the dialect. It does not
// connect. The Store does not own the database: whoever opened it closes it.
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

// Prefix begins the names of the tables; without it they begin with "scangate_".
// It has to be of a-z, 0-9 and _, not to begin with a digit, and to be no longer
// than 40 characters.
func Prefix(prefix string) Option {
	return func(s *settings) { s.prefix = prefix }
}

// resolve checks what New and Schema are given.
func resolve(dialect Dialect, options []Option) (grammar, string, error) {
	g, ok := dialect.grammar()
	if !ok {
		return grammar{}, "", fmt.Errorf("sqlstore: unknown dialect %q", string(dialect))
	}
	s := settings{prefix: "scangate_"}
	for _, option := range options {
		option(&s)
	}
	odd := func(c rune) bool { return c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') }
	if s.prefix == "" || len(s.prefix) > maxPrefix || s.prefix[0] <= '9' || strings.ContainsFunc(s.prefix, odd) {
		return grammar{}, "", fmt.Errorf("sqlstore: Prefix %q is not of a-z, 0-9 and _", s.prefix)
	}
	return g, s.prefix, nil
}

// fits reports whether a column of that size holds the text, in every dialect.
func fits(text string, size int) bool {
	return len(text) <= size && utf8.ValidString(text) && !strings.Contains(text, "\x00")
}

// key is an identifier as a parameter: NULL, which equals nothing, if it is empty
// or such that no column can hold it.
func key(text string) sql.NullString {
	return sql.NullString{String: text, Valid: text != "" && fits(text, maxKey)}
}

// queries are the statements of a Store, with its tables' names and its
// dialect's placeholders.
type queries struct {
	begin                              string // if not empty, what a transaction begins with
	byID, byWeChat, byPhone            string
	lock, taken                        string
	addUser, addIdentity, addUnionID   string
	identitiesAt, identities, unionID  string
	fillIn, unlink, dropUnionID        string
	phoneOwner, bindPhone, endSessions string
	columns                            []string
}

const (
	userColumns     = `u.id, u.nickname, u.avatar_url, u.phone, u.disabled, u.sessions_ended_at`
	identityColumns = `i.app_id, i.open_id, i.union_id`
	everyColumn     = `SELECT ` + userColumns + `, ` + identityColumns + ` FROM {users} u LEFT JOIN {identities} i ON i.user_id = u.id `
)

func (g grammar) queries(prefix string) queries {
	in := func(text string) string { return g.statement(prefix, text) }
	return queries{
		begin: in(g.begin),
		byID:  in(`SELECT ` + userColumns + ` FROM {users} u WHERE u.id = ?`),
		byWeChat: in(everyColumn + `WHERE u.id = COALESCE(
			(SELECT user_id FROM {identities} WHERE app_id = ? AND open_id = ?),
			(SELECT user_id FROM {unionids} WHERE union_id = ?))`),
		byPhone: in(everyColumn + `WHERE u.phone = ?`),

		lock: in(`SELECT id FROM {users} WHERE id = ?` + g.forUpdate),
		taken: in(`SELECT user_id, 'openid' FROM {identities} WHERE app_id = ? AND open_id = ?
			UNION ALL SELECT user_id, 'unionid' FROM {unionids} WHERE union_id = ?
			UNION ALL SELECT id, 'phone' FROM {users} WHERE phone = ?`),
		identitiesAt: in(`SELECT ` + identityColumns + `, i.user_id FROM {identities} i WHERE i.app_id = ? AND (i.open_id = ? OR i.user_id = ?)`),
		identities:   in(`SELECT ` + identityColumns + ` FROM {identities} i WHERE i.user_id = ?`),
		unionID:      in(`SELECT user_id FROM {unionids} WHERE union_id = ?`),
		phoneOwner:   in(`SELECT id FROM {users} WHERE phone = ?`),

		addUser:     in(`INSERT INTO {users} (id, nickname, avatar_url, phone, created_at) VALUES (?, ?, ?, ?, ?)`),
		addUnionID:  in(`INSERT INTO {unionids} (union_id, user_id) VALUES (?, ?)`),
		addIdentity: in(`INSERT INTO {identities} (app_id, open_id, union_id, user_id) VALUES (?, ?, ?, ?)`),
		fillIn:      in(`UPDATE {identities} SET union_id = ? WHERE app_id = ? AND open_id = ?`),
		unlink:      in(`DELETE FROM {identities} WHERE app_id = ? AND open_id = ?`),
		dropUnionID: in(`DELETE FROM {unionids} WHERE union_id = ?`),
		bindPhone:   in(`UPDATE {users} SET phone = ? WHERE id = ?`),
		endSessions: in(`UPDATE {users} SET sessions_ended_at = ? WHERE id = ? AND (sessions_ended_at IS NULL OR sessions_ended_at < ?)`),

		columns: []string{
			in(everyColumn + `WHERE 1 = 0`),
			in(`SELECT created_at FROM {users} WHERE 1 = 0`),
			in(`SELECT union_id, user_id FROM {unionids} WHERE 1 = 0`),
		},
	}
}

// statement puts the tables' names and the dialect's placeholders into text.
func (g grammar) statement(prefix, text string) string {
	text = strings.NewReplacer("{users}", prefix+"users", "{identities}", prefix+"identities", "{unionids}", prefix+"unionids").Replace(text)
	if !g.numbered {
		return text
	}
	parts := strings.Split(text, "?")
	var b strings.Builder
	for i, part := range parts[:len(parts)-1] {
		b.WriteString(part + "$" + strconv.Itoa(i+1))
	}
	b.WriteString(parts[len(parts)-1])
	return b.String()
}
