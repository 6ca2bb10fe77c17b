"""Impressions deleted on purpose, as far as the tallies tell: many, of few users, at once.

A column that says since when a user's history counts would say it for certain; this needs none.
"""

from __future__ import annotations

from collections.abc import Iterator

from checks.doctor.findings import Finding, warning
from checks.doctor.input import DoctorInput, Vanished

CODE = "deleted_on_purpose"
LEAST = 10
"""Impressions that a user must have lost at once, and half of what there were."""
_FEW = 0.25
"""Of all users that the tallies know, at most so many are few."""
_MOST = 0.8
"""So much of what vanished must be theirs: a loss meets everybody."""


def looks_like_purpose(event: Vanished) -> bool:
    """Whether a few users lost what vanished between two tallies, and lack it still."""
    all_missing = event.missing + event.missing_of_others
    return (
        event.still_missing > 0
        and event.users <= max(1.0, _FEW * event.everybody)
        and event.missing >= _MOST * all_missing
    )


def deleted_on_purpose(given: DoctorInput) -> Iterator[Finding]:
    """A history that was cleared looks like impressions that were never recorded."""
    events = [one for one in given.evidence.vanished if looks_like_purpose(one)]
    if not events:
        return
    newest, users = events[0], sum(one.users for one in events)
    missing, before = sum(one.missing for one in events), sum(one.before for one in events)
    yield warning(
        CODE,
        given.spec.impressions.table,
        problem=(
            f"{missing:,} of the {before:,} impressions of {users:,} users vanished at once, the"
            f" last by {newest.until:%Y-%m-%d %H:%M %Z}, while their artworks are still there and"
            f" all other users lost {sum(one.missing_of_others for one in events):,}: they look"
            " deleted on purpose, as by clearing a history."
        ),
        consequence=(
            f"Healing writes {sum(one.still_missing for one in events):,} of them back as seen."
        ),
        remedy=(
            "-- keep them out: catalog.users.created_at names a column with the moment since when"
            " a user's history counts; or let catalog.users.table be a view that has it, or that"
            " leaves these users out"
        ),
    )
