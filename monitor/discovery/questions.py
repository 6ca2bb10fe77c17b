"""What is left to be asked of a person, without any value that was sampled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from checks.discover.answers import Question
from checks.doctor.findings import Blocks, Finding

_OF_THE_ROLE = frozenset(
    {
        *("no_insert", "no_update", "no_sequence_usage", "state_schema_missing"),
        *("state_schema_unusable", "server_is_standby", "transactions_read_only"),
    }
)
"""What this role may not do, or not here: no question about the data."""
_WITHOUT_ZONE = frozenset({"moment_without_zone", "moment_is_date"})
_LITERAL = re.compile(r"(?<!\w)'((?:[^']|'')*)'(?!\w)")
_OUR_OWN = frozenset({"", "UTC", "YYYYMMDD", "YYYY-MM-DD"})
"""What doctor itself writes."""


def questions_of(findings: Iterable[Finding], catalog: Mapping[str, Any]) -> Iterator[Question]:
    """What blocks counting or healing once doctor proposes nothing more; and the time zone."""
    told = [*findings]
    for one in told:
        if one.blocks is not Blocks.NOTHING and one.code not in _OF_THE_ROLE:
            yield _asked(one, catalog)
    yield from _zone(told)


def _asked(finding: Finding, catalog: Mapping[str, Any]) -> Question:
    return Question(
        finding.subject,
        masked(f"{finding.problem} {finding.consequence}", catalog),
        tuple(line for line in masked(finding.mending, catalog).splitlines() if line.strip()),
    )


def _zone(findings: Iterable[Finding]) -> Iterator[Question]:
    """In which zone the app writes is in no table."""
    told = [one.subject for one in findings if one.code in _WITHOUT_ZONE]
    if told:
        yield Question(
            "catalog.timezone",
            f"{', '.join(dict.fromkeys(told))}: without time zone, read in UTC. Whether the app"
            " writes them so, the tables don't say.",
            ("timezone: UTC", "timezone: <the zone in which the app's sessions write>"),
        )


def masked(text: str, catalog: Mapping[str, Any]) -> str:
    """The text without values that were sampled, but for those that the settings have to name."""
    named = {one for said in _texts(catalog) for one in _LITERAL.findall(said)}

    def hide(match: re.Match[str]) -> str:
        value = match[1]
        return match[0] if value in named | _OUR_OWN else f"<text of {len(value)}>"

    return _LITERAL.sub(hide, text)


def _texts(value: object) -> Iterator[str]:
    """Every text of the settings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for one in value.values() for text in _texts(one))
    elif isinstance(value, list | tuple):
        yield from (text for one in value for text in _texts(one))
