-- Counts the messages of a queue by state, atomically.
--
-- KEYS     1 bodies · 2 delayed · 3 bodies of Dramatiq's delay queue · 4 dead letters · 5 to 14 the ten lists
-- ARGV     1 dead letters up to this time (ms) have expired
-- returns  { ready, delayed, unacked, dead }
local ready = 0
for place = 5, 14 do ready = ready + redis.call('LLEN', KEYS[place]) end
local held = math.max(0, redis.call('HLEN', KEYS[1]) - ready)
local delayed = redis.call('ZCARD', KEYS[2]) + redis.call('HLEN', KEYS[3])
return { ready, delayed, held, redis.call('ZCOUNT', KEYS[4], '(' .. ARGV[1], '+inf') }
