-- Removes dead workers from the heartbeats, unless they have sent a heartbeat again.
--
-- KEYS     1 heartbeats
-- ARGV     1 how long a worker may be silent (ms) · then the workers
-- returns  nothing
--@include clock
local threshold = clock() - tonumber(ARGV[1])
for place = 2, #ARGV do
  local beat = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[place]))
  if beat and beat <= threshold then redis.call('ZREM', KEYS[1], ARGV[place]) end
end
