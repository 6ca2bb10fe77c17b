"""Healing: the only place whose statements write user data.

planner, undo_planner   a run and what is frozen in it, in one transaction
preview       what a run would do, read-only, for people before they agree
executor      works a run to its end, batch by batch and pass by pass, or puts it down
strategy      what a kind of run has to say: its rows, how it is verified, what follows from its end
heal_strategy, undo_strategy   the kinds; a single row that is refused is passed over
writer        one batch in one transaction, again or smaller as its error allows
batch_size    how many rows a batch takes, of whom, and how long to rest (pure)
pauses        the time between two batches, and where it is kept
throttle/     what a run yields to
verification  counts again, and judges
quarantine    how pairs that are refused get there, how many wait, how they get out
sqlstates     what an error of the database means for a batch
errors        why no run begins, and why one stops, with the sentences for people
statements    the statements of sql/, rendered for one catalogue
"""
