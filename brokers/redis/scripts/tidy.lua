-- Deletes expired dead letters, and our records about messages that other workers have finished since.
--
-- KEYS     1 dead letters · 2 dead bodies · 3 dead reasons · 4 bodies · 5 delayed bodies · 6 taken · 7 begun · 8 deliveries
-- ARGV     1 dead letters up to this time (ms) have expired · 2 maximum number
-- returns  the number of deleted dead letters
local old = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
if #old > 0 then
  redis.call('ZREM', KEYS[1], unpack(old))
  redis.call('HDEL', KEYS[2], unpack(old))
  redis.call('HDEL', KEYS[3], unpack(old))
end
-- A random sample each time: in the end every entry is checked, and no run takes long.
local function sample(command, key, remove)
  for _, id in ipairs(redis.call(command, key, 50)) do
    if redis.call('HEXISTS', KEYS[4], id) == 0 and redis.call('HEXISTS', KEYS[5], id) == 0 then
      redis.call(remove, key, id)
    end
  end
end
sample('SRANDMEMBER', KEYS[6], 'SREM')
sample('SRANDMEMBER', KEYS[7], 'SREM')
sample('HRANDFIELD', KEYS[8], 'HDEL')
return #old
