"""What is released, as others get it: `make dist`.

build       wheel and sdist of the tracked files, twice, from two places: the same bytes
installed   an environment for each extra, not editable, and what is typed there in an empty folder
trials      the list of it: a command, a line
supply      the bill of materials, and the licence of every dependency

It runs in an environment of its own (requirements/dist.txt), and imports nothing of ours.
"""
