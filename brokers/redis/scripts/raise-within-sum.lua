-- Raises a counter unless it, or the sum of several counters, would exceed the maximum.
--
-- KEYS     1 counter · then the counters to sum
-- ARGV     1 amount · 2 maximum · 3 time to live (ms)
-- returns  1 when it was raised, else 0
local amount, maximum = tonumber(ARGV[1]), tonumber(ARGV[2])
local value = (tonumber(redis.call('GET', KEYS[1])) or 0) + amount
local sum = amount
for place = 2, #KEYS do sum = sum + (tonumber(redis.call('GET', KEYS[place])) or 0) end
if value > maximum or sum > maximum then return 0 end
redis.call('SET', KEYS[1], string.format('%.0f', value), 'PX', ARGV[3])
return 1
