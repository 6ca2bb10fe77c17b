"""The metrics, by subject. Each module turns a snapshot into metric families; none keeps state.

build     gauges and counters from rows; nothing to say makes no family
service   the process's own: exported by every replica
census    the four counts and the users
checks    one set of series for each check
healing   totals, switches, the run in progress
"""
