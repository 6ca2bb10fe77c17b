"""Healing: the only place whose statements write user data.

planner, undo_planner   a run and what is frozen in it, in one transaction
preview       what a run would do, read-only, for people before they agree
executor      works a run to its end, batch by batch and pass by pass, or puts it down
strategies    what runs of one kind write, how they are verified, what follows from their end
writer        one batch: the app's rows, ledger, cursor and counters in one transaction
batch         the records of one batch
heal_rows, undo_rows   the rows of a batch; a single one that is refused is passed over
slices        which part of the work list the next batch takes (pure)
batch_size    how many rows a batch takes and how long to rest (pure)
retry         one batch again, or smaller, as its error allows
sqlstates     which errors speak of single rows (pure)
pauses, wait_times   the time between two batches, and where it is kept
throttle/     what a run yields to
verification  counts again
quarantine    how many pairs wait there, and how they get out
errors        why no run begins, and why one stops, with the sentences for people
statements    the statements of sql/, rendered for one catalogue
"""
