-- Whether the ledger has a row of one of these runs. One probe a run.
SELECT EXISTS (
    SELECT 1 FROM {state}.backfilled_impression AS b WHERE b.run_id = ANY (%(runs)s::bigint[])
)
