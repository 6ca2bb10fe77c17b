"""Pushing by OTLP: once, or again and again beside the service."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import structlog
from prometheus_client import CollectorRegistry

from checks.errors import ConfigurationError, ConservatorError

log = structlog.get_logger(__name__)

METRICS_PATH = "/v1/metrics"
LAST_PUSH_SECONDS = 1.0
"""How long the last push may hold up a stop."""


class OtlpError(ConservatorError):
    """The collector did not take the metrics."""

    code = "otlp"


class MissingOtlpError(ConfigurationError):
    """The extra is not installed."""


class OtlpPush:
    """Hands what a registry holds to one collector."""

    def __init__(
        self,
        registry: CollectorRegistry,
        endpoint: str,
        *,
        instance: str,
        version: str,
        timeout_seconds: float,
    ) -> None:
        """`endpoint`: the collector's URL, with its path unless that is /v1/metrics.

        Headers, certificates and compression come from the variables OTEL_EXPORTER_OTLP_*. Raises
        MissingOtlpError.
        """
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415
                OTLPMetricExporter,
            )

            from exporters.push.otlp_records import metrics_data, resource  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise MissingOtlpError(
                "OTLP: expected the extra `otlp`, found that it is not installed"
                f" ({error.name}); run pip install 'conservator[otlp]', or leave export.otlp out."
            ) from None
        parts = urlsplit(endpoint)
        path = METRICS_PATH if parts.path in {"", "/"} else parts.path
        self._shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}"
        self._registry = registry
        self._translate = metrics_data
        self._who = resource(instance=instance, version=version)
        self._exporter = OTLPMetricExporter(
            endpoint=parts._replace(path=path).geturl(), timeout=timeout_seconds
        )
        self._reason = _FailureReason()

    def push(self) -> None:
        """Push everything as it is now; tried again within the timeout. Blocks; raises
        OtlpError."""
        from opentelemetry.sdk.metrics.export import MetricExportResult  # noqa: PLC0415

        data = self._translate(self._registry, self._who, at=time.time_ns())
        with self._reason:
            done = self._exporter.export(data)
        if done is not MetricExportResult.SUCCESS:
            raise OtlpError(
                f"The metrics could not be pushed to {self._shown}:"
                f" {self._reason.text or 'no answer in time'}. Check the URL, and that a collector"
                " takes OTLP over HTTP there."
            )

    def close(self) -> None:
        """Give up what is being tried."""
        self._exporter.shutdown()


class _FailureReason(logging.Handler):
    """Why a push failed, from what the exporter logs last: its result does not say it."""

    _LOGGER = logging.getLogger("opentelemetry")

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        # A warning names the cause and that it is tried again; that nothing helped comes last.
        cause = record.args[0] if isinstance(record.args, tuple) and record.args else None
        if record.levelno < logging.ERROR and cause:
            self.text = f"{cause}".rstrip(".")
        elif "due to timeout" not in record.getMessage() or not self.text:
            self.text = record.getMessage().rstrip(".")

    def __enter__(self) -> None:
        self.text = ""
        self._LOGGER.addHandler(self)
        self._LOGGER.propagate = False

    def __exit__(self, *_: object) -> None:
        self._LOGGER.removeHandler(self)


@asynccontextmanager
async def pushing(push: OtlpPush, *, every_seconds: float) -> AsyncIterator[None]:
    """Push now, every so often, and once more at the end. A change between working and failing is
    one line in the log; nothing else depends on it."""
    task = asyncio.create_task(_push_repeatedly(push, every_seconds), name="otlp")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        with suppress(OtlpError, TimeoutError):
            await asyncio.wait_for(_in_thread(push.push), LAST_PUSH_SECONDS)
        push.close()


async def _push_repeatedly(push: OtlpPush, every_seconds: float) -> None:
    failed: bool | None = None
    while True:
        try:
            await _in_thread(push.push)
        except OtlpError as error:
            if failed is not True:
                log.warning("otlp_failed", error=str(error))
            failed = True
        except Exception:  # a mistake of ours must not end what nobody waits for
            log.exception("otlp_failed")
            failed = True
        else:
            if failed is not False:
                log.info("otlp_pushed", every_seconds=every_seconds)
            failed = False
        await asyncio.sleep(every_seconds)


def _in_thread(work: Callable[[], None]) -> asyncio.Future[None]:
    """`work` in a thread that nobody waits for when the process ends: a collector that does not
    answer must not hold a stop up."""
    done: Future[None] = Future()

    def run() -> None:
        try:
            work()
        except Exception as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    # Nobody who stops waiting can call the thread off.
    done.set_running_or_notify_cancel()
    threading.Thread(target=run, name="otlp", daemon=True).start()
    return asyncio.wrap_future(done)
