-- Finds workers that weren't heard of for too long.
--
-- KEYS     1 heartbeats
-- ARGV     1 how long a worker may be silent (ms)
-- returns  { worker, heartbeat (ms), … }
--@include clock
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', clock() - tonumber(ARGV[1]), 'WITHSCORES')
