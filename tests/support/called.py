"""Commands within this process, as the installed command runs them, and `serve` until it has
counted or refused: a tenth of the time of a process each."""

from __future__ import annotations

import asyncio
import io
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from structlog.testing import capture_logs

from checks.errors import ConservatorError
from monitor.cli.app import app, run
from monitor.cli.serving import served
from monitor.config import load_config
from monitor.policy.decision import Decision, Verdict
from tests.support.commands import Done
from tests.support.oracle import Counts
from tests.support.waiting import wait_until


def call(config: Path, *arguments: str) -> Done:
    """`conservator -c CONFIG ARGUMENTS`, to its exit code."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), capture_logs():
        code = run(lambda: app(["-c", str(config), *arguments], standalone_mode=False))
    return Done(code, out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class Served:
    """What `serve` came to: its first census and decision, or why it did not start."""

    code: int
    counts: Counts | None = None
    decision: Decision | None = None
    refusal: str = ""

    @property
    def words(self) -> str:
        """Verdict and reason in a word each, or that it did not start."""
        if self.decision is None:
            return "does not start"
        return f"{self.decision.kind.value}: {self.decision.code.value}"

    @property
    def refuses(self) -> bool:
        """It has counted, and refuses to heal."""
        return self.decision is not None and self.decision.kind is Verdict.REFUSED

    @property
    def heals(self) -> bool:
        """It has begun to write."""
        return self.decision is not None and self.decision.kind is Verdict.HEAL


def serve(config: Path) -> Served:
    """`conservator serve` until its first decision, or until it ends by itself."""
    with capture_logs():
        return asyncio.run(_serve(config))


async def _serve(config: Path) -> Served:
    try:
        async with served(load_config(config, {})) as serving:
            board = serving.service.board
            await wait_until(lambda: board.current.decision is not None)
            status = board.current
            census = status.census
            return Served(0, None if census is None else census.counts, status.decision)
    except ConservatorError as error:
        return Served(error.exit_code, refusal=str(error))
