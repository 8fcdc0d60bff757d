-- Settles messages, and changes the state in the same step: acknowledges or dead-letters each, stores its follow-up
-- messages, and makes its changes. Does nothing for a message that the worker no longer holds, or if one of its changes
-- is refused.
--
-- KEYS     1 ack set · 2 bodies · 3 taken · 4 deliveries · 5 begun · 6 dead letters · 7 dead bodies · 8 dead reasons
--          then the keys of the changes, and three per destination, as in _store.lua
-- ARGV     1 now (ms) · 2 number of messages · for each: id, reason and traceback (JSON) to dead-letter it or '', number of
--          changes, the changes (_state.lua), number of groups, the groups (_store.lua)
-- returns  for each message: 0, or why a change was refused, see _state.lua
--@include signal
--@include store
--@include dead-letter
--@include state
local acks, bodies, taken, deliveries, begun = unpack(KEYS, 1, 5)

local function settle(id, reason)
  local body = reason ~= '' and redis.call('HGET', bodies, id)
  redis.call('SREM', acks, id)
  redis.call('SREM', taken, id)
  redis.call('HDEL', bodies, id)
  redis.call('HDEL', deliveries, id)
  redis.call('SREM', begun, id)
  if body then add_dead_letter(id, body, ARGV[1], reason) end
end

local function is_held(id)
  if redis.call('SISMEMBER', acks, id) == 0 then return false end
  if redis.call('HEXISTS', bodies, id) == 1 then return true end
  redis.call('SREM', acks, id)
  return false
end

local reply, at = {}, 3
for index = 1, tonumber(ARGV[2]) do
  local id, reason, changes = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local first = at + 3
  local held = is_held(id)
  local refused = held and refusal(first, changes)
  local settles = held and not refused
  if settles then
    settle(id, reason)
    make_changes(first, changes)
  end
  at = first + 9 * changes
  local groups = tonumber(ARGV[at])
  at = at + 1
  for _ = 1, groups do
    if settles then store(at) end
    at = at + 5
  end
  reply[index] = refused or 0
end
return reply
