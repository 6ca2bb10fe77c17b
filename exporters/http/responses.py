"""What calls answer: models that read the domain's records and are published as they stand.

A field's docstring is its description in the published document. Moments are ISO 8601 in UTC with
a Z, durations seconds. New fields may come at any time; names and meanings stay.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from pydantic import (
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from checks.judgement import Outcome
from exporters.current import check_is_stale
from exporters.page.formatting import from_unix, iso_utc
from monitor import status

_MOMENT = "2026-01-31T12:00:00.000Z"


def _none_if_empty(text: object) -> object:
    return text or None


def _finite(value: float | None) -> float | None:
    """Null for what JSON has no word for."""
    return value if value is not None and math.isfinite(value) else None


def _finite_only(numbers: Mapping[str, float]) -> dict[str, Number]:
    return {name: number for name, number in numbers.items() if math.isfinite(number)}


Moment = Annotated[
    datetime,
    PlainSerializer(iso_utc, return_type=str),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": [_MOMENT]}, mode="serialization"
    ),
]
UnixMoment = Annotated[Moment | None, BeforeValidator(from_unix)]
"""Read from Unix seconds."""
# Promised, not enforced: an answer that breaks it is still better than none.
Count = Annotated[int, Field(json_schema_extra={"minimum": 0}, examples=[6])]
RunNumber = Annotated[int, Field(json_schema_extra={"minimum": 1}, examples=[12])]
# A whole number stays one.
Number = Annotated[int | float, WithJsonSchema({"type": "number"}, mode="serialization")]
Seconds = Annotated[Number, Field(json_schema_extra={"minimum": 0}, examples=[0.1])]
TextOrNull = Annotated[str | None, BeforeValidator(_none_if_empty)]
FiniteOrNull = Annotated[Number | None, BeforeValidator(_finite)]


class Answer(BaseModel):
    """What is answered as JSON."""

    model_config = ConfigDict(
        from_attributes=True,
        frozen=True,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
        defer_build=True,
    )


class Fault(Answer):
    """Why a call was not answered as asked."""

    code: str
    """A word for programs; each status of each call lists its own."""
    message: str
    """A sentence for people: what was expected, what was found, what to do."""


class Problem(Answer):
    """Every answer from 400 on."""

    error: Fault


class Accepted(Answer):
    """A run was started and goes on in the background."""

    run_id: RunNumber
    """Follow it at /api/runs/{run_id}."""


class CheckResult(Answer):
    """The last result of one check."""

    name: str
    outcome: Outcome | None
    """Null before the first run. `error`: it could not be evaluated, which is not a failure;
    `skipped`: a constraint makes what it looks for impossible."""
    value: FiniteOrNull
    """The number that the thresholds judge."""
    message: str
    """What was found, in a sentence."""
    stale: bool = True
    """Last evaluated more than three of its intervals ago, or never."""
    since: UnixMoment
    """Since when the outcome has been this."""
    last_run: UnixMoment
    last_success: UnixMoment
    """Last evaluated, whatever the verdict."""
    duration_seconds: Seconds | None
    interval_seconds: Seconds
    """In effect now, after the budget stretched it."""
    configured_interval_seconds: Seconds
    numbers: Annotated[dict[str, Number], BeforeValidator(_finite_only)]
    """What the value is made of."""
    evidence: tuple[dict[str, str], ...]
    """At most 20 examples: ids and moments, as text."""
    warn: str | None = Field(validation_alias=AliasPath("facts", "warn"))
    """The condition on which it warns; null: never."""
    fail: str | None = Field(validation_alias=AliasPath("facts", "fail"))
    """The condition on which it fails; null: never."""
    owner: str | None = Field(validation_alias=AliasPath("facts", "owner"))
    """Who looks after it, as configured."""
    runbook: str | None = Field(validation_alias=AliasPath("facts", "runbook"))
    """Where its runbook is, as configured."""
    suite: str | None = Field(validation_alias=AliasPath("facts", "suite"))
    """Of an expectation: the suite that it belongs to."""
    repairs: tuple[str, ...] = ()
    """The repairs that may run while it fails; see /api/repairs."""

    @classmethod
    def of(cls, check: status.CheckResult, shown: status.Status, now: float) -> CheckResult:
        """As it stands in a snapshot at `now` on the monotonic clock."""
        repairs = tuple(one.name for one in shown.repairs.values() if one.check == check.name)
        added = {"stale": check_is_stale(check, now), "repairs": repairs}
        return cls.model_validate(check).model_copy(update=added)

    @classmethod
    def all_of(cls, shown: status.Status, now: float) -> tuple[CheckResult, ...]:
        """Each check of a snapshot."""
        return tuple(cls.of(check, shown, now) for check in shown.checks.values())
