"""What calls answer, as types: `answers` builds them, mypy holds it to them, `openapi` publishes
them.

base      the common ground: moments, errors
alerts    what Alertmanager told
artworks  counts, backfills
checks    results of checks
healing   decision, switches, breaker
runs      runs, batches, undos
service   alive, ready

A field's docstring is its description in the published document. New fields may come at any time;
names and meanings stay.
"""
