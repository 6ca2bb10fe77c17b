-- The work list of a per-user run: that one user.
INSERT INTO {state}.work (run_id, position, user_id, found, planned)
VALUES (%(run_id)s, 1, %(user_id)s::{user_cast}, %(found)s, %(found)s)
