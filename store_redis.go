package scangate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/scangate/scangate/internal/redisconn"
	"github.com/scangate/scangate/internal/redisstore"
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
// Each method takes a connection from the pool for one command and gives up after 3
// seconds. Set DialContext with limits for connecting, reading and writing, because the
// pool also uses connections by itself. Without limits a network outage blocks requests
// until the operating system's TCP timeout. Set MaxActive and leave Wait false: an
// overload is then an error at once instead of a queue. Set a TestOnBorrow that sends
// PING on connections idle for more than a second. It finds the connections that a
// restart of Redis has cut; without it each of them may make one change fail. The store retries a
// read on another connection. It does not retry a change, and an error of a change leaves
// open whether the change was made.
//
// Besides the pool's connections, a process has one connection that listens for changes of
// the logins for which its browsers wait. Redis sends it nothing else, so that the cost of
// a change does not depend on the number of processes.
// The first [RedisStore.Wait] makes it, by the pool's DialContext or Dial. When it breaks,
// the store makes it again and keeps trying until that succeeds. For a minute after a
// connection has died without a sign, the store also makes a new one each time it reads the
// changes. A waiting call holds no connection. Connections must be [redis.ConnWithTimeout],
// as those of redis.Dial are.
//
// With Sentinel, DialContext asks Sentinel for the master and dials it. If a replica
// refuses a change, the store closes that connection, so that the next one leads to the
// new master. Sentinel cuts off the clients of a master that it demotes. An operator who
// demotes a master by hand has to do the same (CLIENT KILL), or some processes keep
// reading from a replica.
//
// # Redis
//
// Any server with the commands and Lua scripts of Redis 5 works; tests run on Redis 7.
// From Redis 6.2 on, the application's Redis user may be restricted. For the prefix
// "scangate":
//
//	ACL SETUSER app on >password ~{scangate}:* &{scangate}:wake:* +ping
//		+eval +evalsha +exists +get +set +del +incr +pexpire
//		+hget +hset +hdel +hmget +hgetall +publish +subscribe
//
// Messages on the channels {scangate}:wake:* contain records of logins. No other Redis user
// may read or write these channels: before Redis 7, a new Redis user may use all channels
// unless acl-pubsub-default is resetchannels. During an update from a version that listened
// to {scangate}:changed, allow both. Processes of the two versions do not wake each other:
// a browser then sees a change made at the other version only with its next poll, within
// 25 seconds.
//
// A Redis Cluster is not supported. The module goredis, over go-redis, works on one.
//
// # Users in Redis
//
// Logins last minutes, and may be lost with the server. Users may not be lost. Redis
// keeps them through a restart only with appendonly yes. A crash loses the users of the
// last second unless appendfsync is always (the default is everysec), and a failover to
// a replica may lose the last changes as well. A lost user is registered anew at the next
// login, as another user with another ID, and a lost [RedisStore.EndSessions] did not
// happen. Set maxmemory-policy to noeviction: the allkeys policies delete users, and the
// volatile ones end logins early. An application that has a database already keeps its
// users there: give it as [Config.Users].
//
// A user is the hash {scangate}:user:ID, with the fields nickname, avatar_url, phone,
// disabled ("1" disables), sessions_ended_at (in microseconds since 1970), and
// openid:APPID and unionid:APPID for each identity. You may set the first two and
// disabled by hand. Deleting the hash deletes the user and frees the identities and the
// number; [RedisStore.Delete] also removes the keys that lead to it.
type RedisStore struct {
	store *redisstore.Store
}

// NewRedisStore returns a RedisStore on the pool. The caller closes the pool, after the
// store. All keys begin with the prefix in braces. The prefix consists of letters,
// digits and "-_:"; empty means "scangate". Stores of one prefix on one server are the
// same store.
func NewRedisStore(pool *redis.Pool, prefix string) (*RedisStore, error) {
	return newRedisStore(&redisconn.Client{Pool: pool}, prefix)
}

// newRedisStore is NewRedisStore with other time limits than the default ones.
func newRedisStore(conn *redisconn.Client, prefix string) (*RedisStore, error) {
	if conn.Pool == nil || conn.Pool.Dial == nil && conn.Pool.DialContext == nil {
		return nil, errors.New("scangate: NewRedisStore: the pool has neither DialContext nor Dial")
	}
	prefix = cmp.Or(prefix, "scangate")
	if !redisstore.ValidPrefix(prefix) {
		return nil, fmt.Errorf("scangate: NewRedisStore: the prefix %q has more than letters, digits and \"-_:\"", prefix)
	}
	return &RedisStore{store: redisstore.New(conn, prefix)}, nil
}

// Close ends the listening and, with an error, all calls of [RedisStore.Wait]. Later
// calls of Wait get that error too, unless the record has changed already. All other
// methods still work. Close returns when the store's goroutines have ended, which takes
// no longer than their last call to Redis. Its error is always nil, and closing again
// does nothing.
func (r *RedisStore) Close() error {
	r.store.Close()
	return nil
}

