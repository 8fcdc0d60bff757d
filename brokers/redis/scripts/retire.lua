-- Takes a worker that ends in good order off the heartbeats. One that holds something stays there: by its name others
-- find what it held.
--
-- KEYS     1 heartbeats · 2 connection of the worker · then its ack sets
-- ARGV     1 worker
-- returns  nothing
for place = 3, #KEYS do
  if redis.call('EXISTS', KEYS[place]) == 1 then return end
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
