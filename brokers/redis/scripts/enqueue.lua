-- Stores messages, of any number of queues: all or none.
--
-- KEYS     three a group: list or sorted set, hash of bodies, wake list
-- ARGV     1 '1' when a call with the same ids may have gone through before · 2 number of groups · then the groups
-- returns  nothing
--@include signal
--@include store
local at = 3
for _ = 1, tonumber(ARGV[2]) do
  at = store(at, ARGV[1] == '1')
end
