-- Says that a worker lives, and how much it holds as Redis knows it.
--
-- KEYS     1 heartbeats · then its ack sets
-- ARGV     1 worker
-- returns  { '1' when it was taken for dead meanwhile, size of each ack set … }
--@include clock
local now = clock()
local lost = redis.call('ZREM', KEYS[1], ARGV[1]) == 0
redis.call('ZADD', KEYS[1], now, ARGV[1])
local reply = { lost and 1 or 0 }
for place = 2, #KEYS do reply[place] = redis.call('SCARD', KEYS[place]) end
return reply
