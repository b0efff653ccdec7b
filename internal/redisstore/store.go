// Package redisstore keeps users and the state of logins in Redis. The root package's
// RedisStore wraps it and documents how to set up Redis.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/scangate/scangate/internal/redisconn"
	"github.com/scangate/scangate/internal/state"
)

// errClosed reaches the application as it is, hence the prefix.
var errClosed = errors.New("scangate: Redis: the store is closed")

// Store keeps users and the state of logins. Stores of one prefix on one server are
// the same store.
type Store struct {
	conn    *redisconn.Client
	tag     string // begins all keys
	scripts scripts

	fresh        *redisconn.Client // for deliver while it distrusts the pool
	distrust     atomic.Int64      // until when deliver does, in nanoseconds since 1970
	waits        waits
	subscription *redisconn.Outage
	check        func()             // notes in the background whether Redis is there
	stop         context.CancelFunc // ends the store's goroutines
	goroutines   sync.WaitGroup
}

// scripts are the scripts of a store. Redis runs each as one step.
type scripts struct {
	create, update, add                                  *redisconn.Script
	find, register, link, unlink, bindPhone, endSessions *redisconn.Script
	deleteUser                                           *redisconn.Script
}

// New returns a store whose keys begin with the prefix in braces. The prefix must be
// valid, see [ValidPrefix].
func New(conn *redisconn.Client, prefix string) *Store {
	ctx, stop := context.WithCancel(context.Background())
	// The braces are a hash tag: a cluster keeps all keys of the store in one slot.
	s := &Store{conn: conn, tag: "{" + prefix + "}:", stop: stop}
	s.check = func() { s.goroutines.Go(func() { conn.Check(ctx) }) }
	if conn.Outage == nil {
		conn.Outage = redisconn.NewOutage(redisconn.OutageTexts{
			Never: "scangate: started without Redis",
			Began: "scangate: Redis went away",
			Ended: "scangate: Redis is back",
		})
	}
	s.fresh = conn.Fresh()
	s.subscription = redisconn.NewOutage(redisconn.OutageTexts{
		Never: "scangate: the subscription to Redis failed",
		Began: "scangate: the subscription to Redis broke",
		Ended: "scangate: the subscription to Redis was restored",
	})
	s.scripts = scripts{
		create:      redisconn.NewScript(luaCreate),
		update:      redisconn.NewScript(luaUpdate),
		add:         redisconn.NewScript(luaAdd),
		find:        redisconn.NewScript(luaOwner + luaFind),
		register:    redisconn.NewScript(luaOwner + luaRegister),
		link:        redisconn.NewScript(luaOwner + luaLink),
		unlink:      redisconn.NewScript(luaUnlink),
		bindPhone:   redisconn.NewScript(luaOwner + luaBindPhone),
		endSessions: redisconn.NewScript(luaEndSessions),
		deleteUser:  redisconn.NewScript(luaDelete),
	}
	s.waits.init(func() {
		s.goroutines.Go(func() { s.listen(ctx) })
		s.goroutines.Go(func() { s.deliver(ctx) })
	})
	return s
}

// LogTo makes the store log when Redis or the subscription goes away and when it is
// back, to the first logger given. It checks in the background whether Redis is there.
func (s *Store) LogTo(logger *slog.Logger) {
	if s.conn.Outage.LogTo(logger) && s.subscription.LogTo(logger) {
		s.waits.unlessClosed(s.check)
	}
}

// Outage returns what the store has noticed about Redis. Other users of the same Redis
// may share it.
func (s *Store) Outage() *redisconn.Outage { return s.conn.Outage }

// ValidPrefix reports whether the prefix consists of letters, digits and "-_:".
func ValidPrefix(prefix string) bool {
	return !strings.ContainsFunc(prefix, func(c rune) bool {
		// A brace would begin another hash tag; "*", "?" and "[" would be a pattern in
		// the rules of a Redis user.
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_:", c)
	})
}

// Close ends all calls of Wait with an error, and those to come unless the record has
// changed already. All other methods still work. It returns when the store's goroutines
// have ended, which takes no longer than their last call to Redis. Closing again does
// nothing.
func (s *Store) Close() {
	s.waits.close()
	s.stop()
	s.goroutines.Wait()
}

// key returns the Redis key of a name among the names of its kind. A name may be any
// bytes: no kind contains a colon, so two names never share a key.
func (s *Store) key(kind, name string) string { return s.tag + kind + ":" + name }

// channel returns the channel on which Update publishes the Redis key of each record
// that it changes.
func (s *Store) channel() string { return s.tag + "changed" }

// change runs a script that answers with one word.
func (s *Store) change(ctx context.Context, doing string, script *redisconn.Script, keys []string, args ...any) error {
	reply, err := s.conn.WriteScript(ctx, script, keys, args...)
	if err != nil {
		return failure(doing, err)
	}
	switch word, _ := text(reply); word {
	case "ok":
		return nil
	case "not found":
		return state.ErrNotFound
	case "exists":
		return state.ErrExists
	case "conflict":
		return state.ErrConflict
	case "identity taken":
		return state.ErrIdentityTaken
	case "phone taken":
		return state.ErrPhoneTaken
	}
	return failure(doing, redisconn.ErrReply)
}

// failure returns err as the store's methods return it. The result is nil if err is.
func failure(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("scangate: Redis: %s: %w", doing, err)
}

// text returns a reply that is a string.
func text(reply any) (string, bool) {
	switch reply := reply.(type) {
	case string:
		return reply, true
	case []byte:
		return string(reply), true
	}
	return "", false
}

// data returns a reply that is a string, as bytes.
func data(reply any) ([]byte, bool) {
	switch reply := reply.(type) {
	case string:
		return []byte(reply), true
	case []byte:
		return reply, true
	}
	return nil, false
}
