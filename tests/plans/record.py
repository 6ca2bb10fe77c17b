"""What is kept of a plan, and what makes another one worse. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.plans.log import Executed

LARGE = (
    *("user_art_impressions", "art_sessions", "users", "backfilled_impression"),
    *("shown", "repair_work", "repaired_row"),
)
"""The tables that grow: the app's, the ledgers, and what repairs have still to do."""
MANY = 2000
"""So many rows are a scan worth a word, of a larger table or of a smaller one again and again.
Whether a few hundred rows are read as a whole or by an index is a toss-up for the planner."""

FREE = 100_000
"""So many rows more than was recorded may be gone through in the loops of one node: some are gone
through for every pair of a batch."""
PROCESSES = 3
"""At most so many share a scan by PostgreSQL's defaults."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Of all executions of one statement: what was read as a whole, by which indexes the rest, and
    how many sorts, hashes and aggregates went to disk at most."""

    scanned: frozenset[str] = frozenset()
    indexes: frozenset[str] = frozenset()
    again: frozenset[str] = frozenset()
    """What was read as a whole more than once in one execution."""
    on_disk: Mapping[str, int] = field(default_factory=dict)
    """By kind of node: Sort, Hash, Aggregate, …"""
    repeated: int = 0
    """Rows at most that one node went through or compared in all of its loops, without an index."""

    def __or__(self, other: Kept) -> Kept:
        return Kept(
            self.scanned | other.scanned,
            self.indexes | other.indexes,
            self.again | other.again,
            Counter(self.on_disk) | Counter(other.on_disk),
            max(self.repeated, other.repeated),
        )

    def as_json(self) -> dict[str, Any]:
        """For the file."""
        return {
            "scanned": sorted(self.scanned),
            "indexes": sorted(self.indexes),
            "again": sorted(self.again),
            "on_disk": dict(sorted(self.on_disk.items())),
            "repeated": self.repeated,
        }


Plans = Mapping[str, Mapping[str, Kept]]
"""By act of the program, then by statement."""


def from_json(read: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Plans:
    """The reverse of `as_json` of each."""
    return {
        act: {
            name: Kept(
                frozenset(one["scanned"]),
                frozenset(one["indexes"]),
                frozenset(one["again"]),
                one["on_disk"],
                one.get("repeated", 0),
            )
            for name, one in statements.items()
        }
        for act, statements in read.items()
    }


def kept(executed: Executed) -> Kept | None:
    """What is kept of one execution; None where it read no large table and stayed in memory."""
    # One that was only explained has no loops at all.
    nodes = [node for node in executed.nodes() if node.get("Actual Loops")]
    large = [node for node in nodes if node.get("Relation Name") in LARGE]
    on_disk = Counter(node["Node Type"] for node in nodes if _went_to_disk(node))
    repeated = max((_repeated(node) for node in nodes), default=0)
    if not large and not on_disk and repeated < FREE:
        return None
    return Kept(
        frozenset(node["Relation Name"] for node in large if _scans_many(node)),
        frozenset(node["Index Name"] for node in nodes if _names_large(node.get("Index Name"))),
        frozenset(node["Relation Name"] for node in large if _scans_again(node)),
        on_disk,
        repeated,
    )


def _repeated(node: Mapping[str, Any]) -> int:
    loops = node["Actual Loops"]
    compared = node.get("Rows Removed by Join Filter", 0)
    if loops > PROCESSES and "Index Cond" not in node:
        compared += node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return int(compared * loops)


def _scans_many(node: Mapping[str, Any]) -> bool:
    rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return bool(node["Node Type"] == "Seq Scan" and rows * node["Actual Loops"] >= MANY)


def _scans_again(node: Mapping[str, Any]) -> bool:
    # A loop is a process, too, where several share a scan.
    rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    is_whole = "Scan" in node["Node Type"] and "Index Cond" not in node
    return bool(is_whole and rows >= MANY and node["Actual Loops"] > PROCESSES)


def _names_large(index: str | None) -> bool:
    return index is not None and index.startswith(LARGE)


def _went_to_disk(node: Mapping[str, Any]) -> bool:
    workers = node.get("Workers", ())
    return any(
        one.get("Sort Space Type") == "Disk"
        or one.get("Disk Usage", 0) > 0
        or one.get("Hash Batches", 1) > 1
        or _spilled_group(one)
        for one in (node, *workers)
    )


def _spilled_group(node: Mapping[str, Any]) -> bool:
    """An incremental sort tells of groups."""
    groups = (node.get("Full-sort Groups", {}), node.get("Pre-sorted Groups", {}))
    methods = {method for group in groups for method in group.get("Sort Methods Used", ())}
    return any(method.startswith("external") for method in methods)


def together(found: Iterable[tuple[str, Executed]]) -> dict[str, Kept]:
    """By name, over all executions."""
    result: dict[str, Kept] = {}
    for name, executed in found:
        one = kept(executed)
        if one is not None:
            result[name] = result.get(name, Kept()) | one
    return dict(sorted(result.items()))


def either(passes: Iterable[Plans]) -> Plans:
    """What was found in any of them."""
    result: dict[str, dict[str, Kept]] = {}
    for found in passes:
        for act, statements in found.items():
            of_act = result.setdefault(act, {})
            for name, one in statements.items():
                of_act[name] = of_act.get(name, Kept()) | one
    return result


def worse(recorded: Plans, found: Plans) -> list[str]:
    """A sentence for each table newly read as a whole, and each that newly goes to disk. What is
    not recorded may do neither."""
    return [
        f"{name} ({act}): {problem}"
        for act, statements in found.items()
        for name, now in statements.items()
        for problem in _worse(recorded.get(act, {}).get(name, Kept()), now)
    ]


def _worse(before: Kept, now: Kept) -> Iterator[str]:
    for table in sorted(now.scanned - before.scanned):
        lost = ", ".join(sorted(before.indexes - now.indexes))
        instead = f", where it used {lost}" if lost else ""
        yield f"it reads the whole of {table}{instead}."
    for table in sorted(now.again - before.again):
        yield f"it reads the whole of {table} again and again."
    if now.repeated > 2 * before.repeated + FREE:
        yield (
            f"it goes through {now.repeated} rows, loop by loop, expected about {before.repeated}."
        )
    for kind, count in now.on_disk.items():
        if count > before.on_disk.get(kind, 0):
            expected = before.on_disk.get(kind, 0)
            yield f"{count} of its nodes of kind {kind} go to disk, expected at most {expected}."


def better(recorded: Plans, found: Plans) -> list[str]:
    """What could be recorded more strictly, and what is gone."""
    said = []
    for act, statements in recorded.items():
        for name, before in statements.items():
            now = found.get(act, {}).get(name)
            if now is None:
                said.append(f"{name} ({act}) was not executed.")
            elif before.scanned - now.scanned or any(
                count > now.on_disk.get(kind, 0) for kind, count in before.on_disk.items()
            ):
                said.append(f"{name} ({act}) has a better plan than was recorded.")
    return said
