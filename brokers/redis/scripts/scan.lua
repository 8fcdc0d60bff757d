-- Reads a page of the stored messages of a queue, those whose bodies contain a text.
--
-- KEYS     1 a hash of bodies · 2 the sorted set of delayed messages, if it is their hash; otherwise 2 taken · 3 to 12 the
--          ten lists
-- ARGV     1 cursor · 2 approximate number to look at · 3 the text, or ''
-- returns  { next cursor, id, state, body, … }; the state is 'delayed', 'ready' or 'held'
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local text, reply = ARGV[3], { page[1] }

-- A message is in a list or in a worker's hand. Workers in Python don't tell which ones they hold: if the numbers don't
-- add up, the lists are searched.
local exact
local function adds_up()
  local ready = 0
  for place = 3, 12 do ready = ready + redis.call('LLEN', KEYS[place]) end
  return redis.call('HLEN', KEYS[1]) == ready + redis.call('SCARD', KEYS[2])
end

local function is_listed(id)
  for place = 3, 12 do
    if redis.call('LPOS', KEYS[place], id) then return true end
  end
  return false
end

local function state_of(id)
  if #KEYS == 2 then return 'delayed' end
  if exact == nil then exact = adds_up() end
  if exact then return redis.call('SISMEMBER', KEYS[2], id) == 1 and 'held' or 'ready' end
  return is_listed(id) and 'ready' or 'held'
end

for at = 1, #page[2], 2 do
  local id, body = page[2][at], page[2][at + 1]
  if text == '' or string.find(body, text, 1, true) then
    reply[#reply + 1] = id
    reply[#reply + 1] = state_of(id)
    reply[#reply + 1] = body
  end
end
return reply
