package scangate

import (
	"context"
	"time"

	"github.com/gomodule/redigo/redis"
)

// A record is a hash of its version and its value. Each update is told before it
// is made, in the same step: a channel that may not be written to then leaves
// nothing half done, and nobody can look before the step is over. A new record is
// told nobody: each message goes to every process, and nobody waits for it yet.
const (
	// luaCreate: KEYS record; ARGV value, ttl.
	luaCreate = `
if redis.call('EXISTS', KEYS[1]) == 1 then return 'exists' end
redis.call('HSET', KEYS[1], 'version', 1, 'value', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 'ok'`

	// luaUpdate: KEYS record; ARGV version, next version, value, ttl, channel.
	luaUpdate = `
local version = redis.call('HGET', KEYS[1], 'version')
if not version then return 'not found' end
if version ~= ARGV[1] then return 'conflict' end
redis.call('PUBLISH', ARGV[5], KEYS[1])
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'value', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 'ok'`

	// luaAdd: KEYS counter; ARGV window.
	luaAdd = `
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count`
)

// Create implements [StateStore].
func (r *RedisStore) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return r.change(ctx, "creating a record", r.scripts.create, r.key("state", key), value, redisTTL(ttl))
}

// Load implements [StateStore]. It is one command.
func (r *RedisStore) Load(ctx context.Context, key string) ([]byte, int64, error) {
	const doing = "loading a record"
	reply, err := r.read(ctx, doing, redisCommand("HMGET", r.key("state", key), "version", "value"))
	if err != nil {
		return nil, 0, err
	}
	record := asRedisRecord(ctx, doing, reply)
	return record.value, record.version, record.err
}

// Update implements [StateStore]. It is one script: of two processes that update
// the same version one finds the other's.
func (r *RedisStore) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	return r.change(ctx, "updating a record", r.scripts.update,
		r.key("state", key), version, version+1, value, redisTTL(ttl), r.channel())
}

// Wait implements [StateStore]. Who waits holds no connection. While Redis is
// away they wait on; within two seconds of its being back they know of every
// change made meanwhile. A record that goes is noticed when ctx ends.
func (r *RedisStore) Wait(ctx context.Context, key string, version int64) ([]byte, int64, error) {
	// First enter, then read: a change after the reading finds the waiter.
	w := r.waits.enter(r.key("state", key), version)
	defer r.waits.leave(w)
	value, newer, err := r.Load(ctx, key)
	if err != nil || newer != version {
		return value, newer, err
	}
	select {
	case record := <-w.result:
		return record.value, record.version, record.err
	case <-ctx.Done():
		return nil, 0, redisFailure(ctx, "waiting for a record", ctx.Err())
	}
}

// Add implements [StateStore]. The counter is Redis's own, which goes with its
// window.
func (r *RedisStore) Add(ctx context.Context, key string, window time.Duration) (int64, error) {
	const doing = "counting"
	reply, err := r.write(ctx, doing, redisScript(r.scripts.add, r.key("count", key), redisTTL(window)))
	if err != nil {
		return 0, err
	}
	count, ok := reply.(int64)
	if !ok {
		return 0, redisFailure(ctx, doing, errRedisAnswer)
	}
	return count, nil
}

// redisTTL is ttl in milliseconds, as PEXPIRE takes it. It is rounded up, and one
// at least, for to Redis zero means to delete.
func redisTTL(ttl time.Duration) int64 {
	ms := ttl.Milliseconds()
	if ms < 0 || time.Duration(ms)*time.Millisecond < ttl {
		ms++
	}
	return max(ms, 1)
}

// redisRecord is a record, or why there is none.
type redisRecord struct {
	value   []byte
	version int64
	err     error
}

// asRedisRecord is what HMGET key version value answered. Only a record that Redis
// says is not there is not found; one that makes no sense is a failure.
func asRedisRecord(ctx context.Context, doing string, reply any) redisRecord {
	fields, err := redis.Values(reply, nil)
	if err != nil || len(fields) != 2 {
		return redisRecord{err: redisFailure(ctx, doing, errRedisAnswer)}
	}
	if fields[0] == nil {
		return redisRecord{err: ErrNotFound}
	}
	version, err := redis.Int64(fields[0], nil)
	value, ok := fields[1].([]byte)
	if err != nil || !ok {
		return redisRecord{err: redisFailure(ctx, doing, errRedisAnswer)}
	}
	return redisRecord{value: value, version: version}
}
