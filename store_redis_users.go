package scangate

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

// A user is a hash:
//
//	nickname, avatar_url, phone    as in User, and always there
//	disabled, sessions_ended_at             if they were ever set
//	openid:APPID, unionid:APPID    an identity; the second only if it is known
//
// Besides it there is a key for each (AppID, OpenID), UnionID and number, an
// index: its value is the ID of the user who has it. Each script changes hash and
// indexes in one step, so they agree. All checks come before the first change:
// Redis undoes nothing.
//
// An index that leads to no user is nobody's. That is how a user can be deleted
// by hand.
//
// Where ARGV[1] is what users' keys begin with, a script reaches by it a key that
// was not declared, since an index has to be read to know it. The hash tag puts
// it in the same slot as those that were.
const (
	// luaOwner returns the id of the user to whom an index key leads, or nil.
	luaOwner = `
local function owner(key)
  local id = redis.call('GET', key)
  if id and redis.call('EXISTS', ARGV[1] .. id) == 1 then return id end
  return nil
end
`

	// luaFind returns the id and the hash of the user to whom the first index
	// leads that leads to anybody, or nil.
	// KEYS any number of indexes; ARGV users.
	luaFind = `
for _, key in ipairs(KEYS) do
  local id = owner(key)
  if id then return {id, redis.call('HGETALL', ARGV[1] .. id)} end
end
return false`

	// luaRegister makes a user of an id that is new.
	// KEYS user, openid, unionid, phone; ARGV users, id, appid, openid, unionid,
	// phone, nickname, avatar.
	luaRegister = `
local user, unionid, phone = KEYS[1], ARGV[5], ARGV[6]
if owner(KEYS[2]) then return 'identity taken' end
if unionid ~= '' and owner(KEYS[3]) then return 'identity taken' end
if phone ~= '' and owner(KEYS[4]) then return 'phone taken' end
redis.call('HSET', user, 'nickname', ARGV[7], 'avatar_url', ARGV[8], 'phone', phone, 'openid:' .. ARGV[3], ARGV[4])
redis.call('SET', KEYS[2], ARGV[2])
if unionid ~= '' then
  redis.call('HSET', user, 'unionid:' .. ARGV[3], unionid)
  redis.call('SET', KEYS[3], ARGV[2])
end
if phone ~= '' then redis.call('SET', KEYS[4], ARGV[2]) end
return 'ok'`

	// luaLink adds an identity, or a unionid to one that has none. A user has one
	// openid at each appid.
	// KEYS user, openid, unionid; ARGV users, id, appid, openid, unionid.
	luaLink = `
local user, id, unionid = KEYS[1], ARGV[2], ARGV[5]
local function free(key) return (owner(key) or id) == id end
if redis.call('EXISTS', user) == 0 then return 'not found' end
if not free(KEYS[2]) or unionid ~= '' and not free(KEYS[3]) then return 'identity taken' end
local has = redis.call('HMGET', user, 'openid:' .. ARGV[3], 'unionid:' .. ARGV[3])
if has[1] and has[1] ~= ARGV[4] then return 'identity taken' end
if has[2] and unionid ~= '' and has[2] ~= unionid then return 'identity taken' end
redis.call('HSET', user, 'openid:' .. ARGV[3], ARGV[4])
redis.call('SET', KEYS[2], id)
if unionid ~= '' then
  redis.call('HSET', user, 'unionid:' .. ARGV[3], unionid)
  redis.call('SET', KEYS[3], id)
end
return 'ok'`

	// luaUnlink removes an identity. A unionid is free when no other identity of
	// the user has it.
	// KEYS user, openid; ARGV unionids, appid, openid.
	luaUnlink = `
local user, fields = KEYS[1], {'openid:' .. ARGV[2], 'unionid:' .. ARGV[2]}
if redis.call('EXISTS', user) == 0 then return 'not found' end
local has = redis.call('HMGET', user, fields[1], fields[2])
if has[1] ~= ARGV[3] then return 'ok' end
redis.call('HDEL', user, fields[1], fields[2])
redis.call('DEL', KEYS[2])
if not has[2] then return 'ok' end
local rest = redis.call('HGETALL', user)
for i = 1, #rest, 2 do
  if string.sub(rest[i], 1, 8) == 'unionid:' and rest[i + 1] == has[2] then return 'ok' end
end
redis.call('DEL', ARGV[1] .. has[2])
return 'ok'`

	// luaBindPhone sets the number, and frees the earlier one.
	// KEYS user, phone; ARGV users, id, phone, phones.
	luaBindPhone = `
local user, id, phone = KEYS[1], ARGV[2], ARGV[3]
if redis.call('EXISTS', user) == 0 then return 'not found' end
if phone ~= '' and (owner(KEYS[2]) or id) ~= id then return 'phone taken' end
local old = redis.call('HGET', user, 'phone')
if old and old ~= '' then redis.call('DEL', ARGV[4] .. old) end
redis.call('HSET', user, 'phone', phone)
if phone ~= '' then redis.call('SET', KEYS[2], id) end
return 'ok'`

	// luaEndSessions keeps the later of two times, in microseconds.
	// KEYS user; ARGV the time, the zero time.
	luaEndSessions = `
if redis.call('EXISTS', KEYS[1]) == 0 then return 'not found' end
local kept = redis.call('HGET', KEYS[1], 'sessions_ended_at') or ARGV[2]
if tonumber(ARGV[1]) > tonumber(kept) then redis.call('HSET', KEYS[1], 'sessions_ended_at', ARGV[1]) end
return 'ok'`
)

