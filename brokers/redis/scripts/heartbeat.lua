-- Says that a worker lives, and how much it holds as Redis knows it.
--
-- KEYS     1 heartbeats · then its ack sets
-- ARGV     1 worker
-- returns  { its last heartbeat as Redis knows it (ms), or 0; the time (ms); size of each ack set … }
--@include clock
local now = clock()
local last = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1])) or 0
-- The first write is one that Redis allows when its memory is full, and the rest may then follow.
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
local reply = { last, now }
for place = 2, #KEYS do reply[place + 1] = redis.call('SCARD', KEYS[place]) end
return reply
