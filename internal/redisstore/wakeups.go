package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/scangate/scangate/internal/redisconn"
	"github.com/scangate/scangate/internal/state"
)

// On one server a message reaches only the processes that wait for its record. Each
// process listens on a channel of its own. The record has a field, waiting, in which
// luaWait registers the process. luaWake sends the changed record to the registered
// processes, and removes them: a call that goes on waiting registers its process again.
//
// The field consists of entries of 20 characters. The first 12 are the process, which is
// the end of its channel's name. The other 8 are the number of the registration at that
// process. luaLeave removes an entry only if the number fits. It may therefore arrive
// late, after another call of the same process has registered.
//
// A record has at most 16 entries. More processes wait for one record only if a client
// opens many connections. The field is then "all", and the message goes to the channel of
// all processes. A field of another length is treated in the same way.

const (
	// luaWait: KEYS records; ARGV process, registration, and the known version of each
	// record. It returns for each record nothing if there is none, the version if it is
	// the known one, and the version and the value otherwise. It registers the process at
	// each record that has the known version. An error at one record does not concern the
	// others: it is the third of three values.
	luaWait = `
local replies = {}
for i, key in ipairs(KEYS) do
  local fields = redis.pcall('HMGET', key, 'version', 'waiting')
  local version, waiting = fields[1], fields[2]
  if fields.err then
    replies[i] = {false, false, fields.err}
  elseif not version then
    replies[i] = {}
  elseif version ~= ARGV[i + 2] then
    replies[i] = {version, redis.call('HGET', key, 'value')}
  else
    waiting = string.gsub(waiting or '', ARGV[1] .. '%x%x%x%x%x%x%x%x', '') .. ARGV[1] .. ARGV[2]
    if #waiting % 20 ~= 0 or #waiting > 320 then waiting = 'all' end
    redis.call('HSET', key, 'waiting', waiting)
    replies[i] = {version}
  end
end
return replies`

	// luaLeave: KEYS records; ARGV process, and the registration at each record.
	luaLeave = `
for i, key in ipairs(KEYS) do
  local waiting = redis.call('HGET', key, 'waiting') or ''
  local rest = string.gsub(waiting, ARGV[1] .. ARGV[i + 1], '')
  if rest == '' then
    redis.call('HDEL', key, 'waiting')
  elseif rest ~= waiting then
    redis.call('HSET', key, 'waiting', rest)
  end
end
return 'ok'`

	// luaWake follows luaReplace: KEYS record; ARGV 2 version, 3 value, 5 the beginning of
	// the channels.
	//
	// It publishes after the change. The message is the record, so it must not be sent if
	// Redis refuses the change.
	luaWake = `
local waiting = redis.call('HGET', KEYS[1], 'waiting')
if waiting then
  redis.call('HDEL', KEYS[1], 'waiting')
  if #waiting % 20 ~= 0 or #waiting > 320 then waiting = 'all' end
  local message = ARGV[2] .. ' ' .. #KEYS[1] .. ' ' .. KEYS[1] .. ARGV[3]
  for i = 1, #waiting, 20 do
    redis.call('PUBLISH', ARGV[5] .. string.sub(waiting, i, i + 11), message)
  end
end`
)

const (
	idLength   = 12
	allChannel = "all"
)

// wakeChannels returns the beginning of the channels on which processes listen.
func (s *Store) wakeChannels() string { return "{" + s.prefix + "}:wake:" }

// known is a record's Redis key, and the version of it that the process has.
type known struct {
	key     string
	version int64
}

// register reads the records that have another version than the known one. It registers
// the process at all others, whose values it does not return. An error of Redis's is
// returned as it is.
func (s *Store) register(ctx context.Context, conn redisconn.Transport, registration uint32, records []known) ([]record, error) {
	keys := make([]string, len(records))
	args := make([]any, 2, 2+len(records))
	args[0], args[1] = s.id, registrationText(registration)
	for i, r := range records {
		keys[i] = r.key
		args = append(args, r.version)
	}
	reply, err := conn.ReadScript(ctx, s.scripts.wait, keys, args...)
	if err != nil {
		return nil, err
	}
	replies, _ := reply.([]any)
	if len(replies) != len(records) {
		return nil, redisconn.ErrReply
	}
	found := make([]record, len(records))
	for i, reply := range replies {
		found[i] = parseFound(reply)
	}
	return found, nil
}

// parseFound parses what luaWait returns for one record. The value is nil if Redis has
// returned none.
func parseFound(reply any) record {
	fields, ok := reply.([]any)
	switch {
	case ok && len(fields) == 0:
		return record{err: state.ErrNotFound}
	case ok && len(fields) == 1:
		r := parseRecord(reading, append(fields, ""))
		r.value = nil
		return r
	case ok && len(fields) == 3:
		refusal, _ := text(fields[2])
		return record{err: failure(reading, redisconn.NewRefusal(refusal))}
	}
	return parseRecord(reading, fields)
}

// registrationText returns the number as 8 characters.
func registrationText(n uint32) string { return fmt.Sprintf("%08x", n) }

// receive delivers the record of a message. It ignores a message of another form.
func (s *Store) receive(message string) {
	version, rest, ok := strings.Cut(message, " ")
	size, rest, more := strings.Cut(rest, " ")
	n, err := strconv.Atoi(size)
	newer, invalid := strconv.ParseInt(version, 10, 64)
	if !ok || !more || err != nil || invalid != nil || n < 0 || n > len(rest) {
		return
	}
	s.waits.deliverNewer(rest[:n], record{value: []byte(rest[n:]), version: newer})
}

// leaveDelay is how long a record whose last call of Wait has ended keeps the
// registration of the process. A browser usually polls again at once, often at the same
// process.
const leaveDelay = time.Second

// unregister removes the registrations that no call needs any more, until ctx ends.
func (s *Store) unregister(ctx context.Context) {
	for {
		select {
		case <-s.waits.left:
		case <-ctx.Done():
			return
		}
		timer := time.NewTimer(leaveDelay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		for keys, registrations := s.waits.takeLeft(); len(keys) > 0 && ctx.Err() == nil; keys, registrations = s.waits.takeLeft() {
			args := make([]any, 1, 1+len(keys))
			args[0] = s.id
			for _, n := range registrations {
				args = append(args, registrationText(n))
			}
			// If this fails, the process gets messages that it ignores.
			_, _ = s.conn.WriteScript(ctx, s.scripts.leave, keys, args...)
		}
	}
}
