"""What runs yield to, as configured."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine

from monitor.config import Settings
from monitor.healing.throttle.gather import Sources
from monitor.healing.throttle.prometheus import PromqlQuery
from monitor.healing.throttle.throttle import ThrottleSettings
from monitor.healing.throttle.throttler import Throttler


def make_throttler(engine: AsyncEngine, settings: Settings) -> Throttler:
    """Looks around for one run. `engine` is the primary's."""
    pace = settings.healing.pace
    promql = pace.promql
    return Throttler(
        engine,
        Sources(
            wait_while=pace.wait_while,
            promql=None if promql is None else PromqlQuery(promql.url, promql.query),
        ),
        ThrottleSettings(
            max_lag_seconds=pace.max_replica_lag.total_seconds(),
            max_lag_bytes=pace.max_replica_lag_bytes,
            expected_replicas=pace.expected_replicas,
            max_value=None if promql is None else promql.max,
        ),
    )
