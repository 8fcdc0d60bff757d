-- The time in Redis (ms). Heartbeats go by it: machines whose clocks differ must not take each other for dead.
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
