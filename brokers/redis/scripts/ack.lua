-- Acknowledges messages: removes those that the worker holds, and stores their follow-up messages in the same step. A
-- message that the worker no longer holds is left unchanged, and its follow-up messages are not stored.
--
-- KEYS     1 ack set · 2 bodies · 3 taken · 4 deliveries · 5 begun · then three per destination, as in _store.lua
-- ARGV     1 ids of 36 characters of first deliveries, in one string · 2 number of other ids · the other ids
--          then number of acks with follow-up messages · for each: id, number of groups, the groups
-- returns  nothing
--@include signal
--@include store
local acks, bodies, taken, deliveries, begun = unpack(KEYS, 1, 5)

local function remove(ids)
  redis.call('SREM', acks, unpack(ids))
  redis.call('SREM', taken, unpack(ids))
  redis.call('HDEL', bodies, unpack(ids))
end

local function forget(id)
  redis.call('HDEL', deliveries, id)
  redis.call('SREM', begun, id)
end

local function ack(ids)
  local held = redis.call('SMISMEMBER', acks, unpack(ids))
  local mine = {}
  for index, one in ipairs(held) do
    if one == 1 then mine[#mine + 1] = ids[index] end
  end
  if #mine > 0 then remove(mine) end
end

local packed = ARGV[1]
-- In chunks, since the number of arguments of a call is limited.
for first = 1, #packed, 36000 do
  local ids = {}
  for at = first, math.min(first + 35999, #packed), 36 do ids[#ids + 1] = string.sub(packed, at, at + 35) end
  ack(ids)
end

local others = 2 + tonumber(ARGV[2])
for at = 3, others do
  local id = ARGV[at]
  ack({ id })
  -- A message that was reclaimed from this worker still has its body, and keeps its count.
  if redis.call('HEXISTS', bodies, id) == 0 then forget(id) end
end

local at = others + 2
for _ = 1, tonumber(ARGV[others + 1]) do
  local id, groups = ARGV[at], tonumber(ARGV[at + 1])
  at = at + 2
  local mine = redis.call('SREM', acks, id) == 1 and redis.call('HDEL', bodies, id) == 1
  if mine then
    redis.call('SREM', taken, id)
    forget(id)
  end
  for _ = 1, groups do
    if mine then store(at) end
    at = at + 5
  end
end
