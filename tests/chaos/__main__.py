"""The long form: `python -m tests.chaos`, or `make chaos`. Exit 1 when anything is wrong."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import replace

from monitor.cli.logs import configure_logs
from tests.chaos.program import Form, Program
from tests.chaos.tally import Tally
from tests.support import pgbouncer
from tests.support.databases import create_app_template
from tests.support.postgres import PostgresServer
from tests.support.servers import EMBEDDED


def main() -> int:
    """Read the command line, perform, print the figures."""
    form = _read()
    configure_logs()
    with EMBEDDED.server() as server:
        create_app_template(server)
        tally = asyncio.run(Program(server, form, _say).perform())
        tally.merge(_through_pgbouncer(server, replace(form, seconds=form.seconds - tally.seconds)))
    for line in tally.lines():
        _say(line)
    return 0 if tally.is_clean else 1


def _read() -> Form:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--seed", type=int, default=1, help="of everything that chance decides")
    add("--short", action="store_true", help="some of the boundaries, as in make test")
    add("--storms", type=int, default=3, help="storms, each with a seed of its own")
    add("--storm-faults", type=int, default=30, help="faults of a storm")
    add("--at-once", type=int, default=3, help="cases at the same time")
    add("--minutes", type=float, default=60.0, help="after so long no further case begins")
    read = parser.parse_args()
    return Form(
        long=not read.short,
        seed=read.seed,
        storms=read.storms,
        storm_faults=read.storm_faults,
        at_once=read.at_once,
        seconds=read.minutes * 60,
    )


def _through_pgbouncer(server: PostgresServer, form: Form) -> Tally:
    """The short form once more, with two connections for everybody."""
    if pgbouncer.program() is None:
        _say("pgbouncer is not installed: nothing was sent through it.")
        return Tally()
    with pgbouncer.bouncing(server) as bouncer:
        through = replace(form, long=False, storms=min(form.storms, 1), behind=bouncer.directory)
        return asyncio.run(Program(server, through, _say).perform())


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
