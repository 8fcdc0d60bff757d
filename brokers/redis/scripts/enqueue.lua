-- Stores messages of any number of queues: all or none, and only once, however often the call is made and in whatever
-- order its attempts arrive. Those on a dropped connection may arrive late.
--
-- KEYS     1 mark of the call · then three per destination: list or sorted set, hash of bodies, wake list
-- ARGV     1 how long the mark is kept (ms) · 2 number of groups · then the groups
-- returns  nothing
--@include signal
--@include store
-- Looking for the bodies would not be enough: a fast worker may have processed the messages by now.
local left = redis.call('PTTL', KEYS[1])
if left ~= -2 then
  -- The call was retried, so more attempts may still arrive.
  if left < tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
  return
end
-- The first write is one that a full Redis refuses: then nothing is stored at all.
redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
local at = 3
for _ = 1, tonumber(ARGV[2]) do at = store(at) end
