-- Stores the group of messages that begins at ARGV[at] and gives back where the next begins.
--
-- A group is four arguments: place, count, 'list' or 'delayed', and a parcel. The parcel has all messages of the group
-- in one string, since many small arguments cost more than what they carry: id (36 characters), size of the body (four
-- bytes, big-endian), body, and for 'delayed' the due time (ms, a double, big-endian).
-- KEYS[place ..] : the list or sorted set, the hash of bodies, the wake list.
-- `again` says that this call may have been made before, its answer lost: what is there already is left alone.
local function store(at, again)
  local place, count, delayed = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), ARGV[at + 2] == 'delayed'
  local queue, bodies, wake = KEYS[place], KEYS[place + 1], KEYS[place + 2]
  local parcel, from = ARGV[at + 3], 1
  local head = delayed and tonumber(redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')[2])
  local sooner = false
  while count > 0 do
    -- In chunks, for what one call can take.
    local pairs_, members = {}, {}
    for _ = 1, math.min(count, 500) do
      local id, body, due
      if delayed then
        id, body, due, from = struct.unpack('>c36I4c0d', parcel, from)
      else
        id, body, from = struct.unpack('>c36I4c0', parcel, from)
      end
      if not (again and redis.call('HEXISTS', bodies, id) == 1) then
        pairs_[#pairs_ + 1] = id
        pairs_[#pairs_ + 1] = body
        if delayed then
          members[#members + 1] = due
          if not head or due < head then sooner = true end
        end
        members[#members + 1] = id
      end
    end
    if #members > 0 then
      redis.call('HSET', bodies, unpack(pairs_))
      redis.call(delayed and 'ZADD' or 'RPUSH', queue, unpack(members))
    end
    count = count - 500
  end
  -- Who waits for the delayed ones must hear of one that comes sooner than the one he waits for.
  if sooner or not delayed then signal(wake) end
  return at + 4
end
