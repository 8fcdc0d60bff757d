-- Makes delayed messages due.
--
-- KEYS     1 delayed · 2 wake list
-- ARGV     their ids
-- returns  nothing
--@include signal
local due = false
for _, id in ipairs(ARGV) do
  if redis.call('ZSCORE', KEYS[1], id) then
    redis.call('ZADD', KEYS[1], 0, id)
    due = true
  end
end
if due then signal(KEYS[2]) end
