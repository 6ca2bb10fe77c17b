-- The share that was accepted has fallen to max_share: from here on that is the limit again.
UPDATE {state}.control SET accepted_share = NULL WHERE accepted_share IS NOT NULL
