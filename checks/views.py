"""What is beneath a view through which PostgreSQL writes by itself, and what stands in the way.

Which column of the table a view's column is, PostgreSQL says nowhere but in the view's stored
query: it is read as nested lists of words, of which few are looked at. Whatever is not as expected
there makes the view one that can only be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from checks.relations import TABLES, Base, Column, ForeignKey, Index, Relation, Written
from checks.spec import TableRole

_WORDS = re.compile(r"[(){}]|(?:\\.|[^\s(){}\\])+", re.DOTALL)
_NOTHING = "<>"
_CLAUSES = {
    ":distinctClause": "has DISTINCT",
    ":groupClause": "groups rows",
    ":groupingSets": "groups rows",
    ":havingQual": "groups rows",
    ":setOperations": "combines several queries",
    ":cteList": "has WITH",
    ":limitCount": "has LIMIT",
    ":limitOffset": "has OFFSET",
}
_FLAGS = {
    ":hasAggs": "computes over several rows",
    ":hasWindowFuncs": "computes over several rows",
    ":hasTargetSRFs": "makes several rows of one",
}
_JOINS = "reads more than one table"

Node = list[Any]
"""A node of PostgreSQL's: its type and its fields, each name followed by its value; or a list."""


@dataclass(frozen=True, slots=True)
class Selected:
    """What a view selects from the one relation that it reads."""

    relation: int
    """Its oid."""
    columns: Mapping[int, int]
    """The relation's column, by the view's, both as numbers; computed ones are left out."""
    filtering: frozenset[int]
    """The relation's columns that its WHERE reads."""


def read_selected(stored: str) -> Selected | str:
    """What the stored query selects, or in a few words why it is not one row of one relation for
    each row of it."""
    try:
        ((query,),) = _nested(stored)
        words = [words for key, words in _CLAUSES.items() if _field(query, key) != _NOTHING]
        words += [words for key, words in _FLAGS.items() if _field(query, key) == "true"]
        if words:
            return words[0]
        sources = _field(_field(query, ":jointree"), ":fromlist")
        if len(sources) != 1 or sources[0][0] != "RANGETBLREF":
            return _JOINS
        number = int(_field(sources[0], ":rtindex"))
        source = _field(query, ":rtable")[number - 1]
        if _field(source, ":rtekind") != "0" or _field(source, ":tablesample") != _NOTHING:
            return "does not read a table"
        return Selected(
            int(_field(source, ":relid")),
            dict(_plain_columns(query, number)),
            frozenset(_read(_field(_field(query, ":jointree"), ":quals"), number, 0)),
        )
    except (ValueError, IndexError, TypeError):
        return "has a query that can't be read"


def _plain_columns(query: Node, source: int) -> Iterator[tuple[int, int]]:
    for entry in _field(query, ":targetList"):
        shown = _field(entry, ":expr")
        if shown[0] != "VAR" or int(_field(shown, ":varno")) != source:
            continue
        number = int(_field(shown, ":varattno"))
        if number > 0:  # others are of the system, or the whole row
            yield int(_field(entry, ":resno")), number


def _read(node: Node | str, source: int, depth: int) -> Iterator[int]:
    """The source's columns in an expression, also in subselects, `depth` of which are around it."""
    if isinstance(node, str) or not node:
        return
    if node[0] == "VAR":
        if int(_field(node, ":varlevelsup")) == depth and int(_field(node, ":varno")) == source:
            yield int(_field(node, ":varattno"))
        return
    inside = depth + (node[0] == "QUERY")
    for part in node:
        yield from _read(part, source, inside)


def _nested(stored: str) -> Node:
    """PostgreSQL's node trees: {TYPE :field value …} and (item …), as lists of words and lists."""
    levels: list[Node] = [[]]
    for word in _WORDS.findall(stored):
        if word in "({":
            levels.append([])
        elif word in ")}":
            inner = levels.pop()
            levels[-1].append(inner)
        else:
            levels[-1].append(word)
    (whole,) = levels
    return whole


def _field(node: Node, name: str) -> Any:
    return node[node.index(name) + 1]


@dataclass(slots=True)
class ViewChain:
    """The way from a view down to the table beneath it, a row of `catalogue_view` at a time."""

    role: TableRole
    relation: int
    """The oid of the next relation."""
    reader: int | None = None
    """The role by whose rights that is read; None for the connected one."""
    obstacles: list[str] = field(default_factory=list)
    table: tuple[str, str] | None = None
    """Schema and name of what is at the end; None where it was not reached."""
    columns: dict[str, str] = field(default_factory=dict)
    """Its column by the view's."""
    defaults: dict[str, str] = field(default_factory=dict)
    """By its column: the default of a view above it, which comes before its own."""
    filtering: frozenset[str | None] = frozenset()
    """Its columns that a WHERE reads; None for what a view computes."""
    written_by_role: list[Written] = field(default_factory=list)
    """What is read by the connected role's rights, beneath the first."""
    _numbers: dict[str, int] | None = None
    _defaults: dict[int, str] = field(default_factory=dict)
    _filtering: frozenset[int | None] = frozenset()

    def descend(self, level: Mapping[str, Any]) -> bool:
        """Takes in the row of `relation`; False at the end."""
        names = {int(number): name for number, name in level["columns"].items()}
        beneath = self._numbers is not None
        if self._numbers is None:
            self._numbers = {name: number for number, name in names.items()}
        self.obstacles += _forbidden(level, self.role, beneath=beneath)
        if beneath and self.reader is None:
            columns = {name: names[number] for name, number in self._numbers.items()}
            self.written_by_role.append(Written(level["schema"], level["name"], columns))
        if level["kind"] != "v":
            self.table = level["schema"], level["name"]
            self.columns = {name: names[number] for name, number in self._numbers.items()}
            self.defaults = {names[number]: text for number, text in self._defaults.items()}
            self.filtering = frozenset(names.get(n) if n else None for n in self._filtering)
            return False
        selected = read_selected(level["selected"])
        if isinstance(selected, str):
            self.obstacles.append(selected)
            return False
        of_views = {int(number): text for number, text in level["defaults"].items()}
        self._follow(selected, {**of_views, **self._defaults})
        if not level["by_invoker"]:
            self.reader = level["owner"]
        return True

    def _follow(self, selected: Selected, defaults: Mapping[int, str]) -> None:
        """Goes on to the relation that is selected from, with its columns' numbers."""
        assert self._numbers is not None
        below = selected.columns
        self._numbers = {
            name: below[number] for name, number in self._numbers.items() if number in below
        }
        self._defaults = {below[n]: text for n, text in defaults.items() if n in below}
        above = {None if n is None else below.get(n) for n in self._filtering}
        self._filtering = frozenset({*above, *selected.filtering})
        self.relation = selected.relation


