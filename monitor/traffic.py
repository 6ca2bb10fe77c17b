"""What runs yield to, as configured."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine

from monitor.config import Settings
from monitor.healing.signals.gather import Sources
from monitor.healing.signals.prometheus import PromqlQuery
from monitor.healing.signals.throttle import ThrottleSettings
from monitor.healing.signals.traffic import SignalTraffic


def traffic_on(engine: AsyncEngine, settings: Settings) -> SignalTraffic:
    """Looks around for one run. `engine` is the primary's."""
    pace = settings.healing.pace
    promql = pace.promql
    return SignalTraffic(
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
