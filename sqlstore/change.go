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

// A change is attempted at most maxAttempts times. The pauses in between are random: up
// to firstPause, then up to twice that, and so on up to longestPause. Together they take
// 0.4 s on average and 0.9 s at most.
const (
	maxAttempts  = 10
	firstPause   = 4 * time.Millisecond
	longestPause = 200 * time.Millisecond
)

// errInvalid is the error for a value that the columns cannot hold.
var errInvalid = errors.New("a value is empty, too long or not UTF-8 without U+0000")

// errNoPhones is the error for a phone number if the table has no column for it.
var errNoPhones = errors.New("Table.Phone is empty, so the store keeps no phone numbers")

// errNoID is the error if the database makes no ID for a new row.
var errNoID = errors.New("the database made no ID: set Table.NewID")

// errNotUser is the error if a new row is not a user's.
var errNotUser = errors.New("the new row does not fulfill Table.Where: see Table.Insert")

// errTwoOwners is the error of a look-up if the table's column of phone numbers is not
// unique.
var errTwoOwners = errors.New("several users have the phone number")

// change runs f in a transaction, and again in a new one if that fails. f must read
// before it writes: a repeated call then sees the rows that another transaction has
// committed in the meantime. No error of change quotes any of secrets.
func (s *Store) change(ctx context.Context, doing string, secrets []string, f func(*sql.Tx) error) error {
	return s.retry(ctx, doing, secrets, func() error {
		tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: s.isolation})
		if err != nil {
			return err
		}
		// After Commit, Rollback does nothing. Before it, the error of f or Commit
		// matters more than that of Rollback.
		defer func() { _ = tx.Rollback() }()
		if s.query.firstWrite != "" {
			if _, err := tx.ExecContext(ctx, s.query.firstWrite); err != nil {
				return err
			}
		}
		if err := f(tx); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// changeUser is change for one user, whose row is locked while f runs. It returns
// ErrNotFound if there is no such user.
func (s *Store) changeUser(ctx context.Context, id, doing string, secrets []string, f func(*sql.Tx) error) error {
	return s.change(ctx, doing, secrets, func(tx *sql.Tx) error {
		// The lock makes changes of one user wait for each other. On SQLite the
		// transaction's first write has locked the entire database.
		var locked string
		err := tx.QueryRowContext(ctx, s.query.lockUser, s.userID(id)).Scan(&locked)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return scangate.ErrNotFound
		case err != nil:
			return err
		case locked != id:
			// The column's collation takes one text for another.
			return scangate.ErrNotFound
		}
		return f(tx)
	})
}

// retry calls f until it succeeds, its error is final, or the attempts are used up.
func (s *Store) retry(ctx context.Context, doing string, secrets []string, f func() error) error {
	for attempt := 1; ; attempt++ {
		err := f()
		switch {
		case err == nil:
			return nil
		case errors.Is(err, scangate.ErrNotFound), errors.Is(err, scangate.ErrIdentityTaken), errors.Is(err, scangate.ErrPhoneTaken):
			// Returned as they are: they are the store's documented results.
			return err
		case permanent(err), unreachable(err):
			// The same values would be invalid again, and an unreachable database
			// could take a connection timeout for each attempt.
			return failure(ctx, doing, err, secrets)
		}
		// Drivers share no way to distinguish a deadlock, a busy database or a
		// duplicate row from a permanent failure. A few useless attempts do no harm.
		if attempt == maxAttempts || !pause(ctx, attempt) {
			return failure(ctx, doing, err, secrets)
		}
	}
}

// permanent reports whether err is one of the store's own.
func permanent(err error) bool {
	for _, own := range []error{errInvalid, errNoPhones, errNoID, errNotUser} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}

// unreachable reports whether err is a network error.
func unreachable(err error) bool {
	var network net.Error
	return errors.As(err, &network)
}

// pause waits before the next attempt. It reports false if the context ends first.
func pause(ctx context.Context, attempt int) bool {
	longest := min(firstPause<<(attempt-1), longestPause)
	// Random, so that transactions that failed because of each other do not meet again.
	timer := time.NewTimer(rand.N(longest)) //nolint:gosec // jitter may be predictable
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// lookupError returns the error of a failed look-up: ErrNotFound if the query found no
// row, and otherwise that of failure.
func lookupError(ctx context.Context, doing string, err error, secrets []string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return scangate.ErrNotFound
	}
	return failure(ctx, doing, err, secrets)
}

// failure returns the error of a method for one of the database. It leaves the
// database's error out if its text quotes any of secrets.
func failure(ctx context.Context, doing string, err error, secrets []string) error {
	switch {
	case ctx.Err() != nil:
		// Not every driver's error matches that of the context.
		return fmt.Errorf("sqlstore: %s: %w", doing, ctx.Err())
	case quotes(err.Error(), secrets):
		// Not wrapped either: a log that prints the chain would print the values.
		return fmt.Errorf("sqlstore: %s: the database's error is withheld because it quotes a value", doing)
	}
	return &callError{doing, err}
}

// callError annotates an error with what the Store was doing.
type callError struct {
	doing string
	err   error
}

// Error implements error. The text is one line.
func (e *callError) Error() string {
	// Some drivers list the addresses that they tried, one per line.
	lines := strings.FieldsFunc(e.err.Error(), func(c rune) bool { return c == '\n' || c == '\r' })
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return "sqlstore: " + e.doing + ": " + strings.Join(lines, " ")
}

// Unwrap returns the error without the annotation.
func (e *callError) Unwrap() error { return e.err }

// quotes reports whether message contains one of secrets, or a part of one.
func quotes(message string, secrets []string) bool {
	// An error may cut a value short or escape some of it. Six bytes in a row are few
	// enough to find the rest, and enough not to match by chance.
	const run = 6
	for _, secret := range secrets {
		for i := 0; secret != "" && i <= max(0, len(secret)-run); i++ {
			if strings.Contains(message, secret[i:min(len(secret), i+run)]) {
				return true
			}
		}
	}
	return false
}
