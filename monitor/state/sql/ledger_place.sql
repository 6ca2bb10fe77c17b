-- How far the sweep of the ledger has come.
SELECT run_id, user_id, artwork_id FROM {state}.ledger_sweep
