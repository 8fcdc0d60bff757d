-- Wakes those who wait for an event: an element on its list, for Dramatiq's, and a message to ours.
--
-- KEYS     1 list of the event
-- ARGV     1 time to live (ms) · 2 channel
-- returns  nothing
-- The first write is one that Redis allows when its memory is full, and the rest may then follow.
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('RPUSH', KEYS[1], 'x')
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.pcall('PUBLISH', ARGV[2], KEYS[1])
