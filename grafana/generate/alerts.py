"""Every alert, as plain data: one source for Prometheus and for Grafana.

Expressions take `last_over_time` of five minutes, so that a missed scrape, or a leader that is
replaced, ends no alert; and they are aggregated by job, because only the leader exports census,
checks and healing, and the leader changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

HEALTH = "conservator-health"
HEALING = "conservator-healing"
"""The dashboards, by uid."""
JOB = "conservator"
"""The job of the scrape configuration; only what is said about targets needs it."""


class Severity(StrEnum):
    """Who is to look, and when."""

    CRITICAL = "critical"
    """Somebody, now."""
    WARNING = "warning"
    """Somebody, today."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. Texts are Prometheus templates; `$value` is that of `expr`."""

    name: str
    expr: str
    hold: str
    """How long it must be so before the alert fires."""
    severity: Severity
    summary: str
    description: str
    dashboard: str
    panel: str
    """The panel of the dashboard that shows it, by title."""
    keep: str | None = None
    """How long it goes on firing, where the expression flaps."""
    absent: bool = False
    """It is about missing data: no data means that all is well with it."""


def _latest(metric: str) -> str:
    return f"last_over_time({metric}[5m])"


def _most(metric: str) -> str:
    return f"max by (job) ({_latest(metric)})"


def _outcome(check: str, outcome: str) -> str:
    return _most(f'conservator_check_outcome{{check="{check}",outcome="{outcome}"}}')


LEGACY = 'conservator_artworks{state="legacy_untracked"}'

