"""Healing: the only place whose statements write user data.

survey      what a run would do, read-only, for people before they agree
planning    a run and its frozen work list, in one snapshot
windows     which part of the work list the next batch takes (pure)
batches     one batch: impressions, ledger, cursor, counters in one transaction
inserts     the rows of a batch; a single pair that is refused goes into quarantine
refusals    which errors speak of single rows (pure)
quarantine  how many pairs wait there, and how they get out
pace        how many rows a batch takes and how long to rest (pure)
executor    works a run to its end, batch by batch, or puts it down
verification  counts again
undo        how undos are worked; undo_survey, undo_planning, undo_batches, undo_rows: their parts
sql/        the statements
"""
