"""SQL files, and the one way in which names and the operator's expressions get into them.

A file holds one statement with `{placeholders}` for identifiers and fragments, filled by
psycopg's own composition, and `%(parameters)s` for values, always bound. Nothing else is ever
put into SQL text.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

from psycopg import sql

Fragments = Mapping[str, sql.Composable]


@cache
def _templates(package: str) -> Mapping[str, str]:
    # All at once: later the process may have no file left to open one.
    folder = resources.files(package).joinpath("sql")
    return {
        file.name.removesuffix(".sql"): file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    }


def template(package: str, name: str) -> str:
    """The text of `name`.sql in `package`'s folder `sql`."""
    return _templates(package)[name]


def compose(text: str, fragments: Fragments) -> sql.Composed:
    """`text` with its placeholders filled; an unknown placeholder raises KeyError."""
    return raw(text).format(**fragments)


def render(package: str, name: str, fragments: Fragments) -> str:
    """The statement `name` as the driver gets it, parameters still unbound."""
    return compose(template(package, name), fragments).as_string(None)


def raw(text: str) -> sql.SQL:
    """A piece of our own SQL, or of the operator's, taken as it stands."""
    # psycopg's type asks for a literal as a reminder; our files and the operator's config are it.
    return sql.SQL(text)


def identifier(*parts: str) -> sql.SQL:
    """A quoted name. Its percent signs, too, are no parameters."""
    return raw(sql.Identifier(*parts).as_string(None).replace("%", "%%"))


def operator_sql(text: str) -> sql.SQL:
    """The operator's expression from config.yaml: its percent signs are no parameters."""
    return raw(text.replace("%", "%%"))
