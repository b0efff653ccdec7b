package redisstore

// A user is a hash:
//
//	nickname, avatar_url, phone     as in User, always present
//	disabled, sessions_ended_at     if they were ever set
//	openid:APPID, unionid:APPID     an identity; the second only if it is known
//
// Each (AppID, OpenID), UnionID and phone number has a key of its own, an index. Its
// value is the ID of the user that it belongs to. Each script changes hash and indexes
// in one step, so they agree. All checks come before the first change, because Redis
// undoes nothing when a script fails.
//
// An index that leads to no user belongs to no one. Therefore deleting the hash deletes
// the user.
//
// Where ARGV[1] is the beginning of users' keys, the script uses a key that it has not
// declared: only reading an index reveals the user's ID. The hash tag puts that key in
// the same slot as the declared ones.
const (
	// luaOwner returns the ID of the user to whom an index leads, or nil.
	luaOwner = `
local function owner(key)
  local id = redis.call('GET', key)
  if id and redis.call('EXISTS', ARGV[1] .. id) == 1 then return id end
  return nil
end
`

	// luaFind returns the ID and the hash of a user, or nil. It follows the first index
	// that leads to a user.
	// KEYS any number of indexes; ARGV users.
	luaFind = `
for _, key in ipairs(KEYS) do
  local id = owner(key)
  if id then return {id, redis.call('HGETALL', ARGV[1] .. id)} end
end
return false`

	// luaRegister creates a user with a new ID.
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

	// luaLink adds an identity, or a UnionID to an identity without one. A user has one
	// OpenID at each AppID.
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

	// luaUnlink removes an identity. Its UnionID becomes free unless another identity of
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

	// luaBindPhone sets the phone number and frees the earlier one.
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

	// luaEndSessions keeps the later of two times, in microseconds since 1970.
	// KEYS user; ARGV the time, the zero time.
	luaEndSessions = `
if redis.call('EXISTS', KEYS[1]) == 0 then return 'not found' end
local kept = redis.call('HGET', KEYS[1], 'sessions_ended_at') or ARGV[2]
if tonumber(ARGV[1]) > tonumber(kept) then redis.call('HSET', KEYS[1], 'sessions_ended_at', ARGV[1]) end
return 'ok'`

	// luaDelete deletes a user and the indexes that lead to them.
	// KEYS user; ARGV id, openids, unionids, phones.
	luaDelete = `
local fields = redis.call('HGETALL', KEYS[1])
if #fields == 0 then return 'not found' end
for i = 1, #fields, 2 do
  local kind, appid = string.match(fields[i], '^(%a+):?(.*)$')
  local index = nil
  if kind == 'openid' then index = ARGV[2] .. #appid .. ':' .. appid .. ':' .. fields[i + 1] end
  if kind == 'unionid' then index = ARGV[3] .. fields[i + 1] end
  if kind == 'phone' then index = ARGV[4] .. fields[i + 1] end
  if index and redis.call('GET', index) == ARGV[1] then redis.call('DEL', index) end
end
redis.call('DEL', KEYS[1])
return 'ok'`
)