// logTo makes the store log changes of its connection to Redis, unless another gate's
// logger gets them already.
func (r *RedisStore) logTo(logger *slog.Logger) { r.store.LogTo(logger) }

// Create implements [StateStore].
func (r *RedisStore) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return r.store.Create(ctx, key, value, ttl)
}

// Load implements [StateStore]. It is one command.
func (r *RedisStore) Load(ctx context.Context, key string) (value []byte, version int64, err error) {
	return r.store.Load(ctx, key)
}

// Update implements [StateStore]. It is one script: if two processes update the same
// version, one of them gets ErrConflict.
func (r *RedisStore) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	return r.store.Update(ctx, key, version, value, ttl)
}

// Wait implements [StateStore]. A waiting call holds no connection. If Redis is
// unavailable, Wait keeps waiting. Within two seconds of Redis being back, it returns
// any change made meanwhile. The listening connection may die without a sign, as in an
// outage of the network. Wait then returns a change at most 9 seconds late: the store
// sends PING every 5 seconds and waits 3 seconds for the answer. The time measured was
// 8.0 seconds. Wait notices only when ctx ends that a record has expired.
func (r *RedisStore) Wait(ctx context.Context, key string, version int64) (value []byte, newer int64, err error) {
	return r.store.Wait(ctx, key, version)
}

// Add implements [StateStore]. The counter is a key of its own, which expires with its
// window.
func (r *RedisStore) Add(ctx context.Context, key string, window time.Duration) (int64, error) {
	return r.store.Add(ctx, key, window)
}

// FindByID implements [UserStore]. It is one command.
func (r *RedisStore) FindByID(ctx context.Context, id string) (User, error) {
	user, err := r.store.FindByID(ctx, id)
	return fromRedisUser(user), err
}

// FindByWeChat implements [UserStore]. It is one script, so it never returns a user
// that is half changed.
func (r *RedisStore) FindByWeChat(ctx context.Context, who Identity) (User, error) {
	user, err := r.store.FindByWeChat(ctx, redisstore.Identity(who))
	return fromRedisUser(user), err
}

// FindByPhone implements [UserStore]. It is one script too.
func (r *RedisStore) FindByPhone(ctx context.Context, phone string) (User, error) {
	user, err := r.store.FindByPhone(ctx, phone)
	return fromRedisUser(user), err
}

// Register implements [UserStore]. The process makes the ID, at random, so that an ID
// is never given again even if Redis loses its data.
func (r *RedisStore) Register(ctx context.Context, who NewUser) (User, error) {
	user, err := r.store.Register(ctx, redisstore.NewUser{
		Identity:  redisstore.Identity(who.Identity),
		Phone:     who.Phone,
		Nickname:  who.Nickname,
		AvatarURL: who.AvatarURL,
	})
	return fromRedisUser(user), err
}

// LinkWeChat implements [UserStore]. Each user has one OpenID at each AppID.
func (r *RedisStore) LinkWeChat(ctx context.Context, id string, who Identity) error {
	return r.store.LinkWeChat(ctx, id, redisstore.Identity(who))
}

// UnlinkWeChat implements [UserStore]. A UnionID is free once none of the user's
// identities has it.
func (r *RedisStore) UnlinkWeChat(ctx context.Context, id string, who Identity) error {
	return r.store.UnlinkWeChat(ctx, id, redisstore.Identity(who))
}

// BindPhone implements [UserStore]. The same step frees the earlier number.
func (r *RedisStore) BindPhone(ctx context.Context, id, phone string) error {
	return r.store.BindPhone(ctx, id, phone)
}

// EndSessions implements [UserStore]. Times are exact to the microsecond up to the year
// 2255.
func (r *RedisStore) EndSessions(ctx context.Context, id string, before time.Time) error {
	return r.store.EndSessions(ctx, id, before)
}

// Delete deletes the user and frees the identities and the phone number, which ends the
// sessions. It returns ErrNotFound if there is no such user. A gate with [Config.UserTTL]
// may still accept a session for that long: call [Gate.EndSessions] first if that is too
// long.
func (r *RedisStore) Delete(ctx context.Context, id string) error {
	return r.store.Delete(ctx, id)
}

// fromRedisUser returns the user of the inner package as a [User].
func fromRedisUser(user redisstore.User) User {
	var identities []Identity
	for _, identity := range user.Identities {
		identities = append(identities, Identity(identity))
	}
	return User{
		ID:              user.ID,
		Nickname:        user.Nickname,
		AvatarURL:       user.AvatarURL,
		Phone:           user.Phone,
		Disabled:        user.Disabled,
		SessionsEndedAt: user.SessionsEndedAt,
		Identities:      identities,
	}
}
