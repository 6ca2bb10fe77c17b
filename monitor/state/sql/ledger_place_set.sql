-- The sweep goes on from here; from the start where the ids are null.
UPDATE {state}.ledger_sweep
SET run_id = %(run_id)s,
    user_id = %(user_id)s::{impression_user_cast}, artwork_id = %(artwork_id)s::{impression_artwork_cast}
