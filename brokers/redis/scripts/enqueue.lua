-- Stores messages, of any number of queues: all or none, and once, however often the call is made.
--
-- KEYS     1 mark of the call · then three a group: list or sorted set, hash of bodies, wake list
-- ARGV     1 '1' when the call may have gone through before · 2 how long the mark is kept (ms) · 3 number of groups
--          then the groups
-- returns  nothing
--@include signal
--@include store
-- The bodies don't tell: a quick worker may be through with them by now.
if ARGV[1] == '1' and redis.call('EXISTS', KEYS[1]) == 1 then return end
-- The first write, and one that a full Redis refuses: then nothing is stored at all.
redis.call('SET', KEYS[1], '', 'PX', ARGV[2])
local at = 4
for _ = 1, tonumber(ARGV[3]) do at = store(at) end