// redisFinding is what the look-ups of a user do, for their errors.
const redisFinding = "finding a user"

func (r *RedisStore) userKey(id string) string { return r.key("user", id) }

func (r *RedisStore) phoneKey(phone string) string { return r.key("phone", phone) }

func (r *RedisStore) unionIDKey(unionID string) string { return r.key("unionid", unionID) }

// openIDKey says how long the AppID is, lest another division of the same bytes
// be the same key.
func (r *RedisStore) openIDKey(who Identity) string {
	return r.key("openid", strconv.Itoa(len(who.AppID))+":"+who.AppID+":"+who.OpenID)
}

// FindByID implements [UserStore]. It is one command.
func (r *RedisStore) FindByID(ctx context.Context, id string) (User, error) {
	reply, err := r.read(ctx, redisFinding, redisCommand("HGETALL", r.userKey(id)))
	if err != nil {
		return User{}, err
	}
	return asRedisUser(ctx, id, reply)
}

// FindByWeChat implements [UserStore]. It is one script, which sees no user half
// changed.
func (r *RedisStore) FindByWeChat(ctx context.Context, who Identity) (User, error) {
	if who.UnionID == "" {
		return r.find(ctx, r.openIDKey(who))
	}
	return r.find(ctx, r.openIDKey(who), r.unionIDKey(who.UnionID))
}

// FindByPhone implements [UserStore]. It is one script too.
func (r *RedisStore) FindByPhone(ctx context.Context, phone string) (User, error) {
	if phone == "" {
		return r.find(ctx)
	}
	return r.find(ctx, r.phoneKey(phone))
}

// find returns the user to whom the first of the index keys leads.
func (r *RedisStore) find(ctx context.Context, index ...string) (User, error) {
	args := []any{len(index)}
	for _, key := range index {
		args = append(args, key)
	}
	reply, err := r.read(ctx, redisFinding, redisScript(r.scripts.find, append(args, r.userKey(""))...))
	if err != nil {
		return User{}, err
	}
	if reply == nil {
		return User{}, ErrNotFound
	}
	found, err := redis.Values(reply, nil)
	if err != nil || len(found) != 2 {
		return User{}, redisFailure(ctx, redisFinding, errRedisAnswer)
	}
	id, _ := redis.String(found[0], nil)
	return asRedisUser(ctx, id, found[1])
}

