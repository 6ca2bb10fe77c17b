"""Statistics of our own tables that are of another moment than what is there."""

from __future__ import annotations

OURS_ARE_EMPTY = """
UPDATE pg_class SET reltuples = 0, relpages = 1
WHERE relnamespace = to_regnamespace('conservator') AND relkind = 'r'
"""
"""As an ANALYZE leaves them that came just after the last row had gone: PostgreSQL expects one row
of each, however many have been written since."""
