"""Works a run in the foreground."""

from __future__ import annotations

import asyncio
import signal

from monitor.healing.executor import OnProgress, RunResult
from monitor.runtime import Runtime
from monitor.state.runs import Run


async def execute(runtime: Runtime, run: Run, on_progress: OnProgress) -> RunResult:
    """Work the run; a signal lets the batch finish and puts the run down."""
    executor = runtime.executor(on_progress, window=False)
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, executor.stop)
    try:
        return await executor.work(run)
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
