-- Stores the group of messages that begins at ARGV[at] and returns the index where the next group begins.
--
-- A group is five arguments, each with one field of all its messages, since many small arguments cost more than their
-- content: index of the destination in KEYS · ids, 36 characters each · sizes of the bodies in bytes, each followed by
-- a comma · bodies · due times (ms), each followed by a comma, or '' if the messages are ready.
-- KEYS[place ..] : the list or sorted set, the hash of bodies, the wake list.
local function store(at)
  local place, ids, sizes, packed, dues = tonumber(ARGV[at]), ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local queue, bodies, wake = KEYS[place], KEYS[place + 1], KEYS[place + 2]
  local delayed = dues ~= ''
  local head = delayed and tonumber(redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')[2])
  local next_due = delayed and string.gmatch(dues, '[^,]+')
  local sooner, first, from = false, 1, 1
  local pairs_, members = {}, {}

  -- In chunks, since the number of arguments of a call is limited.
  local function flush()
    if #members == 0 then return end
    redis.call('HSET', bodies, unpack(pairs_))
    redis.call(delayed and 'ZADD' or 'RPUSH', queue, unpack(members))
    pairs_, members = {}, {}
  end

  for size in string.gmatch(sizes, '[^,]+') do
    local id, body = string.sub(ids, first, first + 35), string.sub(packed, from, from + size - 1)
    local due = delayed and next_due()
    first, from = first + 36, from + size
    pairs_[#pairs_ + 1] = id
    pairs_[#pairs_ + 1] = body
    if delayed then
      members[#members + 1] = due
      if not head or tonumber(due) < head then sooner = true end
    end
    members[#members + 1] = id
    if #pairs_ >= 1000 then flush() end
  end
  flush()
  -- A worker that waits for the next due time must be woken for an earlier one.
  if sooner or not delayed then signal(wake) end
  return at + 5
end