def _forbidden(level: Mapping[str, Any], role: TableRole, *, beneath: bool) -> Iterator[str]:
    """What one relation of the chain has against being written to; `beneath`: through a view."""
    name = f"{level['schema']}.{level['name']}"
    if level["kind"] == "v" and level["instead"]:
        yield f"has INSTEAD OF triggers on {name}: {', '.join(level['instead'])}"
    if level["kind"] == "v" and level["rules"]:
        yield f"has rules on {name}: {', '.join(level['rules'])}"
    needed = ("INSERT", "DELETE", *(("UPDATE",) if role.updated else ()))
    lacks = [one for one in needed if one in level["lacks"]]
    if beneath and lacks:
        yield f"needs {', '.join(lacks)} on {name} for role {level['reader']}"


def seen_through(view: Relation, chain: ViewChain, table: Relation) -> Relation:
    """The view with what its table proves, in the view's names, and what forbids to write there."""
    shown: dict[str, str] = {}
    for name, of_table in chain.columns.items():
        shown.setdefault(of_table, name)
    columns = {
        name: _column(column, chain, table) if name in chain.columns else column
        for name, column in view.columns.items()
    }
    return replace(
        view,
        base=Base(
            table,
            MappingProxyType(chain.columns),
            chain.filtering,
            MappingProxyType(chain.defaults),
            tuple(chain.written_by_role),
        ),
        obstacles=(*view.obstacles, *_obstacles(view, chain, table)),
        columns=MappingProxyType(columns),
        indexes=tuple(_indexes(table, shown)),
        foreign_keys=tuple(_foreign_keys(table, shown)),
        insert_triggers=table.insert_triggers,
        row_changing_triggers=table.row_changing_triggers,
        update_triggers=table.update_triggers,
        write_rules=table.write_rules,
        inherited_by=table.inherited_by,
        partition_key=tuple(shown.get(name or "", name) for name in table.partition_key),
        publications=table.publications,
        estimated_rows=table.estimated_rows,
        total_bytes=table.total_bytes,
        row_bytes=table.row_bytes,
        visible_bytes=table.visible_bytes,
        analysed=table.analysed,
    )


def _column(shown: Column, chain: ViewChain, table: Relation) -> Column:
    """A column that is the table's."""
    of_table = table.columns[chain.columns[shown.name]]
    own = chain.defaults.get(of_table.name)
    return replace(
        shown,
        not_null=of_table.not_null,
        has_default=own is not None or of_table.has_default,
        required=of_table.required and own is None,
        generated=of_table.generated,
        default=own or of_table.default,
    )


def _indexes(table: Relation, shown: Mapping[str, str]) -> Iterator[Index]:
    """Those of which the view shows every key column. A predicate can be named only where its
    columns have the same names."""
    for index in table.indexes:
        if not {name for name in index.columns if name is not None} <= shown.keys():
            continue
        same = all(shown.get(name) == name for name in index.predicate_columns)
        yield replace(
            index,
            columns=tuple(None if name is None else shown[name] for name in index.columns),
            included=tuple(shown[name] for name in index.included if name in shown),
            predicate=index.predicate if same else None,
        )


def _foreign_keys(table: Relation, shown: Mapping[str, str]) -> Iterator[ForeignKey]:
    for key in table.foreign_keys:
        if set(key.columns) <= shown.keys():
            yield replace(key, columns=tuple(shown[name] for name in key.columns))


def _obstacles(view: Relation, chain: ViewChain, table: Relation) -> Iterator[str]:
    """What the table has against being written to through this view."""
    named = dict.fromkeys((*chain.role.written, *chain.role.updated))
    computed = [one for one in named if one in view.columns and one not in chain.columns]
    if computed:
        yield f"computes {', '.join(computed)}"
    name = f"{table.schema}.{table.name}"
    if table.kind not in TABLES:
        yield f"reads {name}, a {table.kind.value}"
    if table.distribution is not None:
        yield f"reads {name}, which Citus spreads"
    filled = {*chain.columns.values(), *chain.defaults}
    hidden = [one.name for one in table.columns.values() if one.required and one.name not in filled]
    if hidden:
        yield f"hides {', '.join(hidden)} of {name}, which may not be null and has no default"
