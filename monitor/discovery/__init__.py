"""From a URL to the first right number: what a database could be, as settings with their evidence.

discover   the whole of it, in one read-only transaction: read, look, draft the best
draft      one catalog: what names, keys and rows say, then round by round what doctor proposes
notes      the catalog while it grows, with its evidence
questions  what is left to be asked; sampled values masked
proposals  the settings that doctor's findings propose
render     a draft as YAML with its evidence in comments, and the file to be written
"""
