-- Changes a counter unless the result would be out of bounds. A change resets its time to live.
--
-- KEYS     1 counter
-- ARGV     1 amount, negative to lower · 2 smallest value allowed · 3 largest · 4 time to live (ms)
-- returns  1 when it was changed, else 0
local value = (tonumber(redis.call('GET', KEYS[1])) or 0) + tonumber(ARGV[1])
if value < tonumber(ARGV[2]) or value > tonumber(ARGV[3]) then return 0 end
-- Lowering a counter must work when Redis is full, so its first write is one that takes no memory and harms no key.
if tonumber(ARGV[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
redis.call('SET', KEYS[1], string.format('%.0f', value), 'PX', ARGV[4])
return 1
