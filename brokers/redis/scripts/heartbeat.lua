-- Stores the heartbeat and the connection of a worker, and returns the sizes of its ack sets.
--
-- KEYS     1 heartbeats · 2 connection of the worker · then its ack sets
-- ARGV     1 worker · 2 its connection, or '' if unknown · 3 time to live of that (ms)
-- returns  { its last heartbeat in Redis (ms), or 0; the time (ms); size of each ack set … }
--@include clock
local now = clock()
local last = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1])) or 0
-- The first write is one that a full Redis allows. The other writes are then allowed, too.
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
if ARGV[2] == '' then redis.call('DEL', KEYS[2]) else redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) end
local reply = { last, now }
for place = 3, #KEYS do reply[place] = redis.call('SCARD', KEYS[place]) end
return reply
