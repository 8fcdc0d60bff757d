-- Makes changes of the state: all or none, and only once, however often the call is made.
--
-- KEYS     1 mark of the call · then the keys of the changes, see _state.lua
-- ARGV     1 how long the mark is kept (ms), or '' if the call may be executed twice · 2 number of changes · the changes
-- returns  nothing, or why nothing was changed, see _state.lua
--@include state
if ARGV[1] ~= '' then
  local earlier = redis.call('GET', KEYS[1])
  if earlier then return cjson.decode(earlier)[1] or nil end
end
local count = tonumber(ARGV[2])
local refused = refusal(3, count)
-- What only frees something must work in a full Redis: it lets a script continue that has begun with a deletion.
if only_frees(3, count) then redis.call('DEL', KEYS[1]) end
-- The first write is one that a full Redis refuses: then nothing is changed at all.
if ARGV[1] ~= '' then redis.call('SET', KEYS[1], cjson.encode({ refused or false }), 'PX', ARGV[1]) end
if refused then return refused end
make_changes(3, count)
