"""Logs on standard error. Loaded before any other module that logs."""

from __future__ import annotations

import logging
import sys

# structlog draws tracebacks with Rich where it finds it, and loads Pygments for that: 4 MB of a
# service that never draws one. Out of sight for the moment of the import, it does without.
if "structlog" not in sys.modules and "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog
    finally:
        del sys.modules["rich"]
else:
    import structlog


def configure_logs(level: int = logging.WARNING) -> None:
    """Our own events from `level` up, and the warnings of libraries, on standard error: readable in
    a terminal, JSON lines elsewhere."""
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer()
    )
    moment = structlog.processors.TimeStamper(fmt="iso", utc=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            moment,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    libraries = logging.StreamHandler(sys.stderr)
    libraries.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
            foreign_pre_chain=[
                structlog.stdlib.add_logger_name,
                structlog.stdlib.add_log_level,
                moment,
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[libraries])
    # Its warnings about missed and overlapping runs are counted and logged by our scheduler.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
