package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate"
)

var (
	errDeadlock       = errors.New("deadlock found")
	errConnectionLost = errors.New("connection lost")
)

func TestRetryAfterDeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := 3
		fake := &fakeDatabase{exec: func(string, []driver.NamedValue) error {
			if failures--; failures >= 0 {
				return errDeadlock
			}
			return nil
		}}
		user, err := fake.store(t, MySQL).Register(t.Context(), ann())
		if err != nil || user.ID == "" {
			t.Errorf("Register after three deadlocks = %+v, %v, want a user and no error", user, err)
		}
		if fake.count("BEGIN") != 4 || fake.count("ROLLBACK") != 3 || fake.count("COMMIT") != 1 {
			t.Errorf("Register: statements = %q, want 4 BEGIN, 3 ROLLBACK and 1 COMMIT", fake.statements)
		}
	})
}

func TestRetryGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &fakeDatabase{exec: func(string, []driver.NamedValue) error { return errDeadlock }}
		s, start := fake.store(t, MySQL), time.Now()
		_, err := s.Register(t.Context(), ann())
		if !errors.Is(err, errDeadlock) || errors.Is(err, scangate.ErrIdentityTaken) {
			t.Errorf("Register: error = %v, want %v", err, errDeadlock)
		}
		if n, took := fake.count("BEGIN"), time.Since(start); n != maxAttempts || took > time.Second {
			t.Errorf("Register: %d attempts in %v, want %d in at most 1 s", n, took, maxAttempts)
		}
	})
}

func TestNoRetry(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	for name, c := range map[string]struct {
		rows [][]driver.Value
		err  error
		want error
	}{
		"OpenID taken":         {[][]driver.Value{{"18", "openid"}}, nil, scangate.ErrIdentityTaken},
		"UnionID taken":        {[][]driver.Value{{"18", "unionid"}}, nil, scangate.ErrIdentityTaken},
		"phone number taken":   {[][]driver.Value{{"18", "phone"}}, nil, scangate.ErrPhoneTaken},
		"database unreachable": {nil, refused, refused},
	} {
		fake := &fakeDatabase{rows: func(string, []driver.NamedValue) ([][]driver.Value, error) { return c.rows, c.err }}
		if _, err := fake.store(t, MySQL).Register(t.Context(), ann()); !errors.Is(err, c.want) {
			t.Errorf("%s: Register: error = %v, want %v", name, err, c.want)
		}
		if n := fake.count("BEGIN"); n != 1 {
			t.Errorf("%s: Register: %d attempts, want 1", name, n)
		}
	}
}

func TestRetryEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &fakeDatabase{exec: func(string, []driver.NamedValue) error { return errDeadlock }}
		// Between two attempts: together, the pauses take longer on average.
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := fake.store(t, MySQL).Register(ctx, ann())
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errDeadlock) {
			t.Errorf("Register: error = %v, want %v", err, context.DeadlineExceeded)
		}
		if n := fake.count("BEGIN"); n == maxAttempts {
			t.Errorf("Register: %d attempts, want fewer", n)
		}
	})
}

// TestRegisterAfterLostCommit commits a registration but loses the connection before
// the result arrives. The second attempt must recognize the user as its own.
func TestRegisterAfterLostCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var id driver.Value // of the committed user
		fake := &fakeDatabase{
			exec: func(query string, args []driver.NamedValue) error {
				if strings.Contains(query, "scangate_users") {
					id = args[0].Value
				}
				return nil
			},
			rows: func(query string, _ []driver.NamedValue) ([][]driver.Value, error) {
				if id != nil && strings.Contains(query, "UNION ALL") {
					return [][]driver.Value{{id, "openid"}}, nil
				}
				return nil, nil
			},
		}
		fake.commit = func() error {
			if fake.count("COMMIT") == 1 {
				return errConnectionLost
			}
			return nil
		}
		user, err := fake.store(t, MySQL).Register(t.Context(), ann())
		if err != nil || user.ID != id {
			t.Errorf("Register = %+v, %v, want the user %v and no error", user, err, id)
		}
		if n := fake.count("INSERT INTO scangate_users"); n != 1 {
			t.Errorf("Register inserted %d users, want 1: %q", n, fake.statements)
		}
	})
}

func TestErrorsQuoteNoSecrets(t *testing.T) {
	quoting := errors.New("Duplicate entry 'wx00000000000000a1-o-Ann-at-the-website' for key '+8613800138001'")
	fake := &fakeDatabase{rows: func(string, []driver.NamedValue) ([][]driver.Value, error) { return nil, quoting }}
	s := fake.store(t, MySQL)
	_, byWeChat := s.FindByWeChat(t.Context(), ann().Identity)
	_, byPhone := s.FindByPhone(t.Context(), ann().Phone)
	for method, err := range map[string]error{
		"FindByWeChat": byWeChat,
		"FindByPhone":  byPhone,
		"LinkWeChat":   s.LinkWeChat(t.Context(), "17", ann().Identity),
		"BindPhone":    s.BindPhone(t.Context(), "17", ann().Phone),
	} {
		if err == nil || errors.Is(err, scangate.ErrNotFound) || errors.Is(err, quoting) {
			t.Errorf("%s: error = %v, want one that does not wrap the database's", method, err)
			continue
		}
		if text := err.Error(); strings.Contains(text, "8613800138001") || strings.Contains(text, "o-Ann") {
			t.Errorf("%s: error = %v, want no OpenID and no phone number in it", method, err)
		}
	}
	// No argument of FindByID is secret, so its error keeps the cause.
	if _, err := s.FindByID(t.Context(), "17"); !errors.Is(err, quoting) {
		t.Errorf("FindByID: error = %v, want it to wrap %v", err, quoting)
	}
}

func TestErrorsAreOneLine(t *testing.T) {
	lines := []string{"failed to connect:", "127.0.0.1:5432: refused\r", "[::1]:5432: refused"}
	listing := errors.New(strings.Join(lines, "\n\t"))
	fake := &fakeDatabase{rows: func(string, []driver.NamedValue) ([][]driver.Value, error) { return nil, listing }}
	_, err := fake.store(t, PostgreSQL).FindByID(t.Context(), "17")
	const want = "sqlstore: finding a user by ID: failed to connect: 127.0.0.1:5432: refused [::1]:5432: refused"
	if !errors.Is(err, listing) || err.Error() != want {
		t.Errorf("FindByID: error = %q, want %q", err, want)
	}
}

func TestQuotes(t *testing.T) {
	const openID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
	for _, c := range []struct {
		name    string
		message string
		secret  string
		want    bool
	}{
		{"whole", "Duplicate entry 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o' for key 'PRIMARY'", openID, true},
		{"cut short", "Duplicate entry 'oUpF8uM", openID, true},
		{"partly escaped", `value oUpF8uMuAJO\x5fM2`, openID, true},
		{"short secret", "no such o1", "o1", true},
		{"unrelated message", "UNIQUE constraint failed: scangate_identities.app_id", openID, false},
		{"empty secret", "database is locked", "", false},
	} {
		if got := quotes(c.message, []string{"", c.secret}); got != c.want {
			t.Errorf("%s: quotes(%q, %q) = %t, want %t", c.name, c.message, c.secret, got, c.want)
		}
	}
}
