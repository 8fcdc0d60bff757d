-- Reads a page of dead letters, oldest first; those of the same time by their ids.
--
-- KEYS     1 dead letters · 2 dead bodies · 3 dead reasons
-- ARGV     1 page size · 2 letters up to this time (ms) have expired · 3 time and 4 id of the last one seen, or ''
-- returns  { id, time, body, reason and traceback (JSON) or '', … }; one more than the page size if there are more
-- Compares by bytes, the order that Redis uses: the result of < on strings depends on the locale of the server.
local function is_after(one, other)
  for at = 1, math.min(#one, #other) do
    local a, b = string.byte(one, at), string.byte(other, at)
    if a ~= b then return a > b end
  end
  return #one > #other
end

local limit = tonumber(ARGV[1]) + 1
local after_time, after_id = ARGV[3], ARGV[4]
local from = '(' .. ARGV[2]
if after_time ~= '' and tonumber(after_time) > tonumber(ARGV[2]) then from = after_time end
local reply, offset, found = {}, 0, 0
while found < limit do
  local page = redis.call('ZRANGEBYSCORE', KEYS[1], from, '+inf', 'WITHSCORES', 'LIMIT', offset, limit)
  for index = 1, #page, 2 do
    local id, time = page[index], page[index + 1]
    if found < limit and (time ~= after_time or is_after(id, after_id)) then
      found = found + 1
      reply[#reply + 1] = id
      reply[#reply + 1] = time
      reply[#reply + 1] = redis.call('HGET', KEYS[2], id) or ''
      reply[#reply + 1] = redis.call('HGET', KEYS[3], id) or ''
    end
  end
  if #page < 2 * limit then break end
  offset = offset + limit
end
return reply
