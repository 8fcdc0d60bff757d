-- Wakes one idle worker: pushes a token on the wake list of the queue, unless there is one. A worker that filled its
-- batch and left messages behind wakes the next one. A token that no worker takes within a few seconds is useless: by
-- then all of them have polled.
local function signal(wake)
  if redis.call('EXISTS', wake) == 1 then return end
  redis.call('RPUSH', wake, '1')
  redis.call('PEXPIRE', wake, 5000)
end
