"""*Gallery health*: for whoever asks whether it is fine."""

from __future__ import annotations

from grafana.generate.alerts import HEALING, HEALTH
from grafana.generate.dashboards import dashboard
from grafana.generate.panels import GREEN, SELECT, Json, Panel, Query, Row, Step, said, series, stat

_RED_FROM_ONE = (GREEN, Step(1, "red"))
_OUTCOMES = said(
    (0, "pass", "green"), (1, "warn", "yellow"), (2, "fail", "red"), (3, "error", "purple")
)


def _state(state: str) -> str:
    return f'max by (job) (conservator_artworks{{state="{state}",{SELECT}}})'


def _counts() -> tuple[Panel, ...]:
    return (
        stat(
            "Legacy untracked",
            "Pairs of user and artwork that are old and have no impression: these artworks come"
            " round again. Anything but 0 is to be healed.",
            "short",
            _state("legacy_untracked"),
            steps=_RED_FROM_ONE,
        ),
        stat(
            "Tracked",
            "Pairs with an impression: seen, and known to be.",
            "short",
            _state("tracked"),
        ),
        stat(
            "Fresh",
            "Pairs without an impression whose artwork is minutes old: not seen yet.",
            "short",
            _state("fresh"),
        ),
        stat(
            "Storage",
            "Pairs without an impression whose artwork is days old: unseen, and rightly offered.",
            "short",
            _state("storage"),
        ),
        stat(
            "Users affected",
            "Users with at least one legacy-untracked pair.",
            "short",
            f'max by (job) (conservator_users{{state="affected",{SELECT}}})',
            steps=_RED_FROM_ONE,
        ),
        stat(
            "Oldest legacy artwork",
            "When the oldest artwork with a legacy-untracked pair was created. Empty: there is"
            " none.",
            "dateTimeFromNow",
            "min by (job)"
            f" (conservator_legacy_untracked_oldest_created_timestamp_seconds{{{SELECT}}}) * 1000",
            no_value="none",
        ),
    )


def _courses() -> tuple[Panel, ...]:
    return (
        series(
            "Legacy untracked over time",
            "With the threshold from which on the default configuration heals. Steps up are pairs"
            " that have aged past seven days, or whose impression is missing.",
            "short",
            Query(_state("legacy_untracked"), "legacy untracked"),
            steps=_RED_FROM_ONE,
            line_at=True,
        ),
        series(
            "Aged and appeared",
            "What is legacy-untracked, and why: aged past the cutoff of the last verified heal,"
            " which is routine, or appeared behind it. Recurring: appeared within 24 hours"
            " and was healed: the app's recording is broken.",
            "short",
            Query(
                f"{_state('legacy_untracked')} - max by (job)"
                f" (conservator_legacy_untracked_appeared{{{SELECT}}})",
                "aged",
            ),
            Query(f"max by (job) (conservator_legacy_untracked_appeared{{{SELECT}}})", "appeared"),
            Query(
                f"max by (job) (conservator_legacy_untracked_recurring{{{SELECT}}})", "recurring"
            ),
        ),
        series(
            "Pairs not tracked, by state",
            "Fresh and storage rise when artworks are created and fall as visitors see them.",
            "short",
            Query(
                "max by (state) (conservator_artworks"
                f'{{state=~"fresh|storage|legacy_untracked",{SELECT}}})',
                "{{state}}",
            ),
        ),
        series(
            "Users and artworks concerned",
            "Users by state, and distinct artworks with a legacy-untracked pair.",
            "short",
            Query(f"max by (state) (conservator_users{{{SELECT}}})", "users {{state}}"),
            Query(f"max by (job) (conservator_legacy_untracked_artworks{{{SELECT}}})", "artworks"),
        ),
    )


def _table() -> Panel:
    def instant(expr: str) -> Query:
        return Query(expr, instant=True, form="table")

    return Panel(
        "Checks",
        "The last outcome of every check, since when, and the number that it measured. Examples are"
        " on the status page and at /api/checks.",
        "table",
        "short",
        (
            instant(f"max by (check, outcome) (conservator_check_outcome{{{SELECT}}} == 1)"),
            instant(
                f"max by (check) (conservator_check_since_timestamp_seconds{{{SELECT}}}) * 1000"
            ),
            instant(f"max by (check) (conservator_check_value{{{SELECT}}})"),
            instant(
                "time() - max by (check)"
                f" (conservator_check_last_success_timestamp_seconds{{{SELECT}}})"
            ),
        ),
        12,
        12,
        options={"showHeader": True, "cellHeight": "sm"},
        overrides=(
            {
                "matcher": {"id": "byName", "options": "Since"},
                "properties": [{"id": "unit", "value": "dateTimeFromNow"}],
            },
            {
                "matcher": {"id": "byName", "options": "Age"},
                "properties": [{"id": "unit", "value": "s"}],
            },
        ),
        transformations=(
            {"id": "joinByField", "options": {"byField": "check", "mode": "outer"}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": {
                        "Time": True,
                        "Time 1": True,
                        "Time 2": True,
                        "Time 3": True,
                        "Time 4": True,
                        "Value #A": True,
                    },
                    "renameByName": {
                        "check": "Check",
                        "outcome": "Outcome",
                        "Value #B": "Since",
                        "Value #C": "Value",
                        "Value #D": "Age",
                    },
                    "indexByName": {},
                },
            },
        ),
    )


