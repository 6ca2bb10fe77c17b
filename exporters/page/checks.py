"""The checks on the page: outcome, since when, what was measured, and examples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape

from checks.judgement import Outcome
from exporters.current import current_outcome
from exporters.moments import unix_moment
from monitor.status import CheckStatus, Status

_QUIET = (Outcome.PASS, Outcome.SKIPPED)
_MOODS = {
    Outcome.PASS: "fine",
    Outcome.WARN: "attention",
    Outcome.FAIL: "attention",
    Outcome.ERROR: "attention",
}


def render_checks(status: Status, now: float) -> str:
    """A table of them; `now` on the monotonic clock. An expectation that is met stands for itself
    in the row of its suite."""
    rows = "".join(_row(check, current_outcome(check, now)) for check in _shown(status, now))
    if not rows:
        return ""
    head = "<tr><th>Check</th><th>Outcome</th><th>Since</th><th>Found</th></tr>"
    return (
        f'<table class="checks"><caption>Checks</caption><thead>{head}</thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _shown(status: Status, now: float) -> Iterator[CheckStatus]:
    for check in status.checks.values():
        if check.facts.suite is None or current_outcome(check, now) not in (*_QUIET, None):
            yield check


def _row(check: CheckStatus, outcome: Outcome | None) -> str:
    mood = "unknown" if outcome is None else _MOODS.get(outcome, "unknown")
    if outcome is None:
        word = "out of date" if check.outcome is not None else "not yet run"
    else:
        word = outcome.value
    since = "" if outcome is None else unix_moment(check.since) or ""
    return (
        f'<tr><th scope="row">{escape(check.name)}</th><td class="{mood}">{word}</td>'
        f'<td class="when">{_short(since)}</td><td>{escape(check.message)}'
        f"{_about(check)}{_evidence(check.evidence)}</td></tr>"
    )


def _short(since: str) -> str:
    """To the minute."""
    return since[:16].replace("T", " ")


def _about(check: CheckStatus) -> str:
    facts = check.facts
    told = [f"Owner: {escape(facts.owner)}."] if facts.owner else []
    if facts.runbook and facts.runbook.startswith(("https://", "http://", "/")):
        told.append(f'<a href="{escape(facts.runbook)}" rel="noreferrer">Runbook</a>')
    elif facts.runbook:
        told.append(f"Runbook: {escape(facts.runbook)}")
    return f"<p>{' '.join(told)}</p>" if told else ""


def _evidence(rows: Iterable[Mapping[str, str]]) -> str:
    sentences = [", ".join(f"{key} {value}" for key, value in row.items()) for row in rows]
    items = [f"<li>{escape(sentence)}</li>" for sentence in sentences]
    if not items:
        return ""
    count = f"{len(items)} examples" if len(items) > 1 else "1 example"
    return f"<details><summary>{count}</summary><ol>{''.join(items)}</ol></details>"
