-- Rings for one idle worker, unless the bell rings already: a token on the wake list of the queue. A worker that
-- took all it could carry and left something behind rings for the next one.
local function signal(wake)
  if redis.call('EXISTS', wake) == 0 then redis.call('RPUSH', wake, '1') end
end
