-- Keeps results, each as a list of one for the time given, and tells those who wait for them.
--
-- KEYS     two a result: its key · the key of its traceback
-- ARGV     four a result: value · time to live (ms) · traceback or '' · channel of those who wait
-- returns  nothing
for place = 1, #KEYS, 2 do
  local key, trace, at = KEYS[place], KEYS[place + 1], 2 * place - 1
  redis.call('DEL', key, trace)
  redis.call('LPUSH', key, ARGV[at])
  redis.call('PEXPIRE', key, ARGV[at + 1])
  if ARGV[at + 2] ~= '' then redis.call('SET', trace, ARGV[at + 2], 'PX', ARGV[at + 1]) end
  -- Not everybody may publish; who waits looks again by himself.
  redis.pcall('PUBLISH', ARGV[at + 3], key)
end
