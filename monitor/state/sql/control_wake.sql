-- The leader is to count at once: it compares this moment with the one that it saw before.
UPDATE {state}.control SET woken_at = clock_timestamp()
