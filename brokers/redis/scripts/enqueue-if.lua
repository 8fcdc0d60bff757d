-- Stores messages, each on conditions: with its changes of the state, in place of a message that still waits, and with
-- other messages, in one step. Only once, however often the call is made.
--
-- KEYS     1 mark of the call · then the keys of the changes, those of the queues of replaced messages, and three per
--          destination, as in _store.lua
-- ARGV     1 how long the mark is kept (ms) · 2 number of messages · for each: number of changes, the changes (_state.lua),
--          id of the message to replace or '', the place of the keys of its queue (bodies, taken, delayed, delayed
--          bodies, the ten lists), number of groups, the groups (_store.lua)
-- returns  for each message: 0 if it was stored, or why not, see _state.lua; { -1 } if there is nothing to replace
--@include signal
--@include store
--@include state
local earlier = redis.call('GET', KEYS[1])
if earlier then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  return cjson.decode(earlier)
end
-- The first write is one that a full Redis refuses: then nothing is stored at all.
redis.call('SET', KEYS[1], '[]', 'PX', ARGV[1])

-- Removes a message that waits; a worker that has taken it doesn't notice.
local function remove_waiting(id, place)
  local bodies, taken, delayed, delayed_bodies = unpack(KEYS, place, place + 3)
  if redis.call('ZREM', delayed, id) == 1 then
    redis.call('HDEL', delayed_bodies, id)
    return true
  end
  if redis.call('HEXISTS', bodies, id) == 0 or redis.call('SISMEMBER', taken, id) == 1 then return false end
  for list = place + 4, place + 13 do
    if redis.call('LREM', KEYS[list], 1, id) == 1 then
      redis.call('HDEL', bodies, id)
      return true
    end
  end
  return false
end

local reply, at = {}, 3
for index = 1, tonumber(ARGV[2]) do
  local changes = tonumber(ARGV[at])
  local first = at + 1
  at = first + 9 * changes
  local replaced, place, groups = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  at = at + 3
  local refused = refusal(first, changes)
  if not refused and replaced ~= '' and not remove_waiting(replaced, place) then refused = { -1, 0, '', 0, 0 } end
  if not refused then
    make_changes(first, changes)
    for group = 0, groups - 1 do store(at + 5 * group) end
  end
  reply[index] = refused or 0
  at = at + 5 * groups
end
redis.call('SET', KEYS[1], cjson.encode(reply), 'PX', ARGV[1])
return reply
