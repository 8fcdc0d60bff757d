-- Finds workers that have sent no heartbeat for a while.
--
-- KEYS     1 heartbeats
-- ARGV     1 for how long (ms)
-- returns  { the time (ms), worker, its heartbeat (ms), … }
--@include clock
local now = clock()
local reply = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[1]), 'WITHSCORES')
table.insert(reply, 1, now)
return reply
