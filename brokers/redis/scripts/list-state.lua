-- Lists keys of the state by a prefix, with their values. Removes those from the index that have expired.
--
-- KEYS     1 index of listed keys
-- ARGV     1 prefix · 2 the name after which to continue, or '' · 3 maximum number · 4 what the keys begin with in Redis
-- returns  { name, value, … }, then '' or the name after which to continue
local from = ARGV[2] == '' and '[' .. ARGV[1] or '(' .. ARGV[2]
local names = redis.call('ZRANGEBYLEX', KEYS[1], from, '[' .. ARGV[1] .. '\255', 'LIMIT', 0, ARGV[3])
local reply = {}
for _, name in ipairs(names) do
  local value = redis.call('GET', ARGV[4] .. name)
  if value then
    reply[#reply + 1] = name
    reply[#reply + 1] = value
  else
    redis.call('ZREM', KEYS[1], name)
  end
end
reply[#reply + 1] = #names == tonumber(ARGV[3]) and names[#names] or ''
return reply
