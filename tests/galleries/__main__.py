"""What the product says of each gallery where it is configured by names alone, in Markdown."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from checks.doctor.findings import Blocks
from tests.support.naive import Answers, NaiveCase, ask, bad_advice, harm, silence
from tests.support.naive_cases import NAIVE_CASES
from tests.support.servers import server_kinds
from tests.support.stranger_galleries import stranger_gallery

_HEAD = (
    "gallery",
    "findings that block, and those that tell",
    "doctor, check, heal --dry-run, serve",
    "serve came to",
    "counted: tracked, fresh, storage, legacy_untracked",
    "right",
    "amiss",
)


def main() -> int:
    """A table for each server; 1 when anything is amiss."""
    amiss = 0
    for kind in server_kinds():
        if kind.missing is not None:
            continue
        _print([f"### {kind.name}", "", _row(_HEAD), _row("---" for _ in _HEAD)])
        with kind.server() as server:
            for case in NAIVE_CASES:
                with (
                    stranger_gallery(server, case.gallery) as gallery,
                    TemporaryDirectory() as directory,
                ):
                    answers = ask(gallery, case, Path(directory))
                wrong = [*harm(case, answers), *silence(case, answers), *bad_advice(case, answers)]
                amiss += bool(wrong)
                _print([_row(_cells(case, answers, wrong))])
        _print([""])
    return 1 if amiss else 0


def _cells(case: NaiveCase, answers: Answers, wrong: list[str]) -> tuple[str, ...]:
    counted = answers.counts
    return (
        case.name,
        _findings(answers),
        " ".join(map(str, answers.codes)),
        answers.served.words,
        "refused" if counted is None else _numbers(counted),
        "" if counted == answers.oracle else _numbers(answers.oracle),
        "; ".join(wrong),
    )


def _findings(answers: Answers) -> str:
    kept = []
    for one in answers.findings:
        if one["severity"] == "advice":
            continue
        name = one["accepted_as"] or f"{one['code']} ({one['subject']})"
        blocks = one["blocks"]
        kept.append(f"**{name}**: {blocks}" if blocks != Blocks.NOTHING.value else name)
    return ", ".join(kept)


def _numbers(counts: Iterable[int]) -> str:
    return ", ".join(f"{count:,}" for count in counts)


def _row(cells: Iterable[str]) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _print(lines: list[str]) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
