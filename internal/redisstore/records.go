package redisstore

import (
	"context"
	"strconv"
	"time"

	"github.com/scangate/scangate/internal/redisconn"
	"github.com/scangate/scangate/internal/state"
)

// A record is a hash with the fields version and value and, while processes wait for it
// on one server, waiting.
const (
	// luaCreate: KEYS record; ARGV value, ttl.
	//
	// It does not publish: no one can be waiting for a new record.
	luaCreate = `
if redis.call('EXISTS', KEYS[1]) == 1 then return 'exists' end
redis.call('HSET', KEYS[1], 'version', 1, 'value', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 'ok'`

	// An update is luaCheckVersion and luaReplace: KEYS record; ARGV version, next
	// version, value, ttl. Unless it is quiet, luaWake or luaWakeSharded follows. Every
	// update ends with luaOK.
	luaCheckVersion = `
local version = redis.call('HGET', KEYS[1], 'version')
if not version then return 'not found' end
if version ~= ARGV[1] then return 'conflict' end`
	luaReplace = `
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'value', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])`
	// A Cluster sends each message of PUBLISH to every server. SPUBLISH reaches those
	// that have the channel's slot, which is the record's.
	luaWakeSharded = `
redis.call('SPUBLISH', KEYS[1], '')`
	luaOK = `
return 'ok'`

	// luaAdd: KEYS counter; ARGV window.
	luaAdd = `
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count`
)

// reading is what a failed read was about to do.
const reading = "loading a record"

// Create implements [state.Store].
func (s *Store) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return s.change(ctx, "creating a record", s.scripts.create, []string{s.key("state", key)}, value, milliseconds(ttl))
}

// Load implements [state.Store].
func (s *Store) Load(ctx context.Context, key string) ([]byte, int64, error) {
	reply, err := s.conn.ReadHash(ctx, s.key("state", key), "version", "value")
	if err != nil {
		return nil, 0, failure(reading, err)
	}
	r := parseRecord(reading, reply)
	return r.value, r.version, r.err
}

// Update implements [state.Store].
func (s *Store) Update(ctx context.Context, key string, version int64, value []byte, ttl time.Duration) error {
	script := s.scripts.update
	if state.IsQuiet(ctx) {
		script = s.scripts.quietUpdate
	}
	return s.change(ctx, "updating a record", script, []string{s.key("state", key)},
		version, version+1, value, milliseconds(ttl), s.wakeChannels())
}

// Wait implements [state.Store].
func (s *Store) Wait(ctx context.Context, key string, version int64) ([]byte, int64, error) {
	// Enter before reading: a change after the read then reaches the waiter.
	w := s.waits.enter(s.key("state", key), version)
	defer s.waits.leave(w)
	if w.reads {
		r := s.readFor(ctx, key, w)
		s.waits.settle(w, r)
		if r.err != nil || r.version != version {
			return r.value, r.version, r.err
		}
	} else if err := ctx.Err(); err != nil {
		return nil, 0, failure("waiting for a record", err)
	}
	select {
	case r := <-w.result:
		return r.value, r.version, r.err
	case <-ctx.Done():
		return nil, 0, failure("waiting for a record", ctx.Err())
	}
}

// readFor reads the record that a waiter has entered for. On one server it registers the
// process unless the record has another version than the waiter's.
func (s *Store) readFor(ctx context.Context, key string, w *waiter) record {
	if s.sharded != nil {
		value, version, err := s.Load(ctx, key)
		return record{value: value, version: version, err: err}
	}
	found, err := s.register(ctx, s.conn, w.registration, []known{{w.key, w.version}})
	if err != nil {
		return record{err: failure(reading, err)}
	}
	return found[0]
}

// Add implements [state.Store].
func (s *Store) Add(ctx context.Context, key string, window time.Duration) (int64, error) {
	const doing = "counting"
	reply, err := s.conn.WriteScript(ctx, s.scripts.add, []string{s.key("count", key)}, milliseconds(window))
	if err != nil {
		return 0, failure(doing, err)
	}
	count, ok := reply.(int64)
	if !ok {
		return 0, failure(doing, redisconn.ErrReply)
	}
	return count, nil
}

// milliseconds returns ttl for PEXPIRE. It rounds up and returns at least 1, because
// Redis deletes a key whose time is zero.
func milliseconds(ttl time.Duration) int64 {
	ms := ttl.Milliseconds()
	if ms < 0 || time.Duration(ms)*time.Millisecond < ttl {
		ms++
	}
	return max(ms, 1)
}

// record is a record, or the reason why there is none.
type record struct {
	value   []byte
	version int64
	err     error
}

// parseRecord parses the fields version and value. Only a record that Redis reports
// missing is not found; a reply of another form is a failure.
func parseRecord(doing string, reply any) record {
	fields, ok := reply.([]any)
	if !ok || len(fields) != 2 {
		return record{err: failure(doing, redisconn.ErrReply)}
	}
	if fields[0] == nil {
		return record{err: state.ErrNotFound}
	}
	digits, isText := text(fields[0])
	version, err := strconv.ParseInt(digits, 10, 64)
	value, isData := data(fields[1])
	if !isText || err != nil || !isData {
		return record{err: failure(doing, redisconn.ErrReply)}
	}
	return record{value: value, version: version}
}
