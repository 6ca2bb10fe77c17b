"""The census and the users: gone from the exposition once they are too old."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from checks.census import AffectedUsers, Census
from exporters.current import current_census, current_users
from exporters.prometheus.build import Row, gauge, gauges
from monitor.status import Status


def census_families(status: Status, now: float) -> Iterator[Metric]:
    """What the newest census counted, and how many users it concerns."""
    census, users = current_census(status, now), current_users(status, now)
    if census is not None:
        yield from _counts(census)
    yield from gauges(
        "users",
        "Users by state: affected (at least one legacy_untracked pair), clear, untracked"
        " (outside the audience for having no impression).",
        ("state",),
        _user_rows(census, users),
    )


def _counts(census: Census) -> Iterator[Metric]:
    yield from gauges(
        "artworks",
        "Artworks in each state summed over the audience, in pairs of user and artwork;"
        " the four states add up to all pairs.",
        ("state",),
        [
            (("tracked",), census.tracked),
            (("fresh",), census.fresh),
            (("storage",), census.storage),
            (("legacy_untracked",), census.legacy_untracked),
        ],
    )
    yield from gauge(
        "legacy_untracked_artworks",
        "Distinct artworks with at least one legacy_untracked pair.",
        census.legacy_artworks,
    )
    yield from gauge(
        "legacy_untracked_appeared",
        "Pairs of legacy_untracked that appeared behind the cutoff of the last verified heal,"
        " rather than aged past it: recording is broken, or impressions vanish.",
        census.appeared,
    )
    yield from gauge(
        "legacy_untracked_oldest_created_timestamp_seconds",
        "When the oldest artwork with a legacy_untracked pair was created, in Unix seconds.",
        census.oldest_legacy_created,
    )


def _user_rows(census: Census | None, users: AffectedUsers | None) -> Iterator[Row]:
    if users is not None:
        yield ("affected",), users.affected
        yield ("clear",), users.clear
    if census is not None:
        yield ("untracked",), census.untracked_users
