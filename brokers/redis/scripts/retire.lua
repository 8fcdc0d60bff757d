-- Removes a worker that stops normally from the heartbeats. One that still holds messages stays there, so that others
-- find them.
--
-- KEYS     1 heartbeats · 2 connection of the worker · then its ack sets
-- ARGV     1 worker
-- returns  nothing
for place = 3, #KEYS do
  if redis.call('EXISTS', KEYS[place]) == 1 then return end
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
