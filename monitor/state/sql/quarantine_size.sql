-- How many pairs are put aside, due or not.
SELECT count(*) FROM {state}.quarantine
