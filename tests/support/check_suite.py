"""The built-in measurements as one suite, judged by the thresholds that config.yaml defaults to."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from checks import custom_sql, row_faults, supply
from checks.judgement import (
    Comparison,
    Measurement,
    Outcome,
    Threshold,
    Thresholds,
    at_least,
    judge,
)
from checks.relations import Catalogue
from checks.spec import Cutoffs, PoolsSpec

DAY = 86400.0
ALL = (
    "duplicate_impressions",
    "orphan_impressions",
    "timestamps",
    "pool_exhaustion",
    "artwork_supply",
    "own",
)
_ANY = Thresholds(fail=at_least(1))


@dataclass(frozen=True)
class Suite:
    """All checks on one catalogue; `query` is the operator's, which fails above `limit`."""

    catalogue: Catalogue
    pools: PoolsSpec
    query: str
    limit: float = 0
    minimum: int = 2
    skipped: frozenset[str] = field(default_factory=frozenset)
    """Those whose fault the tables refuse."""

    def thresholds(self) -> Mapping[str, Thresholds]:
        """By check."""
        above = Threshold(Comparison.ABOVE, self.limit, f"> {self.limit:g}")
        return {
            "duplicate_impressions": _ANY,
            "orphan_impressions": _ANY,
            "timestamps": _ANY,
            "pool_exhaustion": Thresholds(warn=at_least(1), fail=at_least(10)),
            "artwork_supply": Thresholds(warn=at_least(DAY), fail=at_least(7 * DAY)),
            "own": Thresholds(fail=above),
        }

    async def measure(
        self, connection: AsyncConnection, cutoffs: Cutoffs
    ) -> dict[str, Measurement]:
        """Each check's measurement."""
        asked = (connection, self.catalogue, self.pools, cutoffs)
        running: dict[str, Awaitable[Measurement]] = {
            "duplicate_impressions": row_faults.measure_duplicates(*asked),
            "orphan_impressions": row_faults.measure_orphans(*asked),
            "timestamps": row_faults.measure_timestamps(*asked),
            "pool_exhaustion": supply.measure_pool(*asked, minimum=self.minimum),
            "artwork_supply": supply.measure_supply(*asked),
            "own": custom_sql.measure(*asked, query=self.query),
        }
        return {name: await measured for name, measured in running.items()}

    def judge(self, measured: Mapping[str, Measurement]) -> dict[str, Outcome]:
        """Each check's outcome."""
        return {name: judge(measured[name], limits) for name, limits in self.thresholds().items()}

    def healthy(self) -> dict[str, Outcome]:
        """What is expected of tables without a fault."""
        return {name: Outcome.SKIPPED if name in self.skipped else Outcome.PASS for name in ALL}
