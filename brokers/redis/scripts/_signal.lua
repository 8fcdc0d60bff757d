-- Rings for one idle worker, unless the bell rings already: a token on the wake list of the queue. A worker that
-- took all it could carry and left something behind rings for the next one. A token that nobody takes in a few
-- seconds is of no use any more: by then everybody has looked by himself.
local function signal(wake)
  if redis.call('EXISTS', wake) == 1 then return end
  redis.call('RPUSH', wake, '1')
  redis.call('PEXPIRE', wake, 5000)
end
