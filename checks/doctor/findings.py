"""A finding: what is wrong, what follows, and the statement or setting that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial

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
    subject: str
    """The table, column, index or setting that it is about."""
    problem: str
    consequence: str
    remedy: str
    """SQL to run as the tables' owner, or the setting for config.yaml."""
    severity: Severity
    blocks: frozenset[Blocks] = frozenset()
    """Never empty for an error, always empty for the others."""


error = partial(Finding, severity=Severity.ERROR, blocks=EVERYTHING)
"""A finding that stops counting and healing."""
healing_error = partial(Finding, severity=Severity.ERROR, blocks=HEALING)
"""A finding that stops healing only: the counts are right."""
warning = partial(Finding, severity=Severity.WARNING)
"""A finding to look at before something goes wrong."""
advice = partial(Finding, severity=Severity.ADVICE)
"""A finding that may stay as it is."""


@dataclass(frozen=True, slots=True)
class Examination:
    """Everything found. `catalogue` is None while a table or a needed column is missing."""

    findings: tuple[Finding, ...]
    catalogue: Catalogue | None

    def blocking(self, *blocks: Blocks) -> tuple[Finding, ...]:
        """The findings that block any of `blocks`; without arguments, that block anything."""
        wanted = frozenset(blocks) or EVERYTHING
        return tuple(finding for finding in self.findings if finding.blocks & wanted)
