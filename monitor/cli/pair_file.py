"""`heal --dry-run --csv FILE`: the pairs that a run would write, as lines of a file."""

from __future__ import annotations

import csv
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import typer

from checks.errors import RefusedError, StatementError
from checks.moment_names import moment_name
from monitor.healing.pair_list import PlannedPair

HEADER = ("user_id", "artwork_id", "created_at")
_PRINTED = Path("-")


@dataclass(frozen=True, slots=True)
class PairFile:
    """A file that is not there yet, or standard output."""

    path: Path

    @property
    def is_printed(self) -> bool:
        """It goes to standard output, in the place of the plan."""
        return self.path == _PRINTED

    async def write(self, slices: AsyncIterator[Sequence[PlannedPair]], *, expected: int) -> None:
        """Write every pair as it comes, in UTC; a file that could not be finished is gone.

        Raises RefusedError where there is such a file, StatementError where the pairs are not as
        many as the plan of the same snapshot says.
        """
        written = 0
        with self._open() as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(HEADER)
            async for pairs in slices:
                lines.writerows(_cells(pair) for pair in pairs)
                written += len(pairs)
            if written != expected:
                raise StatementError(
                    f"Two counts of one snapshot differ: {expected} rows planned, {written} pairs"
                    " listed. The tables no longer keep what their constraints promise; run"
                    " `conservator doctor`."
                )

    @contextmanager
    def _open(self) -> Iterator[IO[str]]:
        if self.is_printed:
            yield sys.stdout
            return
        try:
            file = self.path.open("x", encoding="utf-8", newline="")
        except FileExistsError as error:
            raise RefusedError(
                f"{self.path} is there already: name a file that is not, or remove it."
            ) from error
        try:
            with file:
                yield file
        except BaseException:
            self.path.unlink(missing_ok=True)
            raise


def pair_file(path: Path | None, *, dry_run: bool, as_json: bool) -> PairFile | None:
    """The file that `--csv` names. Raises BadParameter where the other options don't go with it."""
    if path is None:
        return None
    if not dry_run:
        raise typer.BadParameter("--csv lists what a run would write: it goes with --dry-run.")
    if as_json and path == _PRINTED:
        raise typer.BadParameter("--csv - and --json both print: name a file.")
    return PairFile(path)


def _cells(pair: PlannedPair) -> tuple[str, str, str]:
    created = moment_name(pair.created).replace("+00:00", "Z")
    return pair.user_id, pair.artwork_id, created
