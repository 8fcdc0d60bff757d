-- Requeues a dead letter under a new id.
--
-- KEYS     1 dead letters · 2 dead bodies · 3 dead reasons · 4 list · 5 bodies · 6 wake list
-- ARGV     1 id · 2 new id · 3 new body
-- returns  1, or 0 if it no longer exists
--@include signal
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('HSET', KEYS[5], ARGV[2], ARGV[3])
redis.call('RPUSH', KEYS[4], ARGV[2])
signal(KEYS[6])
return 1
