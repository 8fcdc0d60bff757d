-- The time of the Redis clock (ms). Heartbeats use it: machines with different clocks must not declare each other dead.
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
