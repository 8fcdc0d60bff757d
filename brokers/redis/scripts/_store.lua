-- Stores the group of messages that begins at ARGV[at] and gives back where the next begins.
-- A group: place, count, 'list' or 'delayed', then count times id and body, and for 'delayed' count times the due time.
-- KEYS[place ..] : the list or sorted set, the hash of bodies, the wake list.
-- `again` says that this call may have been made before, its answer lost: what is there already is left alone.
local function store(at, again)
  local place, count, delayed = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), ARGV[at + 2] == 'delayed'
  local queue, bodies, wake = KEYS[place], KEYS[place + 1], KEYS[place + 2]
  local first = at + 3
  local dues = first + 2 * count
  local head = delayed and tonumber(redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')[2])
  local sooner = false
  local chunk = 500
  for from = 0, count - 1, chunk do
    local to = math.min(from + chunk, count) - 1
    local members = {}
    for index = from, to do
      local id = ARGV[first + 2 * index]
      if not (again and redis.call('HEXISTS', bodies, id) == 1) then
        if delayed then
          local due = ARGV[dues + index]
          members[#members + 1] = due
          if not head or tonumber(due) < head then sooner = true end
        end
        members[#members + 1] = id
      end
    end
    if #members > 0 then
      redis.call('HSET', bodies, unpack(ARGV, first + 2 * from, first + 2 * to + 1))
      redis.call(delayed and 'ZADD' or 'RPUSH', queue, unpack(members))
    end
  end
  -- Who waits for the delayed ones must hear of one that comes sooner than the one he waits for.
  if sooner or not delayed then signal(wake) end
  return delayed and dues + count or dues
end
