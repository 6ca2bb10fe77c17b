-- The work list of a run over the audience.
INSERT INTO {state}.work (run_id, position, user_id, found, planned)
{work_list}
