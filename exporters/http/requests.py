"""What calls take: parameters of path and query, and bodies, as models. A field that is not known
is refused: a misspelt one must not be overlooked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator
from pydantic_core import PydanticCustomError

from exporters.http.errors import MAX_BODY_BYTES, MAX_NOTIFICATION_BYTES, ApiError
from exporters.page.counts import SPANS, USUAL

MAX_ID_CHARACTERS = 2_700
"""A B-tree entry of PostgreSQL holds 2,704 bytes: longer texts are nobody's key."""
MAX_REASON_CHARACTERS = 1_000
MAX_NUMBER = 2**63 - 1
"""The largest bigint: no run or batch has a higher number."""
MAX_LIMIT = 200
DEFAULT_LIMIT = 50
_DIGITS = re.compile(r"[0-9]{1,19}")


def is_unicode(text: str) -> bool:
    """Whether `text` can be written as UTF-8: JSON's escapes can make lone surrogates."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def unknown_run(number: object) -> ApiError:
    """404."""
    return ApiError("unknown_run", f"There is no run {number}; see /api/runs.")


def _unfit(expected: str) -> PydanticCustomError:
    return PydanticCustomError("unfit", "{expected}", {"expected": expected})


def _parse_number(text: str, low: int, high: int) -> int | None:
    number = int(text) if _DIGITS.fullmatch(text) else None
    return number if number is not None and low <= number <= high else None


def _whole_number(low: int, high: int) -> PlainValidator:
    def parse(text: str) -> int:
        number = _parse_number(text, low, high)
        if number is None:
            raise _unfit(f"a whole number from {low} to {high}")
        return number

    return PlainValidator(parse, json_schema_input_type=Annotated[int, Field(ge=low, le=high)])


def _run_number(text: str) -> int:
    number = _parse_number(text, 1, MAX_NUMBER)
    if number is None:
        raise unknown_run(text[:60])
    return number


def _user_id(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _unfit("text or an integer")
    text = str(value)
    if not text:
        raise _unfit("an id that is not empty")
    if len(text) > MAX_ID_CHARACTERS:
        raise _unfit(f"an id of at most {MAX_ID_CHARACTERS} characters")
    if not is_unicode(text):
        raise _unfit("Unicode text without lone surrogates")
    return text


def _looked_for(text: str) -> str:
    found = text.strip()
    return _user_id(found) if found else ""


def _span(text: str) -> str:
    if text not in SPANS:
        raise _unfit(" or ".join(SPANS))
    return text


def _storable(text: str) -> str:
    if "\x00" in text or not is_unicode(text):
        raise _unfit("Unicode text without NUL or lone surrogates")
    return text


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _unfit("a time such as 2026-01-31T12:00:00Z")
    # At either end of the calendar, a moment may have none in UTC.
    if moment.year in {MINYEAR, MAXYEAR}:
        raise _unfit(f"a time between the years {MINYEAR + 1} and {MAXYEAR - 1}")
    return moment.astimezone(UTC)


_IdText = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARACTERS)]
UserId = Annotated[
    str, PlainValidator(_user_id, json_schema_input_type=_IdText), Field(examples=["42"])
]
_RunNumber = Annotated[int, Field(ge=1, le=MAX_NUMBER, examples=[12])]
_Limit = Annotated[int, _whole_number(1, MAX_LIMIT)]
_Cursor = Annotated[int, _whole_number(0, MAX_NUMBER)]
_Text = Annotated[
    str, AfterValidator(_storable), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})
]


class Asked(BaseModel):
    """What a caller says."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, defer_build=True
    )


class Parameters(Asked):
    """A call's parameters; those that stand in braces in its path come from there."""


class NoParameters(Parameters):
    """None is known, so that each is refused."""


class AnyParameters(Parameters, extra="ignore"):
    """Whatever a prober adds is overlooked."""


class StatsParameters(Parameters):
    """Whose counts."""

    user_id: UserId | None = None
    """Count this user alone."""


class SpanParameters(Parameters):
    """How far back."""

    range: Annotated[
        str, AfterValidator(_span), Field(examples=["7d"], json_schema_extra={"enum": [*SPANS]})
    ] = USUAL
    """How far back."""


class CheckParameters(Parameters):
    """Which check, and how much of its history."""

    name: Annotated[str, Field(examples=["census"])]
    """The check's name."""
    limit: _Limit = DEFAULT_LIMIT
    """So many results, and so many changes, at most."""


class RepairParameters(Parameters):
    """Which repair."""

    name: Annotated[str, Field(examples=["orphans"])]
    """Its name in the configuration."""


class RepairPage(RepairParameters):
    """A repair, and how much of its history."""

    limit: _Limit = DEFAULT_LIMIT
    """So many changes of what was decided, at most."""


class RunsPage(Parameters):
    """A page of runs."""

    limit: _Limit = DEFAULT_LIMIT
    """So many at most."""
    before: _Cursor | None = None
    """Runs with lower numbers only: the `next` of the page before."""


class RunParameters(Parameters):
    """Which run."""

    run_id: Annotated[int, PlainValidator(_run_number, json_schema_input_type=_RunNumber)]
    """The run's number."""


class BatchesPage(RunParameters):
    """A run, and a page of its batches."""

    limit: _Limit = MAX_LIMIT
    """So many at most."""
    after: _Cursor | None = None
    """Batches with higher numbers only: the `next` of the page before."""


