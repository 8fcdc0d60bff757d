-- Says that a worker lives, and how much it holds as Redis knows it.
--
-- KEYS     1 heartbeats · then its ack sets
-- ARGV     1 worker
-- returns  { 1 when it wasn't known, the time (ms), size of each ack set … }
--@include clock
local now = clock()
local unknown = redis.call('ZREM', KEYS[1], ARGV[1]) == 0
redis.call('ZADD', KEYS[1], now, ARGV[1])
local reply = { unknown and 1 or 0, now }
for place = 2, #KEYS do reply[place + 1] = redis.call('SCARD', KEYS[place]) end
return reply
