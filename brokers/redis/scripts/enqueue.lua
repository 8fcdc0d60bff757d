-- Stores messages, of any number of queues: all or none, and once, however often the call is made, and in whatever order
-- its repetitions arrive: the bytes of a connection that was given up can come late.
--
-- KEYS     1 mark of the call · then three a group: list or sorted set, hash of bodies, wake list
-- ARGV     1 how long the mark is kept (ms) · 2 number of groups · then the groups
-- returns  nothing
--@include signal
--@include store
-- The bodies don't tell: a quick worker may be through with them by now.
local left = redis.call('PTTL', KEYS[1])
if left ~= -2 then
  -- It was made again, so that more of it may be on its way.
  if left < tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
  return
end
-- The first write, and one that a full Redis refuses: then nothing is stored at all.
redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
local at = 3
for _ = 1, tonumber(ARGV[2]) do at = store(at) end
