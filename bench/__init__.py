"""Benchmarks: ratios between contenders within one run, on throwaway servers.

options        what every command takes
servers        a throwaway PostgreSQL, copies of a database
gallery        the app's real tables at full size
measures       samples, medians, ratios, goals
report         one table for people, one JSON file a command
census         the four counts against count(*), the floor
backfill       a heal run against what people write by hand; contenders holds those
traffic        the app's p50 and p99 with and without healing; visitors is the app
service        the real `serve`: start, scrapes, memory; serving holds the process
recording      the recording-rate check on made-up traffic; apps makes it, watching watches it

`python -m bench` runs them all on one gallery; `python -m bench.NAME` one. `recording`
needs no server and is run by its own name only.
"""
