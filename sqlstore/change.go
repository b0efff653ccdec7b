package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/scangate/scangate"
)

// tries is how often a change is begun, and the pauses between are random ones of
// up to firstPause, twice that, and so on up to longestPause: half a second in
// all.
const (
	tries        = 10
	firstPause   = 4 * time.Millisecond
	longestPause = 200 * time.Millisecond
)

// errUnfit says that a value is such that no column can hold it.
var errUnfit = errors.New("a value is too long, empty or no text")

// change calls f in a transaction, and in another one if that fails. So whatever f
// does has to begin by reading: what was in its way, it then sees. Texts are what
// no error may quote.
func (s *Store) change(ctx context.Context, doing string, texts []string, f func(*sql.Tx) error) error {
	return s.retry(ctx, doing, texts, func() error {
		tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: s.dialect.isolation})
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // nothing after Commit
		if s.query.begin != "" {
			if _, err := tx.ExecContext(ctx, s.query.begin); err != nil {
				return err
			}
		}
		if err := f(tx); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// changeUser is change for one user, whose row f finds locked.
func (s *Store) changeUser(ctx context.Context, id, doing string, texts []string, f func(*sql.Tx) error) error {
	return s.change(ctx, doing, texts, func(tx *sql.Tx) error {
		var locked string
		err := tx.QueryRowContext(ctx, s.query.lock, key(id)).Scan(&locked)
		if errors.Is(err, sql.ErrNoRows) {
			return scangate.ErrNotFound
		}
		if err != nil {
			return err
		}
		return f(tx)
	})
}

// retry calls f until it ends otherwise than by a failure of the database. Drivers
// have no common way to tell a deadlock, a busy database or a duplicate from what
// won't pass; a few useless tries do no harm.
func (s *Store) retry(ctx context.Context, doing string, texts []string, f func() error) error {
	for try := 1; ; try++ {
		err := f()
		switch {
		case err == nil:
			return nil
		case errors.Is(err, scangate.ErrNotFound), errors.Is(err, scangate.ErrIdentityTaken), errors.Is(err, scangate.ErrPhoneTaken):
			return err
		case try == tries, errors.Is(err, errUnfit), unreachable(err), !pause(ctx, try):
			return failure(ctx, doing, err, texts)
		}
	}
}

// unreachable reports whether err is the network's.
func unreachable(err error) bool {
	var n net.Error
	return errors.As(err, &n)
}

// pause waits before the next try. It reports false if the context ends first.
func pause(ctx context.Context, try int) bool {
	longest := min(firstPause<<(try-1), longestPause)
	timer := time.NewTimer(rand.N(longest)) // #nosec G404 -- no secret
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// missOr is what a look-up returns for an error: ErrNotFound for sql.ErrNoRows.
func missOr(ctx context.Context, doing string, err error, texts []string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return scangate.ErrNotFound
	}
	return failure(ctx, doing, err, texts)
}

// failure is what a method returns for an error of the database. Some drivers'
// errors quote the values that they are about; those are left out.
func failure(ctx context.Context, doing string, err error, texts []string) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("sqlstore: %s: %w", doing, ctx.Err())
	case quotes(err.Error(), texts):
		return fmt.Errorf("sqlstore: %s: the database's error is withheld, as it quotes a value", doing)
	}
	return fmt.Errorf("sqlstore: %s: %w", doing, err)
}

// quotes reports whether a message holds one of the texts, or as much of one as
// an error that cuts it short, or escapes some of it, leaves.
func quotes(message string, texts []string) bool {
	const run = 6
	for _, text := range texts {
		for i := 0; text != "" && i <= max(0, len(text)-run); i++ {
			if strings.Contains(message, text[i:min(len(text), i+run)]) {
				return true
			}
		}
	}
	return false
}
