-- Dead-letters messages: moves the body, unchanged, to the dead letters, and stores follow-up messages in the same
-- step. Does nothing for a message that the worker no longer holds.
--
-- KEYS     1 ack set · 2 bodies · 3 taken · 4 deliveries · 5 begun · 6 dead letters · 7 dead bodies · 8 dead reasons
--          then three per destination, as in _store.lua
-- ARGV     number of messages · for each: id, now (ms), reason and traceback (JSON), number of groups, the groups
-- returns  nothing
--@include signal
--@include store
--@include dead-letter
local acks, bodies, taken, deliveries, begun = unpack(KEYS, 1, 5)

local at = 2
for _ = 1, tonumber(ARGV[1]) do
  local id, now, reason, groups = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  at = at + 4
  local body = redis.call('SREM', acks, id) == 1 and redis.call('HGET', bodies, id)
  if body then
    redis.call('HDEL', bodies, id)
    redis.call('SREM', taken, id)
    redis.call('HDEL', deliveries, id)
    redis.call('SREM', begun, id)
    add_dead_letter(id, body, now, reason)
  end
  for _ = 1, groups do
    if body then store(at) end
    at = at + 5
  end
end
