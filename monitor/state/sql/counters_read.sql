-- All totals.
SELECT name, label, value FROM {state}.counter
