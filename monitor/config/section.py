"""Groups of keys, and data against them: all mistakes at once, as expected, found, what to do.

What does not fit is left out and the rest validated again, so that no mistake hides another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails

from monitor.config.errors import (
    ErrorCollector,
    InvalidConfigError,
    InvalidValueError,
    Loc,
    path_of,
    repr_safe,
    sentence,
    suggestion,
)
from monitor.config.loader import retyped
from monitor.config.types import format_duration

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_STAND_IN = object()
"""Takes the place of a value that has no default and is missing or broken, to find what else is
wrong."""


class Section(BaseModel):
    """A frozen group of keys that refuses others. The docstring of a key is its description."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    def contradictions(self) -> Iterable[InvalidValueError]:
        """What does not go together in this section, each with the keys that were compared.

        To find all mistakes at once it is asked beside others, too. Then a key that has no default
        may be any object, fit for nothing but to ask whether it equals another.
        """
        return ()

    def out_of_order(
        self, low: str, high: str, *, may_be_equal: bool = False
    ) -> Iterator[InvalidValueError]:
        """What is wrong where the value of one key is not below that of another."""
        value, limit = attrgetter(low, high)(self)
        if value > limit or (value == limit and not may_be_equal):
            write = format_duration if isinstance(limit, timedelta) else "{:.15g}".format
            expected = f"{'no more' if may_be_equal else 'less'} than {high} ({write(limit)})"
            yield InvalidValueError(expected, write(value), f"lower it, or raise {high}", low, high)

    def changed_keys(self, other: Self) -> list[str]:
        """The paths of the keys whose values differ, never the values."""
        return list(_differing(self, other, ()))

    @model_validator(mode="before")
    @classmethod
    def _defaults_if_null(cls, data: Any) -> Any:
        """A group whose keys are all commented out reads as null: it takes every default."""
        return {} if retyped(data) is None else data

    @field_validator("*", mode="wrap")
    @classmethod
    def _let_stand_ins_pass(cls, value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        return value if value is _STAND_IN else validate(value)

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        refuse_all(self.contradictions())
        return self


def refuse_all(errors: Iterable[InvalidValueError]) -> None:
    """For a validator that finds several mistakes: raises them, if there are any, as one."""
    details = [
        InitErrorDetails(type="value_error", input=None, ctx={"error": error}) for error in errors
    ]
    if details:
        raise ValidationError.from_exception_data("Section", details)


def _differing(before: object, after: object, loc: Loc) -> Iterator[str]:
    if type(before) is type(after) and isinstance(before, Section):
        for name in type(before).model_fields:
            yield from _differing(getattr(before, name), getattr(after, name), (*loc, name))
    elif before != after:
        yield path_of(loc)


AnySection = TypeVar("AnySection", bound=Section)


def validate(
    model: type[AnySection], data: dict[str, Any], errors: ErrorCollector, base_dir: Path
) -> AnySection:
    """The section in `data`. Files that it names are looked for from `base_dir` on.

    Raises InvalidConfigError with all that is wrong with it, and with what `errors` holds already.
    What is broken is taken out of `data` on the way: its default stands in for it.
    """
    for loc in errors.broken:
        _leave_out(data, loc)
    while True:
        try:
            section = model.model_validate(data, context=base_dir)
        except ValidationError as error:
            found = [details for details in error.errors() if not _is_miscounted(details)]
            for details in found:
                _tell(model, details, errors)
            taken_out = [_take_out(data, details, errors.broken) for details in found]
            if any(taken_out):
                continue
        else:
            if not errors.errors:
                return section
        raise InvalidConfigError(errors.in_order())


def _is_miscounted(details: ErrorDetails) -> bool:
    """Whether a list is too short only because pydantic counts no more than its sound items."""
    return details["type"] == "too_short" and details["input"] != []


def _tell(model: type[Section], details: ErrorDetails, errors: ErrorCollector) -> None:
    """Notes a mistake, unless it only follows from what is broken already."""
    about = _places(details)
    above = {place[:length] for place in about for length in range(1, len(place) + 1)}
    if errors.broken.isdisjoint(above):
        errors.add(about[0], _message(model, details))


def _take_out(data: dict[str, Any], details: ErrorDetails, broken: set[Loc]) -> bool:
    """Takes a culprit out of `data`. False where that has been done with all of them."""
    missing = details["type"] == "missing"
    culprits = [place for place in _places(details) if missing or place not in broken]
    for place in culprits[:1]:
        broken.add(place)
        _leave_out(data, place, missing=missing)
    return bool(culprits)


def _places(details: ErrorDetails) -> list[Loc]:
    """The keys that were compared with each other, or the place that is wrong by itself."""
    loc, cause = details["loc"], details.get("ctx", {}).get("error")
    keys = cause.keys if isinstance(cause, InvalidValueError) else ()
    return [(*loc, *key) for key in keys] or [loc]


def _leave_out(data: Any, loc: Loc, *, missing: bool = False) -> None:
    """Takes what stands at `loc` out of `data`; the other items of a list stay where they are."""
    *above, key = loc
    for part in above:
        group = data.get(part) if isinstance(data, dict) else data[part]
        if not isinstance(group, dict | list):  # null reads as an empty group
            group = data[part] = {}
        data = group
    if not isinstance(data, dict):
        data[key] = {}
    elif missing:
        data[key] = _STAND_IN
    else:
        data.pop(key, None)


_GROUP = ("a group of keys", "indent its keys below it")
_LIST = ("a list", "begin each item with a dash")
_WHOLE = ("a whole number", "write it without quotes or fraction")
_EXPECTED = {
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": ("a number", "write it without quotes"),
    "finite_number": ("a finite number", "correct it"),
    "bool_type": ("true or false", "write it without quotes"),
    "model_type": _GROUP,
    "dict_type": _GROUP,
    "mapping_type": _GROUP,
    "tuple_type": _LIST,
    "too_short": ("a list of at least {min_length}", "add to it"),
    "greater_than": ("a number above {gt:g}", "write more"),
    "greater_than_equal": ("{ge} or more", "write more"),
    "less_than_equal": ("no more than {le}", "write less"),
}
"""By pydantic's types of error: what was expected, and what to do."""


def _message(model: type[Section], details: ErrorDetails) -> str:
    """One error of pydantic, as a sentence."""
    kind, loc, value = details["type"], details["loc"], details["input"]
    context: dict[str, Any] = details.get("ctx", {})
    if kind == "value_error":  # an InvalidValueError
        return str(context["error"])
    if kind == "missing":
        return _missing(loc)
    if kind == "extra_forbidden":
        return _unknown(model, loc)
    if kind == "enum":
        expected = context["expected"].replace("'", "")
        close = suggestion(str(value), re.split(", | or ", expected))
        remedy = f"did you mean {close}?" if close else "write one of these"
    else:
        form, remedy = _EXPECTED.get(kind, ("another value", "correct it"))
        expected = form.format(**context)
    found = "an empty one" if value == [] else repr_safe(value)
    if (expected, remedy) in {_GROUP, _LIST} and isinstance(value, str) and value:
        found = "text"  # misplaced, it may be a secret
    if value is None:
        remedy = "leave the key out to take its default"
    return sentence(expected, found, remedy)


def _missing(loc: Loc) -> str:
    if loc == ("database", "url"):
        remedy = "set database.url, for example to ${DATABASE_URL}"
        return sentence("a PostgreSQL URL", "nothing", remedy)
    return sentence("a value", "nothing", f"add {loc[-1]}: it has no default")


def _unknown(model: type[Section], loc: Loc) -> str:
    """An unknown key: what it was probably meant to be, or where it belongs."""
    *parent, key = (part for part in loc if isinstance(part, str))
    keys = _all_keys(model)
    known = [path[-1] for path in keys if path[:-1] == tuple(parent)]
    if close := suggestion(key, known):
        remedy = f"did you mean {close}?"
    elif home := next((path for path in keys if path[-1] == key), None):
        remedy = f"did you mean {path_of(home)}?"
    else:
        remedy = f"remove it, or write one of {', '.join(known)}"
    return sentence("a known key", repr_safe(key), remedy)


@cache
def _all_keys(model: type[Section]) -> tuple[tuple[str, ...], ...]:
    return tuple(_key_paths(model, ()))


def _key_paths(section: type[Section], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every key that there is, in the order of the model."""
    for name, field in section.model_fields.items():
        yield (*path, name)
        if inner := _section_in(field.annotation):
            yield from _key_paths(inner, (*path, name))


def _section_in(annotation: Any) -> type[Section] | None:
    """The first model in an annotation such as Maybe[Promql] or Several[SqlCheck]."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _section_in(arg))), None)
