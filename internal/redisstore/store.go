// Package redisstore keeps users and the state of logins in Redis. The root package's
// RedisStore and the module goredis wrap it, and document how to set up Redis.
package redisstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
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
	conn    redisconn.Transport
	prefix  string
	braced  string // begins all keys on one server
	scripts scripts
	id      string // of this process, at Redis; empty on a Cluster

	sharded  redisconn.Sharded     // nil unless Redis is a Cluster; the same as conn
	channels *redisconn.ChannelSet // of the records that have waiters, on a Cluster

	fresh        redisconn.Transport // for deliver while it distrusts the pool
	distrust     atomic.Int64        // until when deliver does, in nanoseconds since 1970
	waits        waits
	outage       *redisconn.Outage
	subscription *redisconn.Outage
	check        func()             // notes in the background whether Redis is there
	stop         context.CancelFunc // ends the store's goroutines
	goroutines   sync.WaitGroup
}

// scripts are the scripts of a store. Redis runs each as one step.
type scripts struct {
	create, update, quietUpdate, wait, leave, add        *redisconn.Script
	find, register, link, unlink, bindPhone, endSessions *redisconn.Script
	deleteUser                                           *redisconn.Script
}

// New returns a store on one server, whose keys begin with the prefix in braces. The
// prefix must be valid, see [ValidPrefix].
func New(conn redisconn.Transport, prefix string) *Store {
	s := newStore(conn, prefix)
	s.id = rand.Text()[:idLength]
	s.scripts.update = redisconn.NewScript(luaCheckVersion + luaReplace + luaWake + luaOK)
	s.start(s.listen, s.unregister)
	return s
}

// NewSharded returns a store on a Redis Cluster, which keeps no users. The name of each
// record decides its slot. The prefix must be valid, see [ValidPrefix].
func NewSharded(conn redisconn.Sharded, prefix string) *Store {
	s := newStore(conn, prefix)
	s.sharded, s.channels = conn, redisconn.NewChannelSet()
	s.scripts.update = redisconn.NewScript(luaCheckVersion + luaReplace + luaWakeSharded + luaOK)
	s.waits.watch, s.waits.unwatch = s.channels.Add, s.channels.Remove
	s.start(s.listenSharded)
	return s
}

// newStore returns a store without goroutines and without the script of Update.
func newStore(conn redisconn.Transport, prefix string) *Store {
	s := &Store{conn: conn, prefix: prefix, braced: "{" + prefix + "}:"}
	s.outage = redisconn.NewOutage(redisconn.OutageTexts{
		Never: "scangate: started without Redis",
		Began: "scangate: Redis went away",
		Ended: "scangate: Redis is back",
	})
	conn.NoteIn(s.outage)
	s.fresh = conn.Fresh()
	s.subscription = redisconn.NewOutage(redisconn.OutageTexts{
		Never: "scangate: the subscription to Redis failed",
		Began: "scangate: the subscription to Redis broke",
		Ended: "scangate: the subscription to Redis was restored",
	})
	s.scripts = scripts{
		create:      redisconn.NewScript(luaCreate),
		quietUpdate: redisconn.NewScript(luaCheckVersion + luaReplace + luaOK),
		wait:        redisconn.NewScript(luaWait),
		leave:       redisconn.NewScript(luaLeave),
		add:         redisconn.NewScript(luaAdd),
		find:        redisconn.NewScript(luaOwner + luaFind),
		register:    redisconn.NewScript(luaOwner + luaRegister),
		link:        redisconn.NewScript(luaOwner + luaLink),
		unlink:      redisconn.NewScript(luaUnlink),
		bindPhone:   redisconn.NewScript(luaOwner + luaBindPhone),
		endSessions: redisconn.NewScript(luaEndSessions),
		deleteUser:  redisconn.NewScript(luaDelete),
	}
	return s
}

// start prepares the goroutines, which the first waiter starts.
func (s *Store) start(work ...func(context.Context)) {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.check = func() { s.goroutines.Go(func() { s.conn.Check(ctx) }) }
	s.waits.init(func() {
		for _, work := range append(work, s.deliver) {
			s.goroutines.Go(func() { work(ctx) })
		}
	})
}

// LogTo makes the store log when Redis or the subscription goes away and when it is
// back, to the first logger given. It checks in the background whether Redis is there.
func (s *Store) LogTo(logger *slog.Logger) {
	if s.outage.LogTo(logger) && s.subscription.LogTo(logger) {
		s.waits.unlessClosed(s.check)
	}
}

// Outage returns what the store has noticed about Redis. Other users of the same Redis
// may share it.
func (s *Store) Outage() *redisconn.Outage { return s.outage }

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
func (s *Store) key(kind, name string) string { return s.tag(name) + kind + ":" + name }

// StateKey returns the Redis key of a record, which an operator may look up.
func (s *Store) StateKey(key string) string { return s.key("state", key) }

// tag returns the beginning of a name's keys. Its braces are a hash tag: keys with the
// same one are in the same slot of a Cluster.
func (s *Store) tag(name string) string {
	if s.sharded == nil {
		return s.braced
	}
	// A hash, because a name may contain braces. Two names with the same hash share a
	// slot, which does no harm.
	sum := sha256.Sum256([]byte(name))
	return "{" + s.prefix + ":" + hex.EncodeToString(sum[:4]) + "}:"
}

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
