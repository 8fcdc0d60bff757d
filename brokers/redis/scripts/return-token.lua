-- Puts back a token that reached a process which no longer needs it.
--
-- KEYS     1 wake list
-- returns  nothing
--@include signal
signal(KEYS[1])
