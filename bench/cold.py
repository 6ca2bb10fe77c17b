"""The same counts with nothing in memory: `python -m bench.cold`.

Before each of them the server is started anew, and the system is asked to forget the files of its
data, which needs no privilege. Behind it there may still be a cache that nobody can empty, such as
a virtual machine's host's: the figure is of this machine's disk as a process sees it.
"""

from __future__ import annotations

import asyncio
import os

from bench.alone import alone
from bench.counting import counting
from bench.gallery import HEALED, LEGACY
from bench.measures import Measure, compared
from bench.options import Options
from bench.progress import note
from bench.report import Report
from tests.support.postgres import PostgresServer

FLOOR, CENSUS, USERS = "floor", "census", "census_and_users"


def measure(server: PostgresServer, options: Options) -> Report:
    """Both galleries must be there already; whoever is connected to the server loses it."""
    measures: list[Measure] = []
    for database, words in ((HEALED, "nothing legacy"), (LEGACY, "with legacy")):
        note(f"cold, {words}")
        samples: dict[str, list[float]] = {FLOOR: [], CENSUS: [], USERS: []}
        for _ in range(options.cold_rounds):
            for name, seconds in samples.items():
                forget(server)
                seconds.append(asyncio.run(_once(server, database, name)))
        floor = Measure(f"count(*), cold, {words}", "s", tuple(samples[FLOOR]))
        counts = compared(f"the four counts, cold, {words}", "s", samples[CENSUS], floor)
        users = compared(
            f"the four counts with affected users, cold, {words}", "s", samples[USERS], floor
        )
        measures += [floor, counts, users]
    return Report("cold", tuple(measures), {"rounds": options.cold_rounds})


def forget(server: PostgresServer) -> None:
    """Start the server anew on data that nothing has in memory."""
    server.restart()
    os.sync()  # what is not written yet can't be forgotten
    for path in (server.data_dir / "base").rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


async def _once(server: PostgresServer, database: str, name: str) -> float:
    async with counting(server, database) as one:
        contenders = {FLOOR: one.floor, CENSUS: one.census, USERS: one.census_and_users}
        return await one.once(contenders[name])


if __name__ == "__main__":
    alone(__doc__, measure, HEALED, LEGACY)
