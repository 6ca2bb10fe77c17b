-- The rows of the ledger, counted: where it is in shards, the planner here knows of none.
SELECT count(*) AS rows FROM {state}.backfilled_impression
