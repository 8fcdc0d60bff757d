-- Counts the delivery of a message whose worker died. The first one always counts. A later one counts only if the actor
-- had begun, which distinguishes a message that kills its workers from messages that were merely taken with it.
local function count_lost(deliveries, begun, id)
  local before = tonumber(redis.call('HGET', deliveries, id)) or 0
  local ran = redis.call('SREM', begun, id) == 1
  if before == 0 or ran then redis.call('HINCRBY', deliveries, id, 1) end
end
