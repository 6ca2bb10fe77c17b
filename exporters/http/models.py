"""The bodies that calls take. A mistake says which field, what was expected, what was found."""

from __future__ import annotations

import json
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from exporters.http.body import is_unicode, kind
from exporters.http.errors import ApiError, bad_request

MAX_ID_CHARACTERS = 2_700
"""A B-tree entry of PostgreSQL holds 2,704 bytes: longer texts are nobody's key."""
MAX_REASON_CHARACTERS = 1_000
_SHOWN_CHARACTERS = 60

_EXPECTED = {
    "bool_type": "true or false",
    "string_type": "text",
    "string_too_long": f"at most {MAX_REASON_CHARACTERS} characters",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
}


def _unfit(expected: str) -> PydanticCustomError:
    return PydanticCustomError("unfit", "{expected}", {"expected": expected})


def unfit_id(text: str) -> str | None:
    """What would have to be different for `text` to be an id, or None if it could be one."""
    if not text:
        return "an id that is not empty"
    if len(text) > MAX_ID_CHARACTERS:
        return f"an id of at most {MAX_ID_CHARACTERS} characters"
    return None if is_unicode(text) else "Unicode text without lone surrogates"


def _whom(schema: dict[str, Any]) -> None:
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


def _user_id(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _unfit("text or an integer")
    expected = unfit_id(str(value))
    if expected is not None:
        raise _unfit(expected)
    return str(value)


def _storable(text: str) -> str:
    if "\x00" in text or not is_unicode(text):
        raise _unfit("Unicode text without NUL or lone surrogates")
    return text


_Text = Annotated[
    str, AfterValidator(_storable), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})
]
_Id = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARACTERS)] | int


def _without_default(schema: dict[str, Any]) -> None:
    """Not given is not the same as null, which is refused."""
    del schema["default"]


class _Body(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True
    )


class BackfillBody(_Body):
    """Whom to backfill, and how: one user, or with `all` everyone."""

    model_config = ConfigDict(json_schema_extra=_whom)

    user_id: Annotated[str | None, PlainValidator(_user_id, json_schema_input_type=_Id)] = Field(
        default=None, json_schema_extra=_without_default
    )
    """The user's id. An integer is the text of that integer."""
    everyone: bool = Field(default=False, alias="all")
    """Every affected user of the audience, in the background. Needs the admin token."""
    force: bool = False
    """Repeat the backfill of a user who had one."""
    dry_run: bool = False
    """Only count."""


class UndoBody(_Body):
    """Whether only to look."""

    dry_run: bool = False
    """Only count."""


class PauseBody(_Body):
    """Why healing is paused."""

    reason: Annotated[_Text, Field(max_length=MAX_REASON_CHARACTERS)] = ""
    """Shown wherever healing is asked for."""


class EmptyBody(_Body):
    """Nothing to say."""


_Moment = Annotated[
    str, Field(json_schema_extra={"format": "date-time", "pattern": "^(?!0001|9999)"})
]


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


class AlertBody(_Body):
    """One alert of a notification, as far as it is used here."""

    model_config = ConfigDict(extra="ignore")

    status: Literal["firing", "resolved"]
    labels: dict[str, _Text]
    """`alertname` says which alert it is."""
    starts_at: Annotated[datetime, PlainValidator(_moment, json_schema_input_type=_Moment)] = Field(
        alias="startsAt"
    )
    fingerprint: _Text
    """The same for the same labels."""

    @property
    def name(self) -> str:
        """The alert's name; empty where it has none."""
        return self.labels.get("alertname", "")


class AlertsBody(_Body):
    """A notification of Alertmanager's webhook, version 4:
    https://prometheus.io/docs/alerting/latest/configuration/#webhook_config. Alertmanager adds
    fields in time, so that unknown ones are let pass."""

    model_config = ConfigDict(extra="ignore")

    version: Literal["4"]
    alerts: tuple[AlertBody, ...] = Field(strict=False)


Body = TypeVar("Body", bound=_Body)


def parse_body(model: type[Body], document: dict[str, object]) -> Body:
    """`document` as `model`. Raises ApiError that names every mistake."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        known = [field.alias or name for name, field in model.model_fields.items()]
        raise _mistakes(error.errors(include_url=False), known) from None


def _mistakes(errors: list[ErrorDetails], known: list[str]) -> ApiError:
    sentences = [_sentence(error, known) for error in errors[:10]]
    return bad_request("; ".join(sentences) + ".")


def _sentence(error: ErrorDetails, known: list[str]) -> str:
    field = _shown(".".join(str(part) for part in error["loc"])).strip('"')
    if error["type"] == "extra_forbidden":
        return f"{field}: unknown field, expected {' or '.join(known) or 'none'}"
    if error["type"] == "missing":
        return f"{field}: expected, but missing"
    if error["type"] == "literal_error":
        return f"{field}: expected {error['ctx']['expected']}, found {_shown(error['input'])}"
    expected = _EXPECTED.get(error["type"], error["msg"])
    return f"{field}: expected {expected}, found {_shown(error['input'])}"


def _shown(value: object) -> str:
    if isinstance(value, list | dict):
        return kind(value)
    text = json.dumps(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