def _outcome_history() -> Panel:
    graded = " or ".join(
        f'(conservator_check_outcome{{outcome="{outcome}",{SELECT}}} * {grade})'
        for outcome, grade in (("pass", 0), ("warn", 1), ("fail", 2), ("error", 3))
    )
    return Panel(
        "Outcomes over time",
        "How each check came out. Purple: it could not be evaluated, so nobody knows.",
        "state-timeline",
        "none",
        (Query(f"max by (check) ({graded})", "{{check}}"),),
        12,
        12,
        mappings=_OUTCOMES,
        options={
            "mergeValues": True,
            "showValue": "never",
            "alignValue": "left",
            "rowHeight": 0.9,
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
            "tooltip": {"mode": "single", "sort": "none"},
        },
        custom={"fillOpacity": 80, "lineWidth": 0},
    )


def _watching() -> tuple[Panel, ...]:
    return (
        stat(
            "Age of the data",
            "How long ago the last census was taken. Beyond three of its intervals the counts leave"
            " /metrics.",
            "s",
            "time() - max by (job) (conservator_check_last_success_timestamp_seconds"
            f'{{check="census",{SELECT}}})',
            steps=(GREEN, Step(180, "red")),
            width=6,
            height=8,
        ),
        Panel(
            "Replicas",
            "Every process: whether its database answers.",
            "state-timeline",
            "none",
            (Query(f"conservator_database_up{{{SELECT}}}", "{{instance}}"),),
            6,
            8,
            mappings=said((0, "database down", "red"), (1, "up", "green")),
            options={
                "mergeValues": True,
                "showValue": "never",
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
                "tooltip": {"mode": "single", "sort": "none"},
            },
            custom={"fillOpacity": 80, "lineWidth": 0},
        ),
        Panel(
            "Read replica",
            "Whether the checks read the replica or, because it lags or can't be reached, the"
            " primary; empty where database.read_url is not set.",
            "state-timeline",
            "none",
            (Query(f"max by (job) (conservator_read_replica_used{{{SELECT}}})", "{{job}}"),),
            6,
            8,
            mappings=said((0, "primary read", "orange"), (1, "replica read", "green")),
            options={
                "mergeValues": True,
                "showValue": "never",
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
                "tooltip": {"mode": "single", "sort": "none"},
            },
            custom={"fillOpacity": 80, "lineWidth": 0},
        ),
        series(
            "What checks cost",
            "Seconds that the last run of each check took, and its interval in effect: a check that"
            " costs more than its budget runs more rarely.",
            "s",
            Query(f"max by (check) (conservator_check_duration_seconds{{{SELECT}}})", "{{check}}"),
            Query(
                f"max by (check) (conservator_check_interval_seconds{{{SELECT}}})",
                "{{check}} interval",
            ),
            width=6,
        ),
        series(
            "Runs, errors and misses of checks",
            "Attempts, those that could not be evaluated, and those that came too late to be made.",
            "short",
            Query(
                "sum by (check)"
                f" (increase(conservator_check_runs_total{{{SELECT}}}[$__rate_interval]))",
                "{{check}} runs",
            ),
            Query(
                "sum by (check)"
                f" (increase(conservator_check_errors_total{{{SELECT}}}[$__rate_interval]))",
                "{{check}} errors",
            ),
            Query(
                "sum by (check)"
                f" (increase(conservator_check_missed_total{{{SELECT}}}[$__rate_interval]))",
                "{{check}} missed",
            ),
            width=6,
        ),
        series(
            "Last run",
            "How long ago each check ran, whatever came of it.",
            "s",
            Query(
                "time() - max by (check)"
                f" (conservator_check_last_run_timestamp_seconds{{{SELECT}}})",
                "{{check}}",
            ),
        ),
        series(
            "Calls turned away",
            "Calls a minute that were refused, by reason: without a token or with a wrong one, with"
            " one that may not, too often, or while too many waited.",
            "cpm",
            Query(
                "sum by (reason)"
                f" (rate(conservator_http_refused_total{{{SELECT}}}[$__rate_interval])) * 60",
                "{{reason}}",
            ),
        ),
        series(
            "Builds",
            "Which version each replica runs.",
            "short",
            Query(
                f"sum by (version, revision) (conservator_build_info{{{SELECT}}})",
                "{{version}} {{revision}}",
            ),
        ),
    )


def health() -> Json:
    """The document."""
    return dashboard(
        HEALTH,
        "conservator / Gallery health",
        "Is the gallery fine? What is counted, what the checks say, how old it is.",
        (
            Row("Is it fine?", _counts()),
            Row("Over time", _courses()),
            Row("What the checks say", (_table(), _outcome_history())),
            Row("Is it being watched?", _watching()),
        ),
        other=("Healing", HEALING),
    )
