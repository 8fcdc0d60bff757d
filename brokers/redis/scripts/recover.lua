-- Requeues the messages of one queue that a dead worker held, at the tail, and counts the lost delivery.
--
-- KEYS     1 heartbeats · 2 ack set of the dead worker · 3 bodies · 4 taken · 5 deliveries · 6 begun · 7 wake list
--          then the list (of a delay queue), or the ten lists of priority 9 down to 0
-- ARGV     1 dead worker · 2 how long a worker may be silent (ms) · 3 maximum number
-- returns  the number of messages; if it is the maximum, call again
--@include signal
--@include clock
--@include count-lost
--@include priority
local heartbeats, acks, bodies, taken, deliveries, begun, wake = unpack(KEYS, 1, 7)
local beat = tonumber(redis.call('ZSCORE', heartbeats, ARGV[1]))
if beat and beat > clock() - tonumber(ARGV[2]) then return 0 end
local ids = redis.call('SRANDMEMBER', acks, ARGV[3])
local moved = false
for _, id in ipairs(ids) do
  redis.call('SREM', acks, id)
  redis.call('SREM', taken, id)
  local body = redis.call('HGET', bodies, id)
  if body then
    moved = true
    local list = KEYS[8]
    if #KEYS > 8 then
      count_lost(deliveries, begun, id)
      list = KEYS[8 + 9 - priority_of(body)]
    end
    redis.call('RPUSH', list, id)
  end
end
if moved then signal(wake) end
return #ids
