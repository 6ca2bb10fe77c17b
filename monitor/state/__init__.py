"""The service's own tables: their schema and upgrades, and what is kept in them.

schema        creates and upgrades the tables by migrations, checks that they are current
statements    runs the statements by name, and makes records of what they find
control       pause, suspension, breaker, the last verified cutoff
counters      totals that survive restarts
history       censuses, and what is pruned with them
checks        results of checks, samples of the recording rate, reports of expectations
runs          runs as rows: their states, leases and cursors, and what is kept of each
transitions   every legal change of a run's state, as data, and who carries it out
sql/          every statement over these tables, one a file
"""
