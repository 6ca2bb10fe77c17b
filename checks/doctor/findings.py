"""A finding: what is wrong, what follows, and the statement or setting that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from checks.relations import Catalogue


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """A count would be wrong, or a backfill would fail or write duplicates."""
    WARNING = "warning"
    """Right today, but something could go wrong that nobody would expect."""
    ADVICE = "advice"
    """Right, but dearer or vaguer than it need be."""


class Blocks(StrEnum):
    """What must not be done while a finding stands."""

    COUNTING = "counting"
    HEALING = "healing"


EVERYTHING = frozenset(Blocks)
HEALING = frozenset({Blocks.HEALING})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know about the catalogue, in sentences for the person who can mend it."""

    code: str
    severity: Severity
    subject: str
    """The table, column, index or setting that it is about."""
    problem: str
    consequence: str
    remedy: str
    """SQL to run as the tables' owner, or the setting for config.yaml."""
    blocks: frozenset[Blocks] = frozenset()
    """Never empty for an error, always empty for the others."""


@dataclass(frozen=True, slots=True)
class Examination:
    """Everything found. `catalogue` is None while a table or a needed column is missing."""

    findings: tuple[Finding, ...]
    catalogue: Catalogue | None

    def blocking(self, *blocks: Blocks) -> tuple[Finding, ...]:
        """The findings that block any of `blocks`; without arguments, that block anything."""
        wanted = frozenset(blocks) or EVERYTHING
        return tuple(finding for finding in self.findings if finding.blocks & wanted)


def error(
    code: str,
    subject: str,
    *,
    problem: str,
    consequence: str,
    remedy: str,
    blocks: frozenset[Blocks] = EVERYTHING,
) -> Finding:
    """A finding that stops what it `blocks`."""
    return Finding(code, Severity.ERROR, subject, problem, consequence, remedy, blocks)


def healing_error(
    code: str, subject: str, *, problem: str, consequence: str, remedy: str
) -> Finding:
    """A finding that stops healing only: the counts are right."""
    return error(
        code, subject, problem=problem, consequence=consequence, remedy=remedy, blocks=HEALING
    )


def warning(code: str, subject: str, *, problem: str, consequence: str, remedy: str) -> Finding:
    """A finding to look at before something goes wrong."""
    return Finding(code, Severity.WARNING, subject, problem, consequence, remedy)


def advice(code: str, subject: str, *, problem: str, consequence: str, remedy: str) -> Finding:
    """A finding that may stay as it is."""
    return Finding(code, Severity.ADVICE, subject, problem, consequence, remedy)
