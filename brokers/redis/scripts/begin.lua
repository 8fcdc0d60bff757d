-- Records that the actor is about to run on a redelivered message.
--
-- KEYS     1 ack set · 2 begun
-- ARGV     1 id
-- returns  nothing
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 1 then
  -- A full Redis allows the removal. After this first write it also allows the addition.
  redis.call('SREM', KEYS[2], ARGV[1])
  redis.call('SADD', KEYS[2], ARGV[1])
end
