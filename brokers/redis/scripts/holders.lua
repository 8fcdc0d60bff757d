-- Finds the workers that hold messages of a queue.
--
-- KEYS     two per worker: its ack sets of the queue and of its delay queue
-- returns  one per worker: how many of the two exist
local reply = {}
for at = 1, #KEYS, 2 do reply[#reply + 1] = redis.call('EXISTS', KEYS[at], KEYS[at + 1]) end
return reply
