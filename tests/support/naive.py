"""What the product says and does where a stranger's gallery is configured by names alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from checks.doctor.findings import Blocks
from monitor.config import Mode
from tests.support.called import Served, call, serve
from tests.support.commands import Done
from tests.support.oracle import Counts
from tests.support.stranger_galleries import POOLS, StrangerGallery

STATES = ("tracked", "fresh", "storage", "legacy_untracked")
_SOFTWARE = 70
"""The exit code of what nobody foresaw."""


@dataclass(frozen=True)
class Expected:
    """A finding: what of it is sure, whoever words it."""

    about: str
    """A word of its subject or its sentences: the column, table or setting."""
    blocks: Blocks = Blocks.NOTHING
    code: str = ""
    """A pattern of its code, or of the name that accepts it; empty: any."""

    def __str__(self) -> str:
        return f"{self.code or 'a finding'} about {self.about}, blocks {self.blocks.value}"

    def is_one_of(self, findings: list[dict[str, Any]]) -> bool:
        """Whether it was found; one that blocks more will do."""
        order = [*Blocks]
        return any(
            re.search(rf"\b{re.escape(self.about)}\b", _words(one))
            and re.search(self.code, f"{one['code']} {one['accepted_as'] or ''}")
            and order.index(Blocks(one["blocks"])) <= order.index(self.blocks)
            for one in findings
        )


def _words(finding: Mapping[str, Any]) -> str:
    return " ".join(str(finding[key]) for key in ("subject", "problem", "consequence"))


@dataclass(frozen=True)
class NaiveCase:
    """A gallery by its naive configuration, and what is expected of it."""

    gallery: str
    blocks: Blocks
    """The worst that is found."""
    found: tuple[Expected, ...]
    told: tuple[str, ...] = ()
    """Columns by which rows are left out of what the app shows: each is named by a finding."""
    never: tuple[str, ...] = ()
    """Patterns of what would harm this app, in no remedy."""
    mode: Mode = Mode.HEAL
    role: str | None = None
    """Who connects: a role that may read the three tables and insert impressions; None: a
    superuser."""

    @property
    def name(self) -> str:
        """For people."""
        return self.gallery if self.role is None else f"{self.gallery}, as a role of its own"

    @property
    def expected(self) -> tuple[Expected, ...]:
        """All findings that must be there."""
        return *self.found, *(Expected(column) for column in self.told)


@dataclass(frozen=True)
class Answers:
    """What the four commands came to."""

    doctor: Done
    check: Done
    plan: Done
    served: Served
    oracle: Counts
    changed: tuple[str, ...]
    """Tables of the app that differ from before."""

    @property
    def findings(self) -> list[dict[str, Any]]:
        """What doctor found."""
        found: list[dict[str, Any]] = self.doctor.json["findings"]
        return found

    @property
    def worst(self) -> Blocks:
        """What the findings block."""
        blocked = [Blocks(one["blocks"]) for one in self.findings]
        return min(blocked, key=[*Blocks].index, default=Blocks.NOTHING)

    @property
    def counts(self) -> Counts | None:
        """What `check` counted; None where it refused."""
        census = self.check.json["census"]
        if census is None:
            return None
        tracked, fresh, storage, legacy = (census[state] for state in STATES)
        return tracked, fresh, storage, legacy

    @property
    def codes(self) -> tuple[int, int, int, int]:
        """Exit codes of doctor, check, heal --dry-run, serve."""
        return self.doctor.code, self.check.code, self.plan.code, self.served.code


def ask(gallery: StrangerGallery, case: NaiveCase, directory: Path) -> Answers:
    """Configure it by names alone, run the four commands, and look at what is there afterwards."""
    config = directory / "config.yaml"
    document = {
        "database": {"url": gallery.url if case.role is None else _as_role(gallery, case.role)},
        "catalog": gallery.naive,
        "pools": POOLS,
        "healing": {"mode": case.mode.value},
        "server": {"port": 0},
    }
    config.write_text(yaml.safe_dump(document))
    before, oracle = gallery.contents(), gallery.counts()
    doctor, check = call(config, "doctor", "--json"), call(config, "check", "--json")
    plan, served = call(config, "heal", "--dry-run"), serve(config)
    after = gallery.contents()
    changed = tuple(sorted(t for t in before | after if before.get(t) != after.get(t)))
    return Answers(doctor, check, plan, served, oracle, changed)


def harm(case: NaiveCase, answers: Answers) -> Iterator[str]:
    """What must not happen whatever is known: rows written, a failure that nobody foresaw."""
    if answers.changed:
        yield f"written to: {', '.join(answers.changed)}"
    if answers.served.heals:
        yield "serve heals"
    if _SOFTWARE in answers.codes:
        yield f"exit codes {answers.codes}"


def silence(case: NaiveCase, answers: Answers) -> Iterator[str]:
    """What was not said: findings that are missing, counts that are wrong without one."""
    for expected in case.expected:
        if not expected.is_one_of(answers.findings):
            yield f"not found: {expected}"
    if answers.worst is not case.blocks:
        yield f"blocks {answers.worst.value}, expected {case.blocks.value}"
    if answers.codes not in _CODES[case.blocks]:
        yield f"exit codes {answers.codes}, expected one of {_CODES[case.blocks]}"
    if case.blocks is Blocks.COUNTING and (answers.counts or answers.served.counts):
        yield f"counted {answers.counts}, although counting is blocked"
    suspicions = [one["accepted_as"] for one in answers.findings if one["accepted_as"]]
    if answers.counts not in (None, answers.oracle) and not suspicions:
        yield f"counted {answers.counts} without a suspicion, expected {answers.oracle}"
    if case.blocks is Blocks.HEALING and not answers.served.refuses:
        yield f"serve: {answers.served.words}, expected that it counts and refuses to heal"
    said = f"{answers.plan.words} {answers.plan.err}"
    for one in answers.findings:
        if one["blocks"] == answers.worst.value != "nothing" and one["subject"] not in said:
            yield f"heal --dry-run does not say {one['code']} about {one['subject']}"
    reason = "" if answers.served.decision is None else answers.served.decision.reason
    if suspicions and re.search("beyond-breaker|reset-breaker", f"{said} {reason}"):
        yield "a way past the breaker is told, although there is a suspicion"


def bad_advice(case: NaiveCase, answers: Answers) -> Iterator[str]:
    """Remedies that would harm the app."""
    for one in answers.findings:
        for pattern in (*HARMFUL, *case.never):
            if re.search(pattern, one["remedy"]):
                yield f"the remedy of {one['code']} about {one['subject']} has {pattern}"


HARMFUL = (
    r"ALTER COLUMN|ADD CONSTRAINT|NOT VALID|DELETE FROM|DROP (TABLE|COLUMN|INDEX|CONSTRAINT|RULE)",
    r"\w+_id: \W*(gen_random_uuid|0|''|now)",
)
"""In no remedy: changes, forbids or deletes what an app writes; a guess for a key."""
_CODES = {
    # doctor, check, heal --dry-run, serve. A check that is refused could not be evaluated.
    Blocks.COUNTING: ((1, 3, 1, 1),),
    Blocks.HEALING: ((1, 1, 1, 0),),
    Blocks.NOTHING: ((0, 1, 0, 0),),  # there is something to heal
}


def _as_role(gallery: StrangerGallery, role: str) -> str:
    """The same database for a new role that may read and insert, and not more."""
    tables = [gallery.naive[key]["table"] for key in ("artworks", "users", "impressions")]
    database = gallery.rows("SELECT quote_ident(current_database())")[0][0]
    gallery.run(
        f"""
        DO $$ BEGIN IF to_regrole('{role}') IS NULL THEN CREATE ROLE {role} LOGIN; END IF; END $$;
        GRANT SELECT ON {", ".join(tables)} TO {role};
        GRANT INSERT ON {tables[-1]} TO {role};
        GRANT CREATE ON DATABASE {database} TO {role};
        """
    )
    return gallery.url.replace("postgres@", f"{role}@", 1)
