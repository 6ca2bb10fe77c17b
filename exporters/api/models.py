"""The bodies that calls take. A mistake says which field, what was expected, what was found."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from exporters.api.body import is_unicode, kind
from exporters.api.errors import ApiError, bad_request

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


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class BackfillBody(_Body):
    """Whom to backfill, and how."""

    user_id: Annotated[str | None, PlainValidator(_user_id)] = None
    """An integer is the text of that integer."""
    everyone: bool = Field(default=False, alias="all")
    force: bool = False
    dry_run: bool = False


class UndoBody(_Body):
    """Whether only to look."""

    dry_run: bool = False


class PauseBody(_Body):
    """Why healing is paused."""

    reason: Annotated[str, Field(max_length=MAX_REASON_CHARACTERS), AfterValidator(_storable)] = ""


class EmptyBody(_Body):
    """Nothing to say."""


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _unfit("a time such as 2026-01-31T12:00:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise _unfit("a time between the years 1 and 9999") from None


_Text = Annotated[str, AfterValidator(_storable)]


class AlertBody(_Body):
    """One alert of a notification, as far as it is used here."""

    model_config = ConfigDict(extra="ignore")

    status: Literal["firing", "resolved"]
    labels: dict[str, _Text]
    starts_at: Annotated[datetime, PlainValidator(_moment)] = Field(alias="startsAt")
    fingerprint: _Text

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
