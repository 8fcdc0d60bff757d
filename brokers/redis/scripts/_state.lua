-- Changes of the state. A change is nine arguments: kind · place of its key in KEYS · three operands · time to live (ms)
-- or '' · channel of its watchers or '' · place of the index of listed keys or '' · its name there. The kinds:
--   set     expected value: '' any, '-' none, or '=' and the value · new value: '-' deletes, or '=' and the value
--   add     member · '1' if it must not be in the set · the size that the set must stay below, or ''
--   remove  member
--   count   amount · least · most, each or ''
local function read_change(at)
  return ARGV[at], KEYS[tonumber(ARGV[at + 1])], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
end

-- Calls a command; false if its key is of another kind. Only a message of a foreign producer can name such a key. It must
-- be settled nevertheless.
local function call(...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  if string.find(reply.err, 'WRONGTYPE', 1, true) then return false end
  return redis.call(...)
end

-- Why one of the changes that begin at ARGV[at] can't be made: { its index, 1 if there is a value, the value, the size of
-- the set, 1 if the member is in it }. Nothing has been changed then.
local function refusal(at, count)
  for index = 0, count - 1 do
    local kind, key, a, b, c = read_change(at + 9 * index)
    if kind == 'add' and (b == '1' or c ~= '') then
      local member = call('SISMEMBER', key, a) or 1
      local size = call('SCARD', key) or 0
      if member == 1 and b == '1' or member == 0 and c ~= '' and size + 1 >= tonumber(c) then
        return { index, 0, '', size, member }
      end
    elseif kind == 'set' and a ~= '' or kind == 'count' then
      local value = call('GET', key)
      local allowed
      if kind == 'set' then
        allowed = a == (value and '=' .. value or '-')
      else
        local result = (tonumber(value) or 0) + tonumber(a)
        allowed = (b == '' or result >= tonumber(b)) and (c == '' or result <= tonumber(c))
      end
      if not allowed then return { index, value and 1 or 0, value or '', 0, 0 } end
    end
  end
end

-- Whether the changes only delete keys and remove members.
local function only_frees(at, count)
  for index = 0, count - 1 do
    local kind, _, _, value = read_change(at + 9 * index)
    if kind ~= 'remove' and not (kind == 'set' and value == '-') then return false end
  end
  return true
end

local function make_changes(at, count)
  for index = 0, count - 1 do
    local place = at + 9 * index
    local kind, key, a, b = read_change(place)
    local ttl, channel, listed, name = ARGV[place + 5], ARGV[place + 6], ARGV[place + 7], ARGV[place + 8]
    if kind == 'add' then
      call('SADD', key, a)
    elseif kind == 'remove' then
      call('SREM', key, a)
    elseif kind == 'set' and b == '-' then
      redis.call('DEL', key)
      if listed ~= '' then redis.call('ZREM', KEYS[tonumber(listed)], name) end
    else
      local value = kind == 'set' and string.sub(b, 2)
        or string.format('%.0f', (tonumber(call('GET', key)) or 0) + tonumber(a))
      redis.call('SET', key, value)
      if listed ~= '' then redis.call('ZADD', KEYS[tonumber(listed)], 0, name) end
    end
    if ttl ~= '' then redis.call('PEXPIRE', key, ttl) end
    -- The user may lack the permission to publish; watchers also poll then.
    if channel ~= '' then redis.pcall('PUBLISH', channel, '') end
  end
end
