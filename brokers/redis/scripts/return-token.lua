-- Puts a wake-up back that reached a worker which no longer needed it.
--
-- KEYS     1 wake list
-- returns  nothing
--@include signal
signal(KEYS[1])
