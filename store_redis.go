package scangate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"
)

// What a RedisStore allows.
const (
	redisLimit    = 3 * time.Second  // for one call, with getting a connection
	redisPing     = 15 * time.Second // between signs of life on the connection that listens
	redisMinPause = 50 * time.Millisecond
	redisMaxPause = time.Second // before trying again what failed
	redisBatch    = 256         // records read in one go
)

var (
	_ UserStore  = (*RedisStore)(nil)
	_ StateStore = (*RedisStore)(nil)
)

// RedisStore keeps users and the state of logins in Redis, for any number of
// processes that share it.
//
// # The pool
//
// Each method takes a connection from the pool for one command, and gives up
// after 3 seconds. Set DialContext with limits for connecting, reading and
// writing, for what the pool does by itself: an outage of the network else
// blocks a request for as long as the system has patience. Set MaxActive, and
// leave Wait false: an overload is then an error at once, and no queue. A
// TestOnBorrow that sends PING on connections idle for more than a second finds
// those that a restart of Redis has cut; without it each of them costs one call
// an error. A read is tried again on another connection; a change is not, and its
// error leaves open whether it was made.
//
// Besides the pool's, a process has one connection that listens for changes,
// made by the pool's DialContext or Dial with the first [RedisStore.Wait], and
// made again for as long as it takes when it breaks. Those who wait hold none.
// Connections have to be [redis.ConnWithTimeout], as those of redis.Dial are.
//
// With Sentinel, DialContext asks it for the master and dials that. A connection
// on which a change is refused by a replica is closed, so that the next one is the
// new master's. Sentinel cuts off the clients of a master that it demotes; who
// does it by hand has to as well (CLIENT KILL), or some read at a replica.
//
// # Redis
//
// Any server with Redis 5's commands and Lua scripts serves; tests run on Redis 7.
// Its user may be restricted, from Redis 6.2 on, here for the prefix "scangate":
//
//	ACL SETUSER app on >password ~{scangate}:* &{scangate}:changed +ping
//		+eval +evalsha +exists +get +set +del +incr +pexpire
//		+hget +hset +hdel +hmget +hgetall +publish +subscribe
//
// All keys of a store carry one hash tag, so a cluster has them in one slot,
// where the pool has to lead; redirections are not followed. Sessions in
// scs/redisstore do not work on a cluster.
//
// # Users in Redis
//
// Logins are minutes long, and may be lost with the server. Users may not: Redis
// keeps them through a restart only with appendonly yes, and loses those of the
// last second in a crash unless appendfsync is always (everysec is the default);
// a failover to a replica may lose the last changes as well. Who is lost is
// registered anew at the next login, as another user with another ID, and a
// sign-out that is lost did not happen. Set maxmemory-policy to noeviction: the
// allkeys policies delete users, the volatile ones end logins early. An
// application that has a database already keeps its users there: give it as
// [Config.Users].
//
// A user is the hash {scangate}:user:ID, with the fields nickname, avatar_url,
// phone, disabled ("1" bars), sessions_ended_at (in microseconds since 1970), and
// openid:APPID and unionid:APPID for each identity. The first two and disabled may
// be set by hand. Deleting the hash deletes the user: the identities and the
// number are free from then on.
type RedisStore struct {
	pool    *redis.Pool
	tag     string // what all keys begin with
	limit   time.Duration
	ping    time.Duration
	scripts redisScripts

	waits     redisWaits
	stop      context.CancelFunc // ends the listening
	listening sync.WaitGroup
}

// redisScripts are the Lua scripts. Redis runs each as one step, and knows it by
// its hash: the text is sent only to a server that has lost it, or never had it.
type redisScripts struct {
	create, update, add                                  *redis.Script
	find, register, link, unlink, bindPhone, endSessions *redis.Script
}

