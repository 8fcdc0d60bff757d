-- Takes a worker that ends in good order off the heartbeats. One that holds something stays there: by its name others
-- find what it held.
--
-- KEYS     1 heartbeats · then its ack sets
-- ARGV     1 worker
-- returns  nothing
for place = 2, #KEYS do
  if redis.call('EXISTS', KEYS[place]) == 1 then return end
end
redis.call('ZREM', KEYS[1], ARGV[1])
