-- Deletes a dead letter.
--
-- KEYS     1 dead letters · 2 dead bodies · 3 dead reasons
-- ARGV     1 id
-- returns  1, or 0 if it no longer exists
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
return redis.call('ZREM', KEYS[1], ARGV[1])
