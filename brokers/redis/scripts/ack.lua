-- Done with: removes messages that a worker holds and stores what is sent in the same step. Whatever the worker holds
-- no longer is left alone, and what would be sent with it is not sent.
--
-- KEYS     1 ack set · 2 bodies · 3 taken · 4 deliveries · 5 begun · then three a place, as in _store.lua
-- ARGV     1 number of ids · 2 how many of them, the first ones, were delivered before · the ids
--          then number of acks with sends · for each: id, number of groups, the groups
-- returns  nothing
--@include signal
--@include store
local acks, bodies, taken, deliveries, begun = unpack(KEYS, 1, 5)

local function chunks(from, to, call)
  for first = from, to, 1000 do call(first, math.min(first + 999, to)) end
end

local last = 2 + tonumber(ARGV[1])
chunks(3, last, function(from, to)
  local held = redis.call('SMISMEMBER', acks, unpack(ARGV, from, to))
  local all = true
  for _, one in ipairs(held) do all = all and one == 1 end
  if all then
    redis.call('SREM', acks, unpack(ARGV, from, to))
    redis.call('SREM', taken, unpack(ARGV, from, to))
    redis.call('HDEL', bodies, unpack(ARGV, from, to))
  else
    for index, one in ipairs(held) do
      if one == 1 then
        local id = ARGV[from + index - 1]
        redis.call('SREM', acks, id)
        redis.call('SREM', taken, id)
        redis.call('HDEL', bodies, id)
      end
    end
  end
end)
chunks(3, 2 + tonumber(ARGV[2]), function(from, to)
  -- One that was taken back has its body still, and keeps its count.
  for at = from, to do
    if redis.call('HEXISTS', bodies, ARGV[at]) == 0 then
      redis.call('HDEL', deliveries, ARGV[at])
      redis.call('SREM', begun, ARGV[at])
    end
  end
end)

local at = last + 2
for _ = 1, tonumber(ARGV[last + 1]) do
  local id, groups = ARGV[at], tonumber(ARGV[at + 1])
  at = at + 2
  local mine = redis.call('SREM', acks, id) == 1 and redis.call('HDEL', bodies, id) == 1
  if mine then
    redis.call('SREM', taken, id)
    redis.call('HDEL', deliveries, id)
    redis.call('SREM', begun, id)
  end
  for _ = 1, groups do
    if mine then store(at, false) end
    at = at + 4
  end
end
