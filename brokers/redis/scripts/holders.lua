-- Says which workers hold something of a queue.
--
-- KEYS     two a worker: its ack sets of the queue and of its delay queue
-- returns  one a worker: how many of the two there are
local reply = {}
for at = 1, #KEYS, 2 do reply[#reply + 1] = redis.call('EXISTS', KEYS[at], KEYS[at + 1]) end
return reply
