-- Adds a message to the dead letters. KEYS 6 dead letters · 7 dead bodies · 8 dead reasons
local last_dead
local function add_dead_letter(id, body, now, reason)
  if not last_dead then last_dead = tonumber(redis.call('ZRANGE', KEYS[6], -1, -1, 'WITHSCORES')[2]) or 0 end
  -- Dead letters of the same millisecond are 0.001 ms apart, to keep their order.
  local time = tonumber(now)
  if time <= last_dead and last_dead < time + 1 then time = last_dead + 0.001 end
  last_dead = math.max(last_dead, time)
  redis.call('ZADD', KEYS[6], string.format('%.3f', time), id)
  redis.call('HSET', KEYS[7], id, body)
  redis.call('HSET', KEYS[8], id, reason)
end
