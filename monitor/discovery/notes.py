"""A catalog as far as it is known, and what speaks for each of its settings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from checks.discover.answers import Choice, Question
from checks.discover.candidates import Candidate
from checks.discover.sets import Listing
from checks.doctor.counting_rows import also
from checks.doctor.findings import Finding
from monitor.config import Settings
from monitor.config.errors import ErrorCollector
from monitor.config.section import validate
from monitor.discovery.questions import masked

_ANY_URL = "postgresql://localhost"


@dataclass
class Notes:
    """The catalog as far as it is known."""

    catalog: dict[str, Any] = field(default_factory=dict)
    evidence: dict[str, list[str]] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)

    def choose(self, choice: Choice) -> None:
        """Take the choice in; conditions and columns go beside those that are there."""
        section, key = choice.path.split(".")
        there = self.catalog.setdefault(section, {})
        value = choice.value
        if key == "where":
            value = also(there.get(key), value)
        elif key == "defaults":
            value = {**there.get(key, {}), **value}
            for column in choice.value:
                self.tell(f"{choice.path}.{column}", choice.evidence)
        there[key] = value
        if key != "defaults":
            self.tell(choice.path, choice.evidence)

    def tell(self, path: str, evidence: str) -> None:
        """What speaks for a setting."""
        told = self.evidence.setdefault(path, [])
        if evidence not in told:
            told.append(evidence)

    def settings(self) -> Settings:
        """The catalog as settings; the database is none of its business."""
        data = {"database": {"url": _ANY_URL}, "catalog": self.catalog}
        return validate(Settings, data, ErrorCollector(), Path())


def name_tables(notes: Notes, candidate: Candidate) -> None:
    """The three tables, their ids and the two columns."""
    user, artwork = candidate.user, candidate.artwork
    for section, reference in (("artworks", artwork), ("users", user)):
        why = (
            f"{candidate.impressions.configured}.{reference.column} leads there by {reference.how}"
        )
        notes.choose(Choice(f"{section}.table", reference.table.configured, why))
        once = (
            "unique by an index" if reference.table.is_unique(reference.id) else "no unique index"
        )
        notes.choose(Choice(f"{section}.id", reference.id, once))
    signs = "; ".join(one.text for one in candidate.signs if one.weight > 0)
    notes.choose(Choice("impressions.table", candidate.impressions.configured, signs))
    notes.choose(Choice("impressions.user", user.column, f"leads to {user.table.configured}"))
    notes.choose(
        Choice("impressions.artwork", artwork.column, f"leads to {artwork.table.configured}")
    )


def list_pairs(notes: Notes, listed: Listing, evidence: str) -> None:
    """What lists the pairs, and what its rows have for a new one."""
    notes.choose(Choice("pairs.through", dict(listed.through), evidence))
    if listed.values:
        why = "what the pair's own row has"
        notes.choose(Choice("impressions.defaults", dict(listed.values), why))


def tell_findings(notes: Notes, findings: Iterable[Finding]) -> None:
    """What doctor's findings say for the settings that they propose."""
    for one in findings:
        told = masked(f"{one.subject}: {one.problem} {one.remedy}".strip(), notes.catalog)
        for path, value in one.settings.items():
            below = path.removeprefix("catalog.")
            if below in ("impressions.defaults", "impressions.set"):
                for column in value:
                    notes.tell(f"{below}.{column}", told)
            else:
                notes.tell(below, told)
