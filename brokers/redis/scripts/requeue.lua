-- Requeues messages: uncounted at the head of their list, as if they had never been taken; or counted at the tail. With
-- a due time they go to the delayed messages. Does nothing for messages that the worker no longer holds.
--
-- KEYS     1 ack set · 2 bodies · 3 taken · 4 deliveries · 5 begun · 6 wake list · 7 delayed · 8 delayed bodies
--          9 to 18 the lists of priority 9 down to 0
-- ARGV     four per message: id, priority, '1' if counted, due time (ms) or ''
-- returns  nothing
--@include signal
local acks, bodies, taken, deliveries, begun, wake, delayed, delayed_bodies = unpack(KEYS, 1, 8)
local moved = false
-- From the last to the first: each goes to the head, so the original order is restored.
for at = #ARGV - 3, 1, -4 do
  local id, priority, counted, due = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2] == '1', ARGV[at + 3]
  if redis.call('SREM', acks, id) == 1 then
    redis.call('SREM', taken, id)
    redis.call('SREM', begun, id)
    local body = redis.call('HGET', bodies, id)
    if body then
      moved = true
      if counted then redis.call('HINCRBY', deliveries, id, 1) end
      if due ~= '' then
        redis.call('HDEL', bodies, id)
        redis.call('HSET', delayed_bodies, id, priority .. body)
        redis.call('ZADD', delayed, due, id)
      else
        redis.call(counted and 'RPUSH' or 'LPUSH', KEYS[9 + 9 - priority], id)
      end
    end
  end
end
if moved then signal(wake) end