// Register implements [UserStore]. The ID is made here, at random: Redis has none
// to give that is never given again, also after it has lost its data.
func (r *RedisStore) Register(ctx context.Context, who NewUser) (User, error) {
	u := User{
		ID:         rand.Text(),
		Nickname:   who.Nickname,
		AvatarURL:  who.AvatarURL,
		Phone:      who.Phone,
		Identities: []Identity{who.Identity},
	}
	identity := who.Identity
	err := r.change(ctx, "registering a user", r.scripts.register,
		r.userKey(u.ID), r.openIDKey(identity), r.unionIDKey(identity.UnionID), r.phoneKey(who.Phone),
		r.userKey(""), u.ID, identity.AppID, identity.OpenID, identity.UnionID, who.Phone, who.Nickname, who.AvatarURL)
	if err != nil {
		return User{}, err
	}
	return u, nil
}

// LinkWeChat implements [UserStore]. Each user has one OpenID at each AppID.
func (r *RedisStore) LinkWeChat(ctx context.Context, id string, who Identity) error {
	return r.change(ctx, "linking an identity", r.scripts.link,
		r.userKey(id), r.openIDKey(who), r.unionIDKey(who.UnionID),
		r.userKey(""), id, who.AppID, who.OpenID, who.UnionID)
}

// UnlinkWeChat implements [UserStore]. A UnionID is free once the user has no
// identity left that has it.
func (r *RedisStore) UnlinkWeChat(ctx context.Context, id string, who Identity) error {
	return r.change(ctx, "unlinking an identity", r.scripts.unlink,
		r.userKey(id), r.openIDKey(who),
		r.unionIDKey(""), who.AppID, who.OpenID)
}

// BindPhone implements [UserStore]. The earlier number is free in the same step.
func (r *RedisStore) BindPhone(ctx context.Context, id, phone string) error {
	return r.change(ctx, "binding a phone number", r.scripts.bindPhone,
		r.userKey(id), r.phoneKey(phone),
		r.userKey(""), id, phone, r.phoneKey(""))
}

// EndSessions implements [UserStore]. Lua's numbers tell microseconds apart up to
// the year 2255.
func (r *RedisStore) EndSessions(ctx context.Context, id string, before time.Time) error {
	return r.change(ctx, "signing a user out", r.scripts.endSessions,
		r.userKey(id), before.UnixMicro(), time.Time{}.UnixMicro())
}

// asRedisUser is what HGETALL answered for the user of that id. A time that makes
// no sense is a failure, for to take it for none would undo a sign-out.
func asRedisUser(ctx context.Context, id string, reply any) (User, error) {
	fields, err := redis.StringMap(reply, nil)
	if err != nil {
		return User{}, redisFailure(ctx, redisFinding, errRedisAnswer)
	}
	if len(fields) == 0 {
		return User{}, ErrNotFound
	}
	u := User{
		ID:         id,
		Nickname:   fields["nickname"],
		AvatarURL:  fields["avatar_url"],
		Phone:      fields["phone"],
		Disabled:   fields["disabled"] != "" && fields["disabled"] != "0",
		Identities: redisIdentities(fields),
	}
	if at, ok := fields["sessions_ended_at"]; ok {
		micro, err := strconv.ParseInt(at, 10, 64)
		if err != nil {
			return User{}, redisFailure(ctx, redisFinding, errRedisAnswer)
		}
		u.SessionsEndedAt = time.UnixMicro(micro).UTC()
	}
	return u, nil
}

// redisIdentities are the identities in a user's hash, by AppID.
func redisIdentities(fields map[string]string) []Identity {
	var identities []Identity
	for field, openID := range fields {
		if appID, ok := strings.CutPrefix(field, "openid:"); ok {
			identities = append(identities, Identity{AppID: appID, OpenID: openID, UnionID: fields["unionid:"+appID]})
		}
	}
	slices.SortFunc(identities, func(a, b Identity) int { return cmp.Compare(a.AppID, b.AppID) })
	return identities
}
