"""What a database that nobody has described could be: which of its tables hold users, artworks and
impressions, and what has to be said of them.

tables      every table with its columns and keys, out of PostgreSQL's catalogue; no row is read
words       what the names of tables and columns say
candidates  which tables fit together as the three, best first, by keys and names; pure
sampling    asks a bounded number of rows, each question in a savepoint and within its patience
moments     when an artwork was made, and when it was viewed
people      which users are meant: those that a key leads to, or a part of them
sets        who may be shown what, and what leaves artworks out
undecided   columns that may leave rows out, and whose names don't say so

A value that was sampled is never shown: how many rows, and of what kind, is all that is told.
"""
