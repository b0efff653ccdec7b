package sqlstore

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate"
)

func TestLookUpIsOneQuery(t *testing.T) {
	for method, find := range map[string]func(s *Store) (scangate.User, error){
		"FindByID":     func(s *Store) (scangate.User, error) { return s.FindByID(t.Context(), "17") },
		"FindByWeChat": func(s *Store) (scangate.User, error) { return s.FindByWeChat(t.Context(), ann().Identity) },
		"FindByPhone":  func(s *Store) (scangate.User, error) { return s.FindByPhone(t.Context(), ann().Phone) },
	} {
		fake := &fakeDatabase{}
		if _, err := find(fake.store(t, MySQL)); !errors.Is(err, scangate.ErrNotFound) {
			t.Errorf("%s in an empty database: error = %v, want ErrNotFound", method, err)
		}
		// BEGIN would count as a statement too.
		if len(fake.statements) != 1 {
			t.Errorf("%s: statements = %q, want one", method, fake.statements)
		}
	}
}

// invalidIDs returns identifiers that are empty or that some database cannot hold.
func invalidIDs() []string { return []string{"", "o\x00", "\xff", strings.Repeat("x", 256)} }

func TestLookUpOfInvalidIDs(t *testing.T) {
	for _, id := range invalidIDs() {
		fake := &fakeDatabase{rows: func(query string, args []driver.NamedValue) ([][]driver.Value, error) {
			// NULL equals nothing, so the query cannot find a similar identifier.
			for _, arg := range args {
				if arg.Value != nil {
					t.Errorf("argument of %q = %.20q, want NULL", query, arg.Value)
				}
			}
			return nil, nil
		}}
		s := fake.store(t, SQLite)
		_, byID := s.FindByID(t.Context(), id)
		_, byWeChat := s.FindByWeChat(t.Context(), scangate.Identity{AppID: id, OpenID: id, UnionID: id})
		_, byPhone := s.FindByPhone(t.Context(), id)
		for method, err := range map[string]error{
			"FindByID": byID, "FindByWeChat": byWeChat, "FindByPhone": byPhone,
			"EndSessions": s.EndSessions(t.Context(), id, time.Now()),
		} {
			if !errors.Is(err, scangate.ErrNotFound) {
				t.Errorf("%s of %.20q: error = %v, want ErrNotFound", method, id, err)
			}
		}
	}
}

func TestRegisterRefusesInvalidValues(t *testing.T) {
	for name, change := range map[string]func(*scangate.NewUser){
		"no AppID":            func(u *scangate.NewUser) { u.Identity.AppID = "" },
		"no OpenID":           func(u *scangate.NewUser) { u.Identity.OpenID = "" },
		"OpenID with NUL":     func(u *scangate.NewUser) { u.Identity.OpenID += "\x00" },
		"UnionID too long":    func(u *scangate.NewUser) { u.Identity.UnionID += strings.Repeat("x", 255) },
		"phone not UTF-8":     func(u *scangate.NewUser) { u.Phone += "\xff" },
		"nickname too long":   func(u *scangate.NewUser) { u.Nickname = strings.Repeat("x", 1025) },
		"AvatarURL not UTF-8": func(u *scangate.NewUser) { u.AvatarURL = "\xff" },
	} {
		fake, newUser := &fakeDatabase{}, ann()
		change(&newUser)
		if _, err := fake.store(t, SQLite).Register(t.Context(), newUser); !errors.Is(err, errInvalid) {
			t.Errorf("%s: Register: error = %v, want %v", name, err, errInvalid)
		}
		// The store neither writes the values nor tries again.
		if fake.count("BEGIN") > 1 || fake.count("INSERT") > 0 {
			t.Errorf("%s: Register: statements = %q, want at most one BEGIN and no INSERT", name, fake.statements)
		}
	}
}

func TestChangeIsOneTransaction(t *testing.T) {
	for _, c := range []struct {
		dialect   Dialect
		isolation sql.IsolationLevel
		first     string // the transaction's first statement
	}{
		{SQLite, sql.LevelDefault, "UPDATE scangate_identities SET user_id = user_id"},
		{MySQL, sql.LevelReadCommitted, "SELECT id FROM scangate_users WHERE id = ? FOR UPDATE"},
		{PostgreSQL, sql.LevelReadCommitted, "SELECT id FROM scangate_users WHERE id = $1 FOR UPDATE"},
	} {
		fake := &fakeDatabase{}
		err := fake.store(t, c.dialect).BindPhone(t.Context(), "17", ann().Phone)
		if !errors.Is(err, scangate.ErrNotFound) {
			t.Errorf("%s: BindPhone in an empty database: error = %v, want ErrNotFound", c.dialect, err)
		}
		if len(fake.statements) < 2 || !strings.HasPrefix(fake.statements[1], c.first) {
			t.Errorf("%s: BindPhone: statements = %q, want %q after BEGIN", c.dialect, fake.statements, c.first)
		}
		if got := sql.IsolationLevel(fake.isolation); got != c.isolation {
			t.Errorf("%s: isolation = %v, want %v", c.dialect, got, c.isolation)
		}
		if commits, rollbacks := fake.count("COMMIT"), fake.count("ROLLBACK"); commits != 0 || rollbacks != 1 {
			t.Errorf("%s: failed BindPhone: %d commits and %d rollbacks, want 0 and 1", c.dialect, commits, rollbacks)
		}
	}
}

// TestLinkFreesEveryOrphan has owners of the OpenID and the UnionID that are gone. The rows
// are in each order, because databases return them in any.
func TestLinkFreesEveryOrphan(t *testing.T) {
	for _, c := range []struct {
		owners [][]driver.Value
		freed  []string
	}{
		{[][]driver.Value{{"17", "openid"}, {"18", "orphan"}}, []string{"18"}},
		{[][]driver.Value{{"18", "orphan"}, {"17", "openid"}}, []string{"18"}},
		{[][]driver.Value{{"17", "unionid"}, {"18", "orphan"}}, []string{"18"}},
		{[][]driver.Value{{"19", "orphan"}, {"18", "orphan"}}, []string{"18", "19"}},
		{[][]driver.Value{{"18", "orphan"}, {"18", "orphan"}}, []string{"18"}},
	} {
		var freed []string
		fake := &fakeDatabase{
			rows: func(query string, _ []driver.NamedValue) ([][]driver.Value, error) {
				switch {
				case strings.HasSuffix(query, "FOR UPDATE"):
					return [][]driver.Value{{"17"}}, nil
				case strings.Contains(query, "'orphan'") && len(freed) == 0:
					return c.owners, nil
				}
				return nil, nil
			},
			exec: func(query string, args []driver.NamedValue) error {
				if strings.HasPrefix(query, "DELETE FROM scangate_unionids") {
					freed = append(freed, args[0].Value.(string))
				}
				return nil
			},
		}
		if err := fake.store(t, MySQL).LinkWeChat(t.Context(), "17", ann().Identity); err != nil {
			t.Errorf("LinkWeChat with the owners %q: %v, want no error", c.owners, err)
		}
		if !slices.Equal(freed, c.freed) {
			t.Errorf("LinkWeChat with the owners %q: freed %q, want %q", c.owners, freed, c.freed)
		}
	}
}