// NewRedisStore returns a RedisStore on the pool, which stays the caller's to
// close. All keys begin with the prefix in braces; it is made of letters, digits
// and "-_:", and empty means "scangate". Stores of one prefix on one server are
// the same store.
func NewRedisStore(pool *redis.Pool, prefix string) (*RedisStore, error) {
	if pool == nil || pool.Dial == nil && pool.DialContext == nil {
		return nil, errors.New("scangate: NewRedisStore: the pool has neither DialContext nor Dial")
	}
	setDefault(&prefix, "scangate")
	if strings.ContainsFunc(prefix, outsideRedisPrefix) {
		return nil, fmt.Errorf("scangate: NewRedisStore: the prefix %q has more than letters, digits and \"-_:\"", prefix)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &RedisStore{pool: pool, tag: "{" + prefix + "}:", limit: redisLimit, ping: redisPing, stop: stop}
	r.scripts = redisScripts{
		create:      redis.NewScript(1, luaCreate),
		update:      redis.NewScript(1, luaUpdate),
		add:         redis.NewScript(1, luaAdd),
		find:        redis.NewScript(-1, luaOwner+luaFind),
		register:    redis.NewScript(4, luaOwner+luaRegister),
		link:        redis.NewScript(3, luaOwner+luaLink),
		unlink:      redis.NewScript(2, luaUnlink),
		bindPhone:   redis.NewScript(2, luaOwner+luaBindPhone),
		endSessions: redis.NewScript(1, luaEndSessions),
	}
	r.waits.init(func() {
		r.listening.Go(func() { r.listen(ctx) })
		r.listening.Go(func() { r.deliver(ctx) })
	})
	return r, nil
}

// outsideRedisPrefix reports whether a prefix may not have c. A brace would be another
// hash tag, and "*", "?" and "[" another pattern of an ACL.
func outsideRedisPrefix(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_:", c)
}

// Close ends the listening, and with an error all that wait, also those to come;
// all other methods still work. It returns when its goroutines have ended, which
// takes as long as their last call to Redis at most. Its error is always nil, and
// closing again does nothing.
func (r *RedisStore) Close() error {
	r.waits.close()
	r.stop()
	r.listening.Wait()
	return nil
}

// key is the Redis key of what the name stands for among its kind. A name is any
// bytes: no kind has a colon, so no two are the same key.
func (r *RedisStore) key(kind, name string) string { return r.tag + kind + ":" + name }

// channel is where changes are told, each by the key of the record.
func (r *RedisStore) channel() string { return r.tag + "changed" }

// redisCall is what is done with a connection. It may use Do without a limit of
// its own, and has to leave no answer unread.
type redisCall func(redis.Conn) (any, error)

// redisCommand is one command.
func redisCommand(name string, args ...any) redisCall {
	return func(conn redis.Conn) (any, error) { return conn.Do(name, args...) }
}

// redisScript is one script: two commands, if the server does not know it.
func redisScript(script *redis.Script, keysAndArgs ...any) redisCall {
	return func(conn redis.Conn) (any, error) { return script.Do(conn, keysAndArgs...) }
}

// read makes a call that changes nothing. After an outage the pool's idle
// connections are broken: read goes through them to one that is not.
func (r *RedisStore) read(ctx context.Context, doing string, call redisCall) (any, error) {
	limited, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	idle := r.pool.IdleCount()
	reply, broken, err := r.try(limited, call)
	for ; broken && idle > 0; idle-- {
		reply, broken, err = r.try(limited, call)
	}
	return reply, redisFailure(ctx, doing, err)
}

// write makes a call once, for what it changes must not be changed twice. A
// connection that breaks under it has it fail, whether the change was made or not.
func (r *RedisStore) write(ctx context.Context, doing string, call redisCall) (any, error) {
	limited, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	reply, _, err := r.try(limited, call)
	return reply, redisFailure(ctx, doing, err)
}

// change makes a call of a script that answers by a word.
func (r *RedisStore) change(ctx context.Context, doing string, script *redis.Script, keysAndArgs ...any) error {
	reply, err := r.write(ctx, doing, redisScript(script, keysAndArgs...))
	if err != nil {
		return err
	}
	switch word, _ := redis.String(reply, nil); word {
	case "ok":
		return nil
	case "not found":
		return ErrNotFound
	case "exists":
		return ErrExists
	case "conflict":
		return ErrConflict
	case "identity taken":
		return ErrIdentityTaken
	case "phone taken":
		return ErrPhoneTaken
	}
	return redisFailure(ctx, doing, errRedisAnswer)
}

// try makes a call on one connection of the pool, and reports whether that one
// turned out to be broken.
//
// The call is never given ctx: redigo closes the connection of a context that
// ends, and a request whose browser has gone is no reason to. Its deadline counts.
func (r *RedisStore) try(ctx context.Context, call redisCall) (reply any, broken bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	conn, err := r.pool.GetContext(ctx)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	reply, err = call(limitedConn{conn, deadline})
	if refused := redis.Error(""); errors.As(err, &refused) && strings.HasPrefix(string(refused), "READONLY") {
		// It leads to what is the master no longer. The pool drops a connection
		// on which a read has failed.
		_, _ = redis.ReceiveWithTimeout(conn, time.Nanosecond)
		return nil, false, err
	}
	return reply, conn.Err() != nil, err
}

// limitedConn is a connection whose commands end by a deadline.
type limitedConn struct {
	redis.Conn
	deadline time.Time
}

// Do implements [redis.Conn].
func (c limitedConn) Do(command string, args ...any) (any, error) {
	return redis.DoWithTimeout(c.Conn, max(time.Until(c.deadline), time.Nanosecond), command, args...)
}

// dial makes a connection as the pool's are made, but outside of it: one that is
// kept for good would take a place there, and the pool's limit could keep it from
// ever getting one.
func dial(ctx context.Context, pool *redis.Pool) (redis.Conn, error) {
	if pool.DialContext != nil {
		return pool.DialContext(ctx)
	}
	return pool.Dial()
}

// What is wrong with Redis, where it does not say so itself.
var (
	errRedisSlow   = errors.New("no answer in time")
	errRedisAnswer = errors.New("an answer that makes no sense")
	errRedisClosed = errors.New("scangate: Redis: the store is closed")
)

// redisFailure is err as the store's methods return it. It is a context's error
// only if ctx has ended: a time limit of Redis's own, which in Go is one too,
// would look like the caller's.
func redisFailure(ctx context.Context, doing string, err error) error {
	var refused redis.Error
	var address *url.Error
	switch {
	case err == nil:
		return nil
	case ended(ctx) != nil:
		err = ended(ctx)
	case errors.As(err, &refused):
		err = unquoted(refused)
	case isTimeout(err):
		err = errRedisSlow
	case errors.As(err, &address): // the URL holds the password
		err = address.Err
	}
	return fmt.Errorf("scangate: Redis: %s: %w", doing, err)
}

// ended is ctx.Err(), also for the moment between a deadline and its context's
// noticing.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// isTimeout reports whether a limit of Redis's own was met.
func isTimeout(err error) bool {
	var limit net.Error
	return errors.As(err, &limit) && limit.Timeout() || errors.Is(err, context.Canceled)
}

// unquoted is what Redis said up to where it begins to quote, for that may be the
// arguments of a command.
func unquoted(refused redis.Error) redis.Error {
	text := string(refused)
	for _, quote := range []string{" '", " `", ` "`, ", with args"} {
		text, _, _ = strings.Cut(text, quote)
	}
	return redis.Error(text)
}

// redisPause is how long to wait before trying again: longer each time, and
// never for exactly as long as other processes do.
type redisPause struct{ last time.Duration }

// reset makes the next pause a short one again.
func (p *redisPause) reset() { p.last = 0 }

// sleep returns when the pause is over, or ctx.
func (p *redisPause) sleep(ctx context.Context) {
	p.last = min(max(2*p.last, redisMinPause), redisMaxPause)
	timer := time.NewTimer(p.last/2 + rand.N(p.last/2)) //nolint:gosec // no secret
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
