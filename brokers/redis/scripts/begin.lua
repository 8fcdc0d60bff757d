-- Notes that the actor is about to run on a message that was delivered before.
--
-- KEYS     1 ack set · 2 begun
-- ARGV     1 id
-- returns  nothing
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 1 then
  -- The removal comes first because Redis allows it when its memory is full, and the addition after it.
  redis.call('SREM', KEYS[2], ARGV[1])
  redis.call('SADD', KEYS[2], ARGV[1])
end
