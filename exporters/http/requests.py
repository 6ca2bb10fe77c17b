"""What calls take: parameters of path and query, and bodies. A mistake says which field, what was
expected, what was found; a misspelt one must not be overlooked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from aiohttp import web
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from exporters.http.errors import ApiError
from exporters.http.strict_json import is_unicode, kind, read_object
from exporters.page.counts import SPANS, USUAL

MAX_ID_CHARACTERS = 2_700
"""A B-tree entry of PostgreSQL holds 2,704 bytes: longer texts are nobody's key."""
MAX_REASON_CHARACTERS = 1_000
MAX_NUMBER = 2**63 - 1
"""The largest bigint: no run or batch has a higher number."""
MAX_LIMIT = 200
DEFAULT_LIMIT = 50
_SHOWN_CHARACTERS = 60
_MAX_MISTAKES = 10
_DIGITS = re.compile(r"[0-9]{1,19}")
_EXPECTED = {
    "bool_type": "true or false",
    "string_type": "text",
    "string_too_long": f"at most {MAX_REASON_CHARACTERS} characters",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
}
Model = TypeVar("Model", bound=BaseModel)


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
        raise unknown_run(text[:_SHOWN_CHARACTERS])
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


class Parameters(BaseModel):
    """A call's parameters; those that stand in braces in its path come from there."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, defer_build=True
    )


class NoParameters(Parameters):
    """None is known, so that each is refused."""


class AnyParameters(Parameters):
    """Whatever a prober adds is overlooked."""

    model_config = ConfigDict(extra="ignore")


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


class Body(BaseModel):
    """A JSON object that a call takes."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        use_attribute_docstrings=True,
        defer_build=True,
    )
    MAY_BE_EMPTY: ClassVar[bool] = True
    EXAMPLES: ClassVar[Mapping[str, object]] = {"empty": {}}


class NoBody(Body):
    """The call takes none, and reads none."""


class EmptyBody(Body):
    """Nothing, or an empty object."""


class BackfillBody(Body):
    """One user, or with `all` everyone."""

    model_config = ConfigDict(json_schema_extra=_one_or_all)
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

    EXAMPLES: ClassVar[Mapping[str, object]] = {"look": {"dry_run": True}}

    dry_run: bool = False
    """Only count."""


class PauseBody(Body):
    """Why healing is paused."""

    EXAMPLES: ClassVar[Mapping[str, object]] = {"deploy": {"reason": "deploy"}}

    reason: Annotated[_Text, Field(max_length=MAX_REASON_CHARACTERS)] = ""
    """Shown wherever healing is asked for."""


class AlertBody(Body):
    """One alert of a notification, as far as it is used here."""

    model_config = ConfigDict(extra="ignore")

    status: Literal["firing", "resolved"]
    labels: dict[str, _Text]
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
    ] = Field(alias="startsAt")
    fingerprint: _Text
    """The same for the same labels."""

    @property
    def name(self) -> str:
        """The alert's name; empty where it has none."""
        return self.labels.get("alertname", "")


class AlertsBody(Body):
    """A notification of Alertmanager's webhook, version 4:
    https://prometheus.io/docs/alerting/latest/configuration/#webhook_config. Alertmanager adds
    fields in time, so that unknown ones are let pass."""

    model_config = ConfigDict(extra="ignore")
    MAY_BE_EMPTY = False
    EXAMPLES: ClassVar[Mapping[str, object]] = {
        "firing": {
            "version": "4",
            "status": "firing",
            "alerts": [
                {
                    "status": "firing",
                    "labels": {"alertname": "ConservatorLegacyUntracked"},
                    "startsAt": "2026-01-31T12:00:00Z",
                    "fingerprint": "c4f7a1b2d3e4f506",
                }
            ],
        }
    }

    version: Literal["4"]
    alerts: tuple[AlertBody, ...] = Field(strict=False)


def parse_parameters(model: type[Model], request: web.Request) -> Model:
    """Path and query as `model`, each parameter known and given once. Raises ApiError."""
    values: dict[str, str] = dict(request.match_info)
    if request.query_string and model.model_config.get("extra") == "forbid":
        known = [name for name in model.model_fields if name not in values]
        for name, value in request.query.items():
            if name not in known:
                expected = " or ".join(known) or "none"
                message = f"{name[:60]}: unknown parameter, expected {expected}."
                raise ApiError("bad_request", message)
            if len(request.query.getall(name)) > 1:
                raise ApiError("bad_request", f"{name}: expected once, found several times.")
            values[name] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _bad_request(error, (), lambda text: repr(str(text)[:_SHOWN_CHARACTERS])) from None


BodyModel = TypeVar("BodyModel", bound=Body)


async def parse_body(model: type[BodyModel], request: web.Request) -> BodyModel:
    """The request's body as `model`. Raises ApiError that names every mistake, JsonError."""
    if model is NoBody:
        return model()
    document = await read_object(request, may_be_empty=model.MAY_BE_EMPTY)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        known = [field.alias or name for name, field in model.model_fields.items()]
        raise _bad_request(error, known, _shown) from None


def _bad_request(
    error: ValidationError, known: Iterable[str], shown: Callable[[object], str]
) -> ApiError:
    errors = error.errors(include_url=False)[:_MAX_MISTAKES]
    return ApiError("bad_request", "; ".join(_sentence(one, known, shown) for one in errors) + ".")


def _sentence(error: ErrorDetails, known: Iterable[str], shown: Callable[[object], str]) -> str:
    field = _shown(".".join(str(part) for part in error["loc"])).strip('"')
    if error["type"] == "extra_forbidden":
        return f"{field}: unknown field, expected {' or '.join(known) or 'none'}"
    if error["type"] == "missing":
        return f"{field}: expected, but missing"
    if error["type"] == "literal_error":
        return f"{field}: expected {error['ctx']['expected']}, found {shown(error['input'])}"
    expected = _EXPECTED.get(error["type"], error["msg"])
    return f"{field}: expected {expected}, found {shown(error['input'])}"


def _shown(value: object) -> str:
    if isinstance(value, list | dict):
        return kind(value)
    text = json.dumps(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
