package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
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
	db *sql.DB
	layout
	schema []string
	query  queries
}

// New returns a Store in a database of the given dialect. It does not connect. The
// caller keeps ownership of db and closes it. Options are a [Table] and a [Prefix]; of
// each, the last one counts.
func New(db *sql.DB, dialect Dialect, options ...Option) (*Store, error) {
	if db == nil {
		return nil, errors.New("sqlstore: New needs a database")
	}
	l, err := resolve(dialect, options)
	if err != nil {
		return nil, err
	}
	return &Store{db: db, layout: l, schema: l.schema(), query: l.queries()}, nil
}

// KeepsPhones reports whether the table has a column for phone numbers. If it has none,
// [scangate.New] refuses Config.Phone.Require and Config.Phone.SendCode.
func (s *Store) KeepsPhones() bool { return s.table.Phone != "" }

// Option is an option of [New] and of [Schema]: a [Table] or a [Prefix].
type Option interface{ apply(*settings) }

type settings struct {
	prefix string
	table  Table
}

// prefixOption is the Option of Prefix.
type prefixOption string

func (p prefixOption) apply(s *settings) { s.prefix = string(p) }

// Prefix sets the beginning of the names of the store's own tables, by default
// "scangate_". It must have 1 to 40 characters out of a-z, 0-9 and _, the first of which
// is not a digit.
func Prefix(prefix string) Option { return prefixOption(prefix) }

// resolve checks the arguments of New and Schema, and returns the layout that they
// describe.
func resolve(dialect Dialect, options []Option) (layout, error) {
	g, ok := dialect.grammar()
	if !ok {
		return layout{}, fmt.Errorf("sqlstore: unknown dialect %q", string(dialect))
	}
	s := settings{prefix: "scangate_"}
	for _, option := range options {
		option.apply(&s)
	}
	// The prefix becomes part of the SQL, unquoted. Upper case is refused because the
	// databases disagree on whether it makes another name.
	forbidden := func(c rune) bool { return c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') }
	if s.prefix == "" || len(s.prefix) > maxPrefix || s.prefix[0] <= '9' || strings.ContainsFunc(s.prefix, forbidden) {
		return layout{}, fmt.Errorf("sqlstore: Prefix %q must be 1 to %d characters out of a-z, 0-9 and _, and not begin with a digit", s.prefix, maxPrefix)
	}
	return newLayout(dialect, g, s)
}

// fits reports whether a column of size bytes holds text in every dialect.
func fits(text string, size int) bool {
	// PostgreSQL has no U+0000 in a text, and refuses invalid UTF-8. MySQL in its
	// non-strict mode cuts a text that is too long.
	return len(text) <= size && utf8.ValidString(text) && !strings.Contains(text, "\x00")
}

// parameter returns an identifier of WeChat's as a query's parameter. It is NULL, which equals
// nothing, if the identifier is empty or does not fit its column.
func parameter(id string) sql.NullString {
	return sql.NullString{String: id, Valid: id != "" && fits(id, maxID)}
}