class UserParameters(Parameters):
    """Which user."""

    user_id: UserId
    """The user."""


class FindParameters(Parameters):
    """Which user is looked for."""

    id: Annotated[
        str,
        PlainValidator(
            _looked_for,
            json_schema_input_type=Annotated[str, Field(max_length=MAX_ID_CHARACTERS)],
        ),
        Field(examples=["42"]),
    ] = ""
    """The user; none: ask."""


class RunbookParameters(Parameters):
    """Which runbook."""

    name: Annotated[str, Field(examples=["ConservatorDown"])]
    """The alert."""


class StaticParameters(Parameters):
    """Which file, in which version."""

    name: Annotated[str, Field(examples=["page.css"])]
    """The file."""
    v: Annotated[str | None, Field(examples=["8c80df77e278f37b"])] = None
    """Its version: under this address it may be kept for good."""


def _one_or_all(schema: dict[str, Any]) -> None:
    """A backfill is of one user or of everyone: what the handler refuses, the schema says."""
    fields = schema.pop("properties")
    one = {**fields, "all": {**fields["all"], "const": False}}
    everyone = {"all": {**fields["all"], "const": True}, "dry_run": fields["dry_run"]}
    del everyone["all"]["default"]
    everyone["force"] = {**fields["force"], "const": False}
    closed = {"type": "object", "additionalProperties": schema.pop("additionalProperties")}
    schema.pop("type")
    schema["oneOf"] = [
        {"title": "OneUser", **closed, "properties": one, "required": ["user_id"]},
        {"title": "Everyone", **closed, "properties": everyone, "required": ["all"]},
    ]


def _without_default(schema: dict[str, Any]) -> None:
    """Not given is not the same as null, which is refused."""
    del schema["default"]


class Body(Asked, strict=True):
    """A JSON object that a call takes."""

    MAY_BE_EMPTY: ClassVar[bool] = True
    MAX_BYTES: ClassVar[int] = MAX_BODY_BYTES
    EXAMPLES: ClassVar[Mapping[str, object]] = {}
    """Where the schema's own examples don't make one that says enough."""


class NoBody(Body):
    """The call takes none, and reads none."""


class EmptyBody(Body):
    """Nothing, or an empty object."""


class BackfillBody(Body, json_schema_extra=_one_or_all):
    """One user, or with `all` everyone."""

    MAY_BE_EMPTY = False
    EXAMPLES: ClassVar[Mapping[str, object]] = {
        "login": {"user_id": "42"},
        "again": {"user_id": "42", "force": True},
        "look": {"user_id": "42", "dry_run": True},
        "everyone": {"all": True},
    }

    user_id: Annotated[
        str | None, PlainValidator(_user_id, json_schema_input_type=_IdText | int)
    ] = Field(default=None, json_schema_extra=_without_default)
    """The user's id. An integer is the text of that integer."""
    everyone: bool = Field(default=False, alias="all")
    """Every affected user of the audience, in the background. Needs the admin token."""
    force: bool = False
    """Repeat the backfill of a user who had one."""
    dry_run: bool = False
    """Only count."""


class UndoBody(Body):
    """Nothing, or whether only to count."""

    dry_run: Annotated[bool, Field(examples=[True])] = False
    """Only count."""


class MendBody(Body):
    """Nothing, or whether only to count."""

    dry_run: Annotated[bool, Field(examples=[True])] = False
    """Only evaluate `find`."""


class SwitchBody(Body):
    """Nothing, or which repair."""

    repair: Annotated[_Text | None, Field(examples=["orphans"])] = None
    """The repair that is meant, and nothing else; null: healing."""


class PauseBody(Body):
    """Why healing is paused."""

    reason: Annotated[_Text, Field(max_length=MAX_REASON_CHARACTERS, examples=["deploy"])] = ""
    """Shown wherever healing is asked for."""


class AlertBody(Body, extra="ignore"):
    """One alert of a notification, as far as it is used here."""

    status: Literal["firing", "resolved"]
    labels: Annotated[
        dict[str, _Text], Field(examples=[{"alertname": "ConservatorLegacyUntracked"}])
    ]
    """`alertname` says which alert it is."""
    starts_at: Annotated[
        datetime,
        PlainValidator(
            _moment,
            json_schema_input_type=Annotated[
                str,
                Field(json_schema_extra={"format": "date-time", "pattern": "^(?!0001|9999)"}),
            ],
        ),
    ] = Field(alias="startsAt", examples=["2026-01-31T12:00:00Z"])
    fingerprint: Annotated[_Text, Field(examples=["c4f7a1b2d3e4f506"])]
    """The same for the same labels."""

    @property
    def name(self) -> str:
        """The alert's name; empty where it has none."""
        return self.labels.get("alertname", "")


class AlertsBody(Body, extra="ignore"):
    """A notification of Alertmanager's webhook, version 4:
    https://prometheus.io/docs/alerting/latest/configuration/#webhook_config. Alertmanager adds
    fields in time, so that unknown ones are let pass. It sends a group whole, however many alerts
    are in it, and never again what is refused."""

    MAY_BE_EMPTY = False
    MAX_BYTES = MAX_NOTIFICATION_BYTES

    version: Literal["4"]
    alerts: tuple[AlertBody, ...] = Field(strict=False)