ALERTS = (
    Alert(
        name="ConservatorLegacyUntracked",
        expr=f"{_most(LEGACY)} > 0",
        hold="30m",
        severity=Severity.WARNING,
        summary="{{ $value }} old artworks come round again, and healing has not ended it.",
        description=(
            "{{ $value }} pairs of user and artwork have had no impression for longer than healing"
            " takes: these artworks are shown again. Healing is off, refused, waiting, or too slow."
        ),
        dashboard=HEALTH,
        panel="Legacy untracked",
    ),
    Alert(
        name="ConservatorHealingRefused",
        expr="sum by (job, reason) (increase(conservator_heal_refusals_total[30m])) > 0",
        hold="15m",
        severity=Severity.WARNING,
        summary="Healing is refused: {{ $labels.reason }}.",
        description=(
            'Healing would be due and was refused {{ printf "%.0f" $value }} times within 30'
            " minutes, for the reason {{ $labels.reason }}."
        ),
        dashboard=HEALING,
        panel="Refusals",
        keep="10m",
    ),
    Alert(
        name="ConservatorBreakerOpen",
        expr=f"{_most('conservator_healing_breaker_open')} == 1",
        hold="1m",
        severity=Severity.CRITICAL,
        summary="The breaker is open: healing has stopped until a person has looked.",
        description=(
            "Too much is legacy, impressions have vanished, or runs change nothing: the data or the"
            " configuration is wrong. /api/healing and the status page say which."
        ),
        dashboard=HEALING,
        panel="Switches",
    ),
    Alert(
        name="ConservatorHealingPaused",
        expr=f"{_most('conservator_healing_paused')} == 1",
        hold="4h",
        severity=Severity.WARNING,
        summary="Healing has been paused for four hours.",
        description="Somebody has paused everything that writes, and nobody has resumed it.",
        dashboard=HEALING,
        panel="Switches",
    ),
    Alert(
        name="ConservatorHealingSuspended",
        expr=(
            f"({_most('conservator_healing_suspended')} == 1) and on (job) ({_most(LEGACY)} > 0)"
        ),
        hold="4h",
        severity=Severity.WARNING,
        summary="Automatic healing is off, and there is something to heal.",
        description=(
            "Since an undo, or in mode observe, nothing is healed by itself; for four hours there"
            " have been legacy-untracked pairs."
        ),
        dashboard=HEALING,
        panel="Switches",
    ),
    Alert(
        name="ConservatorHealingFailing",
        expr="sum by (job) (increase(conservator_heal_failures_total[1h])) > 0",
        hold="0m",
        severity=Severity.WARNING,
        summary="A heal run has failed.",
        description=(
            '{{ printf "%.0f" $value }} heal runs failed within an hour, by an error that trying'
            " again does not mend."
        ),
        dashboard=HEALING,
        panel="Runs",
        keep="30m",
    ),
    Alert(
        name="ConservatorPairsQuarantined",
        expr=f"{_most('conservator_heal_quarantined')} > 0",
        hold="1h",
        severity=Severity.WARNING,
        summary="{{ $value }} pairs can't be healed.",
        description=(
            "The database refuses the impressions of {{ $value }} pairs: a constraint, a trigger, a"
            " value out of range. They are tried again daily; these artworks are shown again"
            " meanwhile."
        ),
        dashboard=HEALING,
        panel="Quarantined pairs",
    ),
    Alert(
        name="ConservatorRecordingBroken",
        expr=f"{_most('conservator_legacy_untracked_recurring')} > 0",
        hold="5m",
        severity=Severity.WARNING,
        summary="{{ $value }} pairs appeared where all was healed before.",
        description=(
            "Within 24 hours {{ $value }} pairs lost their impression, or never got one, although"
            " their artworks are older than the last verified heal: the app's recording is broken,"
            " and healing only masks it."
        ),
        dashboard=HEALTH,
        panel="Aged and appeared",
        keep="1h",
    ),
    Alert(
        name="ConservatorRecordingStopped",
        expr=f"{_outcome('recording_rate', 'fail')} == 1",
        hold="0m",
        severity=Severity.CRITICAL,
        summary="The app records far fewer impressions than usual, or none.",
        description=(
            "The check recording_rate fails: the app records far fewer impressions than it usually"
            " does at this hour of the week. What is not recorded now is shown again later."
        ),
        dashboard=HEALTH,
        panel="Checks",
        keep="10m",
    ),
    Alert(
        name="ConservatorPoolExhaustion",
        expr=f"{_outcome('pool_exhaustion', 'fail')} == 1",
        hold="15m",
        severity=Severity.WARNING,
        summary="Users run out of unseen artworks.",
        description=(
            "More users than checks.pool_exhaustion.fail have fewer unseen artworks than its"
            " minimum. /api/checks/pool_exhaustion names the worst of them."
        ),
        dashboard=HEALTH,
        panel="Checks",
    ),
    Alert(
        name="ConservatorCheckFailing",
        expr=(
            'max by (job, check) (last_over_time(conservator_check_outcome{outcome="fail",'
            'check!~"census|recording_rate|pool_exhaustion"}[5m])) == 1'
        ),
        hold="15m",
        severity=Severity.WARNING,
        summary="The check {{ $labels.check }} fails.",
        description=(
            "{{ $labels.check }} has failed for 15 minutes. /api/checks/{{ $labels.check }} says"
            " since when, with examples."
        ),
        dashboard=HEALTH,
        panel="Checks",
    ),
    Alert(
        name="ConservatorCheckErroring",
        expr=(
            "max by (job, check)"
            ' (last_over_time(conservator_check_outcome{outcome="error"}[5m])) == 1'
        ),
        hold="30m",
        severity=Severity.WARNING,
        summary="The check {{ $labels.check }} can't be evaluated.",
        description=(
            "{{ $labels.check }} could not be evaluated for 30 minutes: nobody knows whether it"
            " would pass. /api/checks/{{ $labels.check }} says why."
        ),
        dashboard=HEALTH,
        panel="Checks",
    ),
    Alert(
        name="ConservatorDataStale",
        expr=(
            "time() - max by (job) (last_over_time("
            'conservator_check_last_success_timestamp_seconds{check="census"}[15m]))'
            " > 3 * max by (job)"
            ' (last_over_time(conservator_check_interval_seconds{check="census"}[15m])) + 60'
        ),
        hold="5m",
        severity=Severity.CRITICAL,
        summary="The last census is {{ $value | humanizeDuration }} old.",
        description=(
            "No census has been taken for more than three of its intervals. The counts have left"
            " /metrics, and nothing is healed."
        ),
        dashboard=HEALTH,
        panel="Age of the data",
    ),
    Alert(
        name="ConservatorDataMissing",
        expr='absent_over_time(conservator_artworks{state="legacy_untracked"}[15m])',
        hold="5m",
        severity=Severity.CRITICAL,
        summary="There are no counts at all.",
        description=(
            "No process has exported a census for 15 minutes: the service is gone, has never"
            " counted, or is not scraped."
        ),
        dashboard=HEALTH,
        panel="Age of the data",
        absent=True,
    ),
    Alert(
        name="ConservatorDown",
        expr=f'up{{job="{JOB}"}} == 0 or absent_over_time(up{{job="{JOB}"}}[10m])',
        hold="5m",
        severity=Severity.CRITICAL,
        summary="conservator can't be scraped.",
        description="Prometheus gets no answer from {{ $labels.instance }}, or knows no target.",
        dashboard=HEALTH,
        panel="Replicas",
        absent=True,
    ),
    Alert(
        name="ConservatorNoLeader",
        expr=f"{_most('conservator_leader')} == 0",
        hold="5m",
        severity=Severity.CRITICAL,
        summary="No replica leads.",
        description=(
            "Replicas answer, and none of them leads: nothing is counted, checked or healed. The"
            " lease can't be written, or is held by a process that is not scraped."
        ),
        dashboard=HEALING,
        panel="Leader",
    ),
    Alert(
        name="ConservatorSeveralLeaders",
        expr="sum by (job) (conservator_leader) > 1",
        hold="2m",
        severity=Severity.CRITICAL,
        summary="{{ $value }} replicas lead at the same time.",
        description=(
            "Replicas of one job lead {{ $value }} times: they work on different databases or state"
            " schemas, and their sums count double."
        ),
        dashboard=HEALING,
        panel="Leader",
    ),
    Alert(
        name="ConservatorDatabaseDown",
        expr="min by (job, instance) (last_over_time(conservator_database_up[5m])) == 0",
        hold="5m",
        severity=Severity.CRITICAL,
        summary="{{ $labels.instance }} can't reach its database.",
        description=(
            "The replica {{ $labels.instance }} gets no answer from its database, or the server has"
            " become read-only. /readyz says what is wrong."
        ),
        dashboard=HEALTH,
        panel="Replicas",
    ),
)
