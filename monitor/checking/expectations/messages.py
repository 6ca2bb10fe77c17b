"""What the service and the worker tell each other: one line of JSON each way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

MAX_LINE_BYTES = 32 * 1024**2
"""The longest answer that is read; a validation result holds samples, not tables."""


@dataclass(frozen=True, slots=True)
class ExpectationSpec:
    """One expectation as it stands in the configuration."""

    type: str
    kwargs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SuiteSpec:
    """A suite on one table. `schema` is None where the search path finds the table."""

    name: str
    schema: str | None
    table: str
    expectations: tuple[ExpectationSpec, ...]


@dataclass(frozen=True, slots=True)
class Judge:
    """Are these types and arguments known? Touches no database."""

    suites: tuple[SuiteSpec, ...]


@dataclass(frozen=True, slots=True)
class Validate:
    """Run a suite. `url` is SQLAlchemy's and may hold a password: it goes through the pipe only."""

    url: str
    timeout_ms: int
    suite: SuiteSpec


@dataclass(frozen=True, slots=True)
class Render:
    """Make one HTML page a validation result (`document`, as Validated carried it)."""

    documents: Mapping[str, Mapping[str, Any]]


Request = Judge | Validate | Render


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an expectation of the configuration."""

    suite: str
    number: int
    """Its place in the suite, from 0."""
    path: str
    """`type`, or `kwargs.NAME`."""
    problem: str


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer to Judge; empty where all is well."""

    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """What became of one expectation. Evidence holds primary keys only."""

    success: bool
    error: str | None
    """Why it could not be evaluated; `success` then means nothing."""
    unexpected: float | None
    """Rows that break it, where it counts rows."""
    observed: str | None
    """What it observed, where it observes one value."""
    evidence: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Validated:
    """The answer to Validate: results in the suite's order, and all of it for the report."""

    results: tuple[ExpectationResult, ...]
    seconds: float
    document: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The answer to Render: HTML by suite."""

    pages: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Failed:
    """The request could not be carried out."""

    error: str


Answer = Judged | Validated | Rendered | Failed


def encode(message: Request | Answer) -> bytes:
    """A message as a line."""
    kind = type(message).__name__.lower()
    return json.dumps({"kind": kind, **asdict(message)}, default=str).encode() + b"\n"


def decode_request(line: bytes) -> Request:
    """The request in a line of our own making."""
    raw = json.loads(line)
    kind = raw.pop("kind")
    if kind == "judge":
        return Judge(tuple(_suite(one) for one in raw["suites"]))
    if kind == "validate":
        return Validate(raw["url"], raw["timeout_ms"], _suite(raw["suite"]))
    return Render(raw["documents"])


def decode_answer(line: bytes) -> Answer:
    """The answer in a line of the worker's."""
    raw = json.loads(line)
    kind = raw.pop("kind")
    if kind == "judged":
        return Judged(tuple(Fault(**one) for one in raw["faults"]))
    if kind == "validated":
        results = tuple(
            ExpectationResult(**{**one, "evidence": tuple(one["evidence"])})
            for one in raw["results"]
        )
        return Validated(results, raw["seconds"], raw["document"])
    if kind == "rendered":
        return Rendered(raw["pages"])
    return Failed(raw["error"])


def _suite(raw: Mapping[str, Any]) -> SuiteSpec:
    return SuiteSpec(
        raw["name"],
        raw["schema"],
        raw["table"],
        tuple(ExpectationSpec(one["type"], one["kwargs"]) for one in raw["expectations"]),
    )
