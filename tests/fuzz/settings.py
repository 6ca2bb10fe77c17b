"""Every setting that a role may carry by itself, at odd values: the same numbers as without, or a
refusal in one sentence where no work is possible."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

import psycopg

from checks.errors import ConservatorError
from tests.support.app import conninfo
from tests.support.role_settings import Gallery, Numbers

_TEXTS = {
    "DateStyle": ("SQL, DMY", "German", "Postgres, YMD"),
    "TimeZone": ("Asia/Kathmandu", "<+01:02:03>-1:02:03", "Pacific/Apia"),
    "application_name": ('it\'s \\ "odd"',),
    "client_encoding": ("LATIN1", "SQL_ASCII", "EUC_JP"),
    "default_table_access_method": ("heap",),
    "default_tablespace": ("pg_default", "none_such"),
    "default_text_search_config": ("pg_catalog.simple",),
    "lc_monetary": ("C", "C.UTF-8"),
    "lc_numeric": ("C.UTF-8",),
    "lc_time": ("C.UTF-8",),
    "local_preload_libraries": ("none_such",),
    "restrict_nonsystem_relation_kind": ("view", "foreign-table"),
    "role": ("conservator_healer",),
    "search_path": ("public", "pg_catalog, public", "public, pg_catalog", "none_such"),
    "temp_tablespaces": ("pg_default",),
    "timezone_abbreviations": ("India",),
}
_NUMBERS = {
    # What less does is said below.
    "statement_timeout": ("1ms", "2h"),
    "idle_session_timeout": ("10s",),
    "transaction_timeout": ("500ms",),
    "idle_in_transaction_session_timeout": ("200ms",),
    "lock_timeout": ("1ms",),
    "client_connection_check_interval": ("1ms",),
    "temp_buffers": ("100",),
}
_REFUSED = {
    ("default_transaction_read_only", "on"),
    # Before the first statement that says how long one may take.
    ("statement_timeout", "1ms"),
    ("local_preload_libraries", "none_such"),
    ("search_path", "none_such"),
}
"""Where no work is possible."""
_ALL = """
SELECT name, vartype, enumvals, min_val, max_val FROM pg_settings
WHERE context = 'user' ORDER BY name
"""


@dataclass
class Altered:
    """How it went."""

    names: int = 0
    tried: int = 0
    refused: list[str] = field(default_factory=list)
    impossible: int = 0
    """Values that no role may carry."""
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"settings: {self.names} in {self.tried} values, {self.impossible} of which no role may"
            f" carry, in {self.seconds:.0f} s; refused {self.refused}; wrong {self.wrong}"
        )


def odd_values(gallery: Gallery) -> dict[str, tuple[str, ...]]:
    """Of every setting that anybody may make."""
    with psycopg.connect(conninfo(gallery.url)) as connection:
        return {name: tuple(_values(name, *more)) for name, *more in connection.execute(_ALL)}


def _values(
    name: str, kind: str, words: list[str] | None, least: str | None, most: str | None
) -> Iterator[str]:
    if name in _NUMBERS or kind == "string":
        yield from _NUMBERS.get(name) or _TEXTS.get(name, ())
    elif kind == "bool":
        yield from ("on", "off")
    else:
        yield from words or (str(least), str(most))


async def try_settings(gallery: Gallery) -> Altered:
    """Each value by itself, then the first of all that are harmless at once, the second, …, with
    a suite of expectations."""
    began, usual = time.monotonic(), await gallery.numbers(with_suite=False)
    done, harmless = Altered(), dict[str, tuple[str, ...]]()
    for name, values in odd_values(gallery).items():
        done.names += 1
        harmless[name] = tuple([v for v in values if await _try(gallery, usual, {name: v}, done)])
    whole = await gallery.numbers()
    for column in zip_longest(*harmless.values()):
        together = {n: v for n, v in zip(harmless, column, strict=True) if v is not None}
        await _try(gallery, whole, together, done)
    done.seconds = time.monotonic() - began
    return done


async def _try(gallery: Gallery, usual: Numbers, odd: dict[str, str], done: Altered) -> bool:
    """Whether nothing has changed."""
    [*some] = odd.items()
    told = f"{some[0][0]} = {some[0][1]}" + (f" and {len(some) - 1} more" if some[1:] else "")
    done.tried += 1
    try:
        with gallery.altered(odd):
            found = await gallery.numbers(with_suite=bool(usual.suite))
    except psycopg.Error:
        done.impossible += 1
        return False
    except ConservatorError as error:
        if len(some) > 1 or some[0] not in _REFUSED:
            done.wrong.append(f"{told}: {error}")
        else:
            done.refused.append(f"{told} ({error.exit_code})")
        return False
    except Exception as error:  # whatever it is: nobody would have been told in a sentence
        done.wrong.append(f"{told}: {error!r}")
        return False
    if found != usual:
        done.wrong.append(f"{told}: {found} instead of {usual}")
    return found == usual
