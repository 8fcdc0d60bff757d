-- Checks whether there is something to fetch from the queues of idle workers.
--
-- KEYS     twelve per queue: delayed · Dramatiq's delay queue · the ten lists
-- ARGV     1 now (ms)
-- returns  two per queue: 1 if there is something to fetch, else 0 · next due time or ''
local now = tonumber(ARGV[1])
local reply = {}
for at = 1, #KEYS, 12 do
  local head = redis.call('ZRANGE', KEYS[at], 0, 0, 'WITHSCORES')
  local due = head[2] and tonumber(head[2]) <= now
  local ready = due or redis.call('EXISTS', unpack(KEYS, at + 1, at + 11)) > 0
  reply[#reply + 1] = ready and 1 or 0
  reply[#reply + 1] = head[2] or ''
end
return reply
