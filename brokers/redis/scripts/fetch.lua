-- Takes messages for a worker. Due messages are promoted first. Then messages are taken by priority, highest first, and
-- within a priority oldest first. The body of a taken message stays in its hash; its id moves to the worker's ack set.
--
-- KEYS     1 heartbeats · 2 ack set · 3 bodies · 4 taken · 5 deliveries · 6 begun · 7 wake list · 8 delayed
--          9 delayed bodies · 10 Dramatiq's delay queue · 11 to 20 the lists of priority 9 down to 0 · 21 the set of
--          cancelled ids
-- ARGV     1 worker · 2 now (ms), or '' if unknown in advance · 3 maximum number, up to 500 · 4 how near a due time
--          must be to wake another worker for it (ms) · 5 how far the caller's clock is ahead of the Redis clock (ms),
--          used if now is ''
-- returns  { next due time or '', length of the delay queue, { priority, count, … }, { index, deliveries, … }, sizes,
--          packed, time of the Redis clock (ms), 1 if some message is cancelled }
--          sizes: of each id and body, four bytes big-endian each; packed: id, body, id, body, …, in one string, since
--          many small replies cost more than their content
--@include signal
--@include clock
--@include count-lost
local heartbeats, acks, bodies, taken, deliveries, begun, wake, delayed, delayed_bodies, delay_queue = unpack(KEYS, 1, 10)
local time = clock()
local worker, now, limit = ARGV[1], tonumber(ARGV[2]) or time + ARGV[5], tonumber(ARGV[3])
local lists = 11

local function promote()
  local ids = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, 256)
  local stored = redis.call('HMGET', delayed_bodies, unpack(ids))
  redis.call('ZREM', delayed, unpack(ids))
  redis.call('HDEL', delayed_bodies, unpack(ids))
  local pairs_, by_list = {}, {}
  for index, id in ipairs(ids) do
    local body = stored[index]
    if body then
      -- The first character is the priority, see keys.ts.
      local list = KEYS[lists + 9 - (string.byte(body, 1) - 48)]
      pairs_[#pairs_ + 1] = id
      pairs_[#pairs_ + 1] = string.sub(body, 2)
      by_list[list] = by_list[list] or {}
      table.insert(by_list[list], id)
    end
  end
  if #pairs_ > 0 then redis.call('HSET', bodies, unpack(pairs_)) end
  for list, members in pairs(by_list) do redis.call('RPUSH', list, unpack(members)) end
end

local head = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
if head[2] and tonumber(head[2]) <= now then
  promote()
  head = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
end

local delayed_by_python = redis.call('LLEN', delay_queue)
local runs, repeats, sizes, packed = {}, {}, {}, {}
local left = limit

local function take(list, priority)
  -- The first write of the script is one that a full Redis allows. The other writes are then allowed, too.
  local ids = redis.call('LPOP', list, left)
  if not ids or #ids == 0 then return end
  local found = redis.call('HMGET', bodies, unpack(ids))
  -- An id that was in the list and is in `taken` was requeued by a Python worker, which doesn't know our counts.
  local lost = redis.call('SMISMEMBER', taken, unpack(ids))
  redis.call('SADD', acks, unpack(ids))
  redis.call('SADD', taken, unpack(ids))
  for index, id in ipairs(ids) do
    if lost[index] == 1 then count_lost(deliveries, begun, id) end
  end
  local counts = redis.call('EXISTS', deliveries) == 1 and redis.call('HMGET', deliveries, unpack(ids))
  local given = 0
  for index, id in ipairs(ids) do
    local body = found[index]
    if body then
      if counts and counts[index] then
        repeats[#repeats + 1] = #packed / 2
        repeats[#repeats + 1] = counts[index] + 1
      end
      packed[#packed + 1] = id
      packed[#packed + 1] = body
      sizes[#sizes + 1] = #id
      sizes[#sizes + 1] = #body
      given = given + 1
    else
      redis.call('SREM', acks, id)
      redis.call('SREM', taken, id)
    end
  end
  left = left - #ids
  if given > 0 then
    runs[#runs + 1] = priority
    runs[#runs + 1] = given
  end
end

if redis.call('EXISTS', unpack(KEYS, lists, lists + 8)) > 0 then
  for priority = 9, 1, -1 do
    if left > 0 then take(KEYS[lists + 9 - priority], priority) end
  end
end
if left > 0 then take(KEYS[lists + 9], 0) end
redis.call('ZADD', heartbeats, time, worker)

local cancelled = 0
if left < limit then
  -- In the step that takes the messages: one that is marked before it is taken won't run.
  cancelled = redis.call('EXISTS', KEYS[21])
  local behind = left == 0 and redis.call('EXISTS', unpack(KEYS, lists, lists + 9)) > 0
  -- This worker may be busy by then: another one must learn of a due time that comes before its next poll.
  local soon = head[2] and tonumber(head[2]) < now + tonumber(ARGV[4])
  if behind or soon then signal(wake) end
end
local packed_sizes = #sizes > 0 and struct.pack('>' .. string.rep('I4', #sizes), unpack(sizes)) or ''
return { head[2] or '', delayed_by_python, runs, repeats, packed_sizes, table.concat(packed), time, cancelled }
