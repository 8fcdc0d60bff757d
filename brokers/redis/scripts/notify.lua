-- Wakes the waiters of an event: Dramatiq's by an element on its list, ours by a published message.
--
-- KEYS     1 list of the event
-- ARGV     1 time to live (ms) · 2 channel
-- returns  nothing
-- The first write is one that a full Redis allows. The other writes are then allowed, too.
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('RPUSH', KEYS[1], 'x')
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.pcall('PUBLISH', ARGV[2], KEYS[1])
