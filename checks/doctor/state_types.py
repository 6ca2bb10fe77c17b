"""Our own tables, compared with the application's."""

from __future__ import annotations

from collections.abc import Iterator

from checks.doctor.ddl import quoted
from checks.doctor.findings import Examination, Finding, healing_error
from checks.doctor.input import DoctorInput
from checks.state_columns import Difference, differences

_CODE = "state_types_differ"


def state_types_follow(given: DoctorInput) -> Iterator[Finding]:
    """An id or a moment of the app has another type than when our tables were made."""
    catalogue = given.facts.catalogue
    if catalogue is None:
        return
    differing = differences(catalogue, given.evidence.state_columns)
    if differing:
        yield healing_error(
            _CODE,
            given.state_schema,
            problem=(
                "The application's columns have changed since the service's own tables were made:"
                f" {_listed(differing)}."
            ),
            consequence=(
                "Ids and moments would not fit there, or not be found again, so nothing may be"
                " healed or taken back. Counts are right."
            ),
            remedy=(
                f"-- as the role that owns schema {quoted(given.state_schema)}: conservator init"
                "  (keeps every row; `conservator init --print-sql` shows the statements)"
            ),
        )


def types_differ(examination: Examination) -> bool:
    """Whether our tables have yet to follow the app's: statements over both may be refused."""
    return any(finding.code == _CODE for finding in examination.findings)


def _listed(differing: tuple[Difference, ...]) -> str:
    """Every column with its type and what it should be, grouped by both."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in differing:
        change = one.ours.storage, one.original.storage
        groups.setdefault(change, []).append(f"{one.ours.table}.{one.ours.name}")
    return "; ".join(
        f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} {now}, should be {then}"
        for (now, then), names in groups.items()
    )
