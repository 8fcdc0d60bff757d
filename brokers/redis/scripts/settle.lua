-- Settles one message, and changes the state in the same step: acknowledges or dead-letters it, stores follow-up
-- messages, and makes the changes. Does nothing for a message that the worker no longer holds, or if a change is refused.
--
-- KEYS     1 ack set · 2 bodies · 3 taken · 4 deliveries · 5 begun · 6 dead letters · 7 dead bodies · 8 dead reasons
--          then the keys of the changes, and three per destination, as in _store.lua
-- ARGV     1 id · 2 reason and traceback (JSON) to dead-letter it, or '' · 3 now (ms) · 4 number of changes · the changes
--          then number of groups · the groups
-- returns  nothing, or why a change was refused, see _state.lua
--@include signal
--@include store
--@include dead-letter
--@include state
local acks, bodies, taken, deliveries, begun = unpack(KEYS, 1, 5)
local id, reason, changes = ARGV[1], ARGV[2], tonumber(ARGV[4])
if redis.call('SISMEMBER', acks, id) == 0 then return end
local body = redis.call('HGET', bodies, id)
if not body then
  redis.call('SREM', acks, id)
  return
end
local refused = refusal(5, changes)
if refused then return refused end

redis.call('SREM', acks, id)
redis.call('SREM', taken, id)
redis.call('HDEL', bodies, id)
redis.call('HDEL', deliveries, id)
redis.call('SREM', begun, id)
if reason ~= '' then add_dead_letter(id, body, ARGV[3], reason) end
make_changes(5, changes)
local at = 5 + 9 * changes
for _ = 1, tonumber(ARGV[at]) do
  store(at + 1)
  at = at + 5
end
