-- Says that a worker lives and on which connection, and how much it holds as Redis knows it.
--
-- KEYS     1 heartbeats · 2 connection of the worker · then its ack sets
-- ARGV     1 worker · 2 its connection, or '' where that isn't known · 3 how long that is kept (ms)
-- returns  { its last heartbeat as Redis knows it (ms), or 0; the time (ms); size of each ack set … }
--@include clock
local now = clock()
local last = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1])) or 0
-- The first write is one that Redis allows when its memory is full, and the rest may then follow.
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
if ARGV[2] == '' then redis.call('DEL', KEYS[2]) else redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) end
local reply = { last, now }
for place = 3, #KEYS do reply[place] = redis.call('SCARD', KEYS[place]) end
return reply
