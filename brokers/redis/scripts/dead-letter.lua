-- Dead-letters messages: moves the body, unchanged, to the dead letters, and stores follow-up messages in the same
-- step. Does nothing for a message that the worker no longer holds.
--
-- KEYS     1 ack set · 2 bodies · 3 taken · 4 deliveries · 5 begun · 6 dead letters · 7 dead bodies · 8 dead reasons
--          then three per destination, as in _store.lua
-- ARGV     number of messages · for each: id, now (ms), reason and traceback (JSON), number of groups, the groups
-- returns  nothing
--@include signal
--@include store
local acks, bodies, taken, deliveries, begun, dead, dead_bodies, dead_reasons = unpack(KEYS, 1, 8)
local last = redis.call('ZRANGE', dead, -1, -1, 'WITHSCORES')[2]
last = last and tonumber(last) or 0

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
    -- Dead letters of the same millisecond are 0.001 ms apart, to keep their order.
    local time = tonumber(now)
    if time <= last and last < time + 1 then time = last + 0.001 end
    last = math.max(last, time)
    redis.call('ZADD', dead, string.format('%.3f', time), id)
    redis.call('HSET', dead_bodies, id, body)
    redis.call('HSET', dead_reasons, id, reason)
  end
  for _ = 1, groups do
    if body then store(at) end
    at = at + 5
  end
end
