-- Stores results, each as a list with one element and a time to live, and notifies their waiters.
--
-- KEYS     two per result: its key · the key of its traceback
-- ARGV     four per result: value · time to live (ms) · traceback or '' · channel of the waiters
-- returns  nothing
for place = 1, #KEYS, 2 do
  local key, trace, at = KEYS[place], KEYS[place + 1], 2 * place - 1
  redis.call('DEL', key, trace)
  redis.call('LPUSH', key, ARGV[at])
  redis.call('PEXPIRE', key, ARGV[at + 1])
  if ARGV[at + 2] ~= '' then redis.call('SET', trace, ARGV[at + 2], 'PX', ARGV[at + 1]) end
  -- The user may lack the permission to publish; the waiters also poll.
  redis.pcall('PUBLISH', ARGV[at + 3], key)
end
