"""The service's own tables: their schema and upgrades, and what is kept in them.

schema      creates and upgrades the tables (migrations/), checks that they are current
control     pause, suspension, the last verified cutoff
counters    totals that survive restarts
history     censuses and decisions, a row each
quarantine  pairs that the database refuses to take
runs        runs as rows: their states, leases and cursors
transitions   every legal change of a run's state, as data, and who carries it out
sql/        every statement over these tables, one a file
"""
