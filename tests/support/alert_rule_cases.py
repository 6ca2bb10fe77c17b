"""For every alert: series that make it fire, and series that must not, a value a minute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

J = 'job="conservator",instance="a:9855"'
OTHER = 'job="conservator",instance="b:9855"'

Input = Mapping[str, str]
"""Values in promtool's notation by series."""


@dataclass(frozen=True, slots=True)
class Case:
    """What happens from minute 0 on, and when the alert is looked at."""

    fires: Input
    quiet: Input
    at: str
    """A minute at which `fires` makes it fire, and `quiet` does not."""
    fires_without_data: bool = False
    """It is about missing data."""


def _gauge(name: str, value: float, labels: str = "") -> dict[str, str]:
    return {f"conservator_{name}{{{J}{',' + labels if labels else ''}}}": f"{value:g}x600"}


def _gauges(name: str, high: float, low: float, at: str, labels: str = "") -> Case:
    return Case(_gauge(name, high, labels), _gauge(name, low, labels), at)


def _outcome(check: str, outcome: str, other: str, at: str) -> Case:
    fires = _gauge("check_outcome", 1, f'check="{check}",outcome="{outcome}"')
    fires |= _gauge("check_outcome", 0, f'check="{check}",outcome="{other}"')
    quiet = _gauge("check_outcome", 0, f'check="{check}",outcome="{outcome}"')
    quiet |= _gauge("check_outcome", 1, f'check="{check}",outcome="{other}"')
    return Case(fires, quiet, at)


LEGACY = 'state="legacy_untracked"'
REPAIR = 'repair="orphans"'
_CENSUS = 'check="census"'
_LAST = f"conservator_check_last_success_timestamp_seconds{{{J},{_CENSUS}}}"
_UP = f"up{{{J}}}"
_LEADS = f"conservator_leader{{{J}}}"
_STANDS_BY = f"conservator_leader{{{OTHER}}}"

CASES: Mapping[str, Case] = {
    "ConservatorLegacyUntracked": _gauges("artworks", 7, 0, "40m", LEGACY),
    "ConservatorHealingRefused": Case(
        {f'conservator_heal_refusals_total{{{J},reason="max_share"}}': "0+1x600"},
        {f'conservator_heal_refusals_total{{{J},reason="max_share"}}': "5x600"},
        "30m",
    ),
    "ConservatorBreakerOpen": _gauges("healing_breaker_open", 1, 0, "5m"),
    "ConservatorHealingPaused": _gauges("healing_paused", 1, 0, "5h"),
    "ConservatorHealingSuspended": Case(
        _gauge("healing_suspended", 1) | _gauge("artworks", 7, LEGACY),
        _gauge("healing_suspended", 1) | _gauge("artworks", 0, LEGACY),
        "5h",
    ),
    "ConservatorHealingFailing": Case(
        {f"conservator_heal_failures_total{{{J}}}": "0x10 1x590"},
        {f"conservator_heal_failures_total{{{J}}}": "3x600"},
        "20m",
    ),
    "ConservatorPairsQuarantined": _gauges("heal_quarantined", 2, 0, "90m"),
    "ConservatorRecordingBroken": _gauges("legacy_untracked_recurring", 40, 0, "10m"),
    "ConservatorRecordingStopped": _outcome("recording_rate", "fail", "warn", "2m"),
    "ConservatorPoolExhaustion": _outcome("pool_exhaustion", "fail", "warn", "20m"),
    "ConservatorCheckFailing": _outcome("timestamps", "fail", "pass", "20m"),
    "ConservatorCheckErroring": _outcome("census", "error", "pass", "40m"),
    "ConservatorRepairFailing": Case(
        {f"conservator_repair_failures_total{{{J},{REPAIR}}}": "0x600"}
        | {f"conservator_repair_plan_errors_total{{{J},{REPAIR}}}": "0x10 1x590"},
        {f"conservator_repair_failures_total{{{J},{REPAIR}}}": "3x600"}
        | {f"conservator_repair_plan_errors_total{{{J},{REPAIR}}}": "2x600"},
        "20m",
    ),
    "ConservatorRepairRefused": _gauges("repair_breaker_open", 1, 0, "5m", REPAIR),
    "ConservatorRepairPending": _gauges("repair_pending", 7, 0, "5h", REPAIR),
    "ConservatorDataStale": Case(
        {_LAST: "0x600"} | _gauge("check_interval_seconds", 60, _CENSUS),
        {_LAST: "0+60x600"} | _gauge("check_interval_seconds", 60, _CENSUS),
        "20m",
    ),
    "ConservatorDataMissing": Case(
        _gauge("build_info", 1), _gauge("artworks", 0, LEGACY), "30m", fires_without_data=True
    ),
    "ConservatorDown": Case({_UP: "0x600"}, {_UP: "1x600"}, "10m", fires_without_data=True),
    "ConservatorNoLeader": Case(
        {_LEADS: "0x600", _STANDS_BY: "0x600"}, {_LEADS: "1x600", _STANDS_BY: "0x600"}, "20m"
    ),
    "ConservatorSeveralLeaders": Case(
        {_LEADS: "1x600", _STANDS_BY: "1x600"}, {_LEADS: "1x600", _STANDS_BY: "0x600"}, "10m"
    ),
    "ConservatorDatabaseDown": _gauges("database_up", 0, 1, "20m"),
}
