"""A finding: what is wrong, what follows, and the statement or setting that mends it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, TypedDict

import yaml

from checks.relations import Catalogue

OWNER_DECIDES = "-- the application's owner decides:"
"""Stands above every statement for the app's own tables."""


TABLE_MISSING = "table_missing"
"""The code of the finding that one of the three tables is not there."""
NODE_LOST = "citus_node_lost"
"""The code of the finding that a node of the cluster does not answer."""


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """A count would be wrong, or a backfill would fail or write what nobody saw."""
    WARNING = "warning"
    """Right today, but something could go wrong that nobody would expect."""
    ADVICE = "advice"
    """Right, but dearer or vaguer than it need be."""


class Blocks(StrEnum):
    """What must not be done while a finding stands."""

    COUNTING = "counting"
    """Neither counting nor healing."""
    HEALING = "healing"
    """Healing only."""
    NOTHING = "nothing"


class Mending(TypedDict, total=False):
    """What mends a finding, where it is worked out apart from the finding."""

    remedy: str
    statements: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know about the catalogue, in sentences for the person who can mend it."""

    code: str
    subject: str
    """The table, column, index or setting that it is about."""
    problem: str
    consequence: str
    remedy: str = ""
    """What mends it, apart from `statements` and `settings`: a hint, or a statement for our own
    role and tables."""
    severity: Severity = Severity.ERROR
    blocks: Blocks = Blocks.NOTHING
    """NOTHING unless it is an error."""
    statements: str = ""
    """SQL for the app's tables, which their owner may run or not."""
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Settings that mend it, by path; each can be pasted as it is."""
    accepted_as: str | None = None
    """The name under which `catalog.accept` answers it: of a suspicion only."""

    @property
    def mending(self) -> str:
        """Everything that mends it, a line each."""
        lines = [in_yaml(self.settings)] if self.settings else []
        if self.remedy:
            lines.append(self.remedy)
        if self.statements:
            lines += [OWNER_DECIDES, self.statements]
        if self.accepted_as is not None:
            lines.append(f"catalog.accept: [{self.accepted_as}]  # where it is no fault")
        return "\n".join(lines)


error = partial(Finding, severity=Severity.ERROR, blocks=Blocks.COUNTING)
"""A finding that stops counting and healing."""
healing_error = partial(Finding, severity=Severity.ERROR, blocks=Blocks.HEALING)
"""A finding that stops healing only."""
warning = partial(Finding, severity=Severity.WARNING)
"""A finding to look at before something goes wrong."""
advice = partial(Finding, severity=Severity.ADVICE)
"""A finding that may stay as it is."""


@dataclass(frozen=True, slots=True)
class Examination:
    """Everything found. `catalogue` is None while a table or a needed column is missing."""

    findings: tuple[Finding, ...]
    catalogue: Catalogue | None

    def blocking(self, what: Blocks = Blocks.HEALING) -> tuple[Finding, ...]:
        """The findings that block `what`. Whatever blocks counting blocks healing as well."""
        wanted = {Blocks.COUNTING, what}
        return tuple(one for one in self.findings if one.blocks in wanted)

    @property
    def lost_node(self) -> str | None:
        """What is said of a node that does not answer: the other findings know no rows then."""
        return next((one.problem for one in self.findings if one.code == NODE_LOST), None)

    @property
    def suspicions(self) -> tuple[Finding, ...]:
        """The findings that say that the counts can't mean what they say, and nobody answered: they
        block healing. What is only told can be accepted as well, and is none."""
        return tuple(one for one in self.blocking() if one.accepted_as is not None)

    @property
    def suspicion_names(self) -> tuple[str, ...]:
        """Their names, each once."""
        names = (one.accepted_as for one in self.suspicions)
        return tuple(dict.fromkeys(name for name in names if name is not None))

    @property
    def suspicion(self) -> str:
        """All of them as a paragraph, with their numbers; empty where there are none."""
        if not self.suspicions:
            return ""
        told = " ".join(f"{one.subject}: {one.problem}" for one in self.suspicions)
        return (
            f"The counts may not mean what they say: {told} Until that is answered nothing is"
            " healed; `conservator doctor` says how."
        )


def in_yaml(settings: Mapping[str, Any]) -> str:
    """Settings as YAML for config.yaml, what is innermost on one line."""
    plain = _plain(settings)
    nested = any(isinstance(value, dict | list) for value in plain.values())
    text = yaml.safe_dump(
        plain,
        default_flow_style=None if nested else False,
        sort_keys=False,
        allow_unicode=True,
        width=math.inf,
    )
    return text.rstrip().replace("${", "$${")  # which would be a variable there


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
