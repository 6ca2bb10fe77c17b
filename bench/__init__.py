"""Benchmarks: ratios between contenders within one run, on throwaway servers.

options        what every command takes
servers        a throwaway PostgreSQL, copies of a database
gallery        the app's real tables at full size
measures       samples, medians, ratios, goals
progress       what is being done, on stderr
report         one table for people, JSON files, the goals that were not reached
census         the four counts against count(*), the floor, and the plain anti-join; counting holds
               those, rivals the anti-join through other tools (expectation is one's process)
growth         four sizes and a line; as many impressions of ten times the pairs; memory
cold           the same counts with nothing in memory
backfill       a heal run (heal_run) against single statements (floors) and loops (contenders), each
               on a share of one gallery (shares)
repairs        a repair and its undo against bare statements, and the app beside it
healing_time   from a pair's becoming legacy until it is healed and verified
distance       a heal run through a proxy that holds everything back
traffic        the app's p50 and p99 with and without healing, in windows; visitors is the app
steady         what the service costs an hour, and a scrape; watched is it, costs reads it
service        the real `serve`: start, scrapes, memory; serving holds the process
readers        two hundred readers at once while the service heals
checks         the checks around the census
recording      the recording-rate check on made-up traffic; apps makes it, watching watches it

`python -m bench` runs them all on one gallery; `--only census cold` some, `python -m bench.NAME`
one. `recording` needs no server and is run by its own name only.
"""
