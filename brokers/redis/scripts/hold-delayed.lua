-- Takes messages from Dramatiq's delay queue for a worker, which will move them to our delayed messages.
--
-- KEYS     1 heartbeats · 2 ack set of the delay queue · 3 its bodies · 4 the delay queue
-- ARGV     1 worker · 2 maximum number
-- returns  { id, body, … }
--@include clock
local ids = redis.call('LPOP', KEYS[4], ARGV[2])
if not ids or #ids == 0 then return {} end
redis.call('SADD', KEYS[2], unpack(ids))
redis.call('ZADD', KEYS[1], clock(), ARGV[1])
local bodies = redis.call('HMGET', KEYS[3], unpack(ids))
local reply = {}
for index, id in ipairs(ids) do
  if bodies[index] then
    reply[#reply + 1] = id
    reply[#reply + 1] = bodies[index]
  else
    redis.call('SREM', KEYS[2], id)
  end
end
return reply
