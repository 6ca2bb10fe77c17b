"""Expressions for moments that PostgreSQL refuses: as they stand, or for a row that counts."""

from __future__ import annotations

from collections.abc import Iterator

from checks.catalogue import Facts
from checks.doctor.findings import Finding, error
from checks.doctor.input import DoctorInput
from checks.doctor.moments import Ask
from checks.errors import Refusal
from checks.fragments import rows_of
from checks.statements import identifier

_NO_PRIVILEGE = "42501"
_DATA_EXCEPTION = "22"
"""The class of the SQLSTATEs that say that a value is not what was expected."""


def expressions_run(given: DoctorInput) -> Iterator[Finding]:
    """An expression for a moment that PostgreSQL refuses, as it stands or for some row."""
    texts = {
        setting: (text, relation)
        for role, relation in given.facts.found
        for setting, text in role.expressions.items()
    }
    refused = given.facts.refused_moments
    for setting, refusal in {**given.evidence.unreadable, **refused}.items():
        text, relation = texts[setting]
        if refusal.sqlstate == _NO_PRIVILEGE and not relation.can_select:
            continue  # a finding of its own
        where = "" if setting in refused else f" for a row of {relation.configured}"
        yield error(
            "moment_refused",
            setting,
            problem=f"PostgreSQL refuses the expression {text!r}{where}: {refusal.message}.",
            consequence="Ages can't be computed, so nothing can be counted or healed.",
            remedy=(
                f"Correct {setting}: an SQL expression over the columns of {relation.schema}."
                f"{relation.name} alone."
                if setting in refused
                else f"Let {setting} be NULL for such rows: CASE WHEN … THEN … END."
            ),
        )


async def read_unreadable(ask: Ask, facts: Facts) -> dict[str, Refusal]:
    """Of the expressions that PostgreSQL takes as they stand, those that fail for a row."""
    found = {}
    for role, relation in facts.found:
        rows = rows_of(role, relation, role.where, role.counts)
        for key, column in relation.moments.items():
            names = {"moment": identifier("r", column.name), "rows": rows}
            answer = await ask("catalogue_moment_values", names)
            if isinstance(answer, Refusal) and answer.sqlstate.startswith(_DATA_EXCEPTION):
                found[role.setting(key)] = answer
    return found
