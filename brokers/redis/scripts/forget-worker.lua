-- Drops a dead worker from the heartbeats, unless it came back to life.
--
-- KEYS     1 heartbeats
-- ARGV     1 the heartbeat (ms) up to which a worker is dead · then the workers
-- returns  nothing
for place = 2, #ARGV do
  local beat = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[place]))
  if beat and beat <= tonumber(ARGV[1]) then redis.call('ZREM', KEYS[1], ARGV[place]) end
end
