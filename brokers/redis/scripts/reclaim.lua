-- Requeues, uncounted, the messages in a worker's ack set that the worker doesn't know: they were taken by a call whose
-- reply was lost with the connection.
--
-- KEYS     1 ack set · 2 bodies · 3 taken · 4 wake list · then the list (of a delay queue), or the ten lists
--          of priority 9 down to 0
-- ARGV     the ids that the worker knows
-- returns  the number of requeued messages
--@include signal
--@include priority
local acks, bodies, taken, wake = unpack(KEYS, 1, 4)
local known = {}
for _, id in ipairs(ARGV) do known[id] = true end
local given = 0
for _, id in ipairs(redis.call('SMEMBERS', acks)) do
  if not known[id] then
    redis.call('SREM', acks, id)
    redis.call('SREM', taken, id)
    local body = redis.call('HGET', bodies, id)
    if body then
      given = given + 1
      redis.call('LPUSH', #KEYS > 5 and KEYS[5 + 9 - priority_of(body)] or KEYS[5], id)
    end
  end
end
if given > 0 then signal(wake) end
return given
