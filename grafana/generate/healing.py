"""*Healing*: for whoever is on call."""

from __future__ import annotations

from grafana.generate.alerts import HEALING, HEALTH
from grafana.generate.dashboards import dashboard
from grafana.generate.panels import GREEN, SELECT, Json, Panel, Query, Row, Step, said, series, stat

TARGET_SECONDS = 0.25
"""healing.pace.batch_target, as it is unless configured otherwise."""
_RATE = "[$__rate_interval]"


def _most(metric: str) -> str:
    return f"max by (job) ({metric}{{{SELECT}}})"


def _rate(metric: str, by: str = "job") -> str:
    return f"sum by ({by}) (rate({metric}{{{SELECT}}}{_RATE}))"


def _increase(metric: str, by: str = "job") -> str:
    return f"sum by ({by}) (increase({metric}{{{SELECT}}}{_RATE}))"


def _switch() -> Panel:
    return Panel(
        "Switches",
        "Paused: nobody writes. Suspended: only people heal. Breaker: healing has stopped until a"
        " person has looked and runs `conservator reset-breaker`.",
        "stat",
        "none",
        (
            Query(_most("conservator_healing_paused"), "paused"),
            Query(_most("conservator_healing_suspended"), "suspended"),
            Query(_most("conservator_healing_breaker_open"), "breaker open"),
        ),
        8,
        4,
        steps=(GREEN, Step(1, "red")),
        mappings=said((0, "no", "green"), (1, "yes", "red")),
        options={
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "textMode": "value_and_name",
            "orientation": "auto",
        },
    )


def _now() -> tuple[Panel, ...]:
    return (
        _switch(),
        stat(
            "A run is active",
            "A heal run or an undo.",
            "none",
            _most("conservator_heal_active"),
            mappings=said((0, "no", "text"), (1, "yes", "blue")),
        ),
        stat(
            "Remaining",
            "Rows of the active run's plan that are not written yet.",
            "short",
            _most("conservator_heal_remaining"),
        ),
        stat(
            "Time left",
            "Remaining rows at the pace of the last minutes. Empty while nothing is written.",
            "s",
            f"{_most('conservator_heal_remaining')}"
            f" / ({_rate('conservator_heal_impressions_total')} > 0)",
        ),
        stat(
            "Quarantined pairs",
            "Pairs whose impression the database refuses. Each is tried again once a day.",
            "short",
            _most("conservator_heal_quarantined"),
            steps=(GREEN, Step(1, "orange")),
        ),
    )


def _pace() -> tuple[Panel, ...]:
    return (
        series(
            "Rows a second",
            "Impressions written by healing, and taken back by undo.",
            "short",
            Query(_rate("conservator_heal_impressions_total"), "written"),
            Query(_rate("conservator_heal_undone_impressions_total"), "taken back"),
        ),
        series(
            "Time spent waiting, by reason",
            "The share of the time in which a run yielded, and to what. duty is the rest after each"
            " batch, which bounds the share of writing without any signal.",
            "percentunit",
            Query(_rate("conservator_heal_throttled_seconds_total", "reason"), "{{reason}}"),
            stacked=True,
        ),
        Panel(
            "Batch time",
            "How long batches took. Their size is chosen so that nine in ten stay below"
            " healing.pace.batch_target, 250 ms unless configured otherwise.",
            "heatmap",
            "s",
            (
                Query(
                    _increase("conservator_heal_batch_duration_seconds_bucket", "le"),
                    "{{le}}",
                    form="heatmap",
                ),
            ),
            12,
            8,
            options={
                "calculate": False,
                "cellGap": 1,
                "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5},
                "yAxis": {"unit": "s", "axisPlacement": "left"},
                "legend": {"show": True},
                "tooltip": {"mode": "single", "yHistogram": False},
            },
        ),
        series(
            "Batch time, nine in ten",
            "The 90th percentile against the default target.",
            "s",
            Query(
                "histogram_quantile(0.9, "
                f"{_rate('conservator_heal_batch_duration_seconds_bucket', 'job, le')})",
                "p90",
            ),
            steps=(GREEN, Step(TARGET_SECONDS, "red")),
            line_at=True,
        ),
    )


def _happened() -> tuple[Panel, ...]:
    return (
        series(
            "Runs",
            "Runs that ended, per-user backfills included, and those that failed.",
            "short",
            Query(_increase("conservator_heal_runs_total"), "ended"),
            Query(_increase("conservator_heal_failures_total"), "failed"),
            bars=True,
        ),
        series(
            "Refusals",
            "Healing would have been due and was refused, by reason.",
            "short",
            Query(_increase("conservator_heal_refusals_total", "reason"), "{{reason}}"),
            bars=True,
        ),
        series(
            "Legacy untracked",
            "What there is to heal.",
            "short",
            Query(
                f'max by (job) (conservator_artworks{{state="legacy_untracked",{SELECT}}})',
                "legacy untracked",
            ),
        ),
        Panel(
            "Leader",
            "Which replica counts, checks and heals. Never none for long, never two.",
            "state-timeline",
            "none",
            (Query(f"conservator_leader{{{SELECT}}}", "{{instance}}"),),
            12,
            8,
            mappings=said((0, "stands by", "text"), (1, "leads", "green")),
            options={
                "mergeValues": True,
                "showValue": "never",
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
                "tooltip": {"mode": "single", "sort": "none"},
            },
            custom={"fillOpacity": 80, "lineWidth": 0},
        ),
    )


def healing() -> Json:
    """The document."""
    return dashboard(
        HEALING,
        "conservator / Healing",
        "What healing does, how fast, what it waits for, and why it does not.",
        (Row("Right now", _now()), Row("Pace", _pace()), Row("What happened", _happened())),
        other=("Gallery health", HEALTH),
    )
