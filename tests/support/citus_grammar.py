"""What Citus refuses, found in the text of a statement by PostgreSQL's own parser.

The rules are stricter than Citus is: they leave out what depends on how the tables are spread, so
that what passes here works on every layout.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from functools import lru_cache
from typing import Any

from pglast import parse_sql

CLOCKS = frozenset(
    {"now", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "timeofday"}
)
NOT_IN = "NOT IN (SELECT ...)"
CORRELATED = "a correlated subquery"
IN_TARGETS = "a subquery in the target list"
LATERAL = "LATERAL"
LOCKS = "FOR UPDATE over shards"
CLOCK = "a clock in a statement over shards"
USING = "DELETE ... USING a table that lies elsewhere"
APART = "a join of tables that need not lie together"
MIXED = "a change of a local table by rows of the nodes"
SUBCOMMANDS = "ADD CONSTRAINT with other subcommands"

Node = dict[str, Any]
Frame = frozenset[str]
Ctes = Mapping[str, Node]


def faults(statement: str, *, spread: Set[str], others: Set[str]) -> set[str]:
    """The kinds of fault in `statement`, parameters unbound.

    `spread` are the tables in shards, beside each other; `others` are users and artworks, which may
    be anywhere. A statement over neither is PostgreSQL's alone.
    """
    return set(_faults(statement, frozenset(spread), frozenset(others)))


# Most statements are the same for several of the galleries.
@lru_cache(maxsize=4096)
def _faults(statement: str, spread: Frame, others: Frame) -> Frame:
    parsed: Any = parse_sql(_bound(statement))
    found: set[str] = set()
    for tree in (one.stmt(skip_none=True) for one in parsed):
        named = {str(one["relname"]) for one in _all(tree, "RangeVar")}
        if named & (spread | others):
            found.update(_Reader(spread, others).read(tree))
    return frozenset(found)


def _bound(statement: str) -> str:
    text = re.sub(r"%\(\w+\)s", "$1", statement)
    return text.replace("%%", "%")


class _Reader:
    """Walks the tree of one statement."""

    def __init__(self, spread: Frame, others: Frame) -> None:
        self._spread = spread
        self._others = others

    def read(self, tree: Node) -> Iterator[str]:
        for call in _all(tree, "FuncCall"):
            if str(call["funcname"][-1]["sval"]) in CLOCKS:
                yield CLOCK
        if any(True for _ in _all(tree, "SQLValueFunction")):
            yield CLOCK
        for alter in _all(tree, "AlterTableStmt"):
            kinds = [_name(command["subtype"]) for command in alter["cmds"]]
            if "AT_AddConstraint" in kinds and len(kinds) > 1:
                yield SUBCOMMANDS
        ctes = {str(one["ctename"]): one for one in _all(tree, "CommonTableExpr")}
        for negated in _all(tree, "BoolExpr"):
            arguments = negated["args"]
            if _name(negated["boolop"]) == "NOT_EXPR" and any(
                arg.get("@") == "SubLink" and _name(arg["subLinkType"]) == "ANY_SUBLINK"
                for arg in arguments
            ):
                yield NOT_IN
        for kind in ("RangeSubselect", "RangeFunction"):
            if any(one.get("lateral") for one in _all(tree, kind)):
                yield LATERAL
        for select in _all(tree, "SelectStmt"):
            yield from self._select(select, ctes)
        for delete in _all(tree, "DeleteStmt"):
            yield from self._change(delete, delete.get("usingClause", ()), ctes)
        for update in _all(tree, "UpdateStmt"):
            yield from self._change(update, update.get("fromClause", ()), ctes)
        yield from _correlations(tree, ())

    def _select(self, select: Node, ctes: Ctes) -> Iterator[str]:
        targets = select.get("targetList", ())
        if any(True for one in targets for _ in _all(one, "SubLink")):
            yield IN_TARGETS
        tables = _tables(select.get("fromClause", ()), ctes)
        if select.get("lockingClause") and tables & self._spread:
            yield LOCKS
        known = tables & (self._spread | self._others)
        if known and len(tables) > 1 and not tables <= self._spread:
            yield APART

    def _change(self, change: Node, joined: Any, ctes: Ctes) -> Iterator[str]:
        target = str(change["relation"]["relname"])
        using = _tables(joined, ctes)
        if target in self._spread and using - self._spread:
            yield USING
        asked = {str(one["relname"]) for one in _all(change, "RangeVar")} - {target}
        if target not in self._spread and asked & (self._spread | self._others):
            yield MIXED


def _name(value: Any) -> str:
    """The name of an enumerated value as pglast writes it."""
    return str(value["name"]) if isinstance(value, dict) else str(getattr(value, "name", value))


def _all(tree: Any, kind: str) -> Iterator[Node]:
    """Every node of a kind, wherever it is."""
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            if node.get("@") == kind:
                yield node
            left += node.values()
        elif isinstance(node, list | tuple):
            left += node


def _items(clause: Any) -> Iterator[Node]:
    """What stands in a FROM clause, through its joins."""
    for item in clause or ():
        if item.get("@") == "JoinExpr":
            yield from _items((item["larg"], item["rarg"]))
        else:
            yield item


def _tables(clause: Any, ctes: Ctes) -> set[str]:
    """The tables of a FROM clause that Citus would have to join where they lie: those of subselects
    too, and of CTEs that it writes in place, but of none that is a result before it is joined."""
    found = set()
    for item in _items(clause):
        if item.get("@") == "RangeSubselect":
            found |= _joined(item["subquery"], ctes)
        elif item.get("@") == "RangeVar":
            name = str(item["relname"])
            found |= _inlined(ctes[name], ctes) if name in ctes else {name}
    return found


def _joined(select: Node, ctes: Ctes) -> set[str]:
    if "limitCount" in select or "limitOffset" in select:
        return set()
    sides = [select[side] for side in ("larg", "rarg") if side in select]
    found = [_tables(select.get("fromClause", ()), ctes), *(_joined(one, ctes) for one in sides)]
    return set().union(*found)


def _inlined(cte: Node, ctes: Ctes) -> set[str]:
    query = cte["ctequery"]
    if _name(cte["ctematerialized"]) == "CTEMaterializeAlways" or query["@"] != "SelectStmt":
        return set()
    # One that names itself is a result, too.
    others = {name: one for name, one in ctes.items() if one is not cte}
    return _joined(query, others)


def _frame(query: Node) -> Frame:
    clauses = [query.get("fromClause"), query.get("usingClause")]
    if "relation" in query:
        clauses.append([query["relation"]])
    names = set()
    for clause in clauses:
        for item in _items(clause):
            alias = item.get("alias")
            names.add(str(alias["aliasname"] if alias else item.get("relname")))
    return frozenset(names)


_QUERIES = frozenset({"SelectStmt", "DeleteStmt", "UpdateStmt"})


def _correlations(tree: Any, frames: tuple[Frame, ...]) -> Iterator[str]:
    """Columns of an outer query that an inner one names by their table."""
    if isinstance(tree, list | tuple):
        for value in tree:
            yield from _correlations(value, frames)
        return
    if not isinstance(tree, dict):
        return
    if tree.get("@") in _QUERIES:
        frames = (*frames, _frame(tree))
    if tree.get("@") == "ColumnRef" and frames:
        fields = [str(field["sval"]) for field in tree["fields"] if "sval" in field]
        named = fields[-2] if len(fields) > 1 and len(fields) == len(tree["fields"]) else None
        outer = named is not None and any(named in frame for frame in frames[:-1])
        if outer and named not in frames[-1]:
            yield CORRELATED
    for value in tree.values():
        yield from _correlations(value, frames)
