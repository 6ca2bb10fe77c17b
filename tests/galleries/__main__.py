"""What the product says of each gallery where it is configured by names alone, and what comes of it
where it is configured right, as owner and as the least-privileged role: in Markdown."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from checks.doctor.findings import Blocks
from tests.support.acceptance import accept
from tests.support.acceptance_cases import ACCEPTANCE_CASES, AcceptanceCase
from tests.support.naive import STATES, Answers, NaiveCase, ask, bad_advice, harm, silence
from tests.support.naive_cases import NAIVE_CASES
from tests.support.postgres import PostgresServer
from tests.support.servers import server_kinds
from tests.support.stranger_galleries import stranger_gallery

_NAIVE = (
    "gallery",
    "findings that block, and those that tell",
    "doctor, check, heal --dry-run, serve",
    "serve came to",
    "counted: tracked, fresh, storage, legacy_untracked",
    "right",
    "amiss",
)
_RIGHT = ("gallery", "as", *STATES, "written", "brought", "undone", "amiss")


def main() -> int:
    """Two tables for each server; 1 when anything is amiss."""
    amiss = 0
    for kind in server_kinds():
        if kind.missing is not None:
            continue
        with kind.server() as server:
            _print([f"### {kind.name}, by names alone", "", _row(_NAIVE), _rule(_NAIVE)])
            amiss += sum(_by_names_alone(server, case) for case in NAIVE_CASES)
            _print(["", f"### {kind.name}, configured right", "", _row(_RIGHT), _rule(_RIGHT)])
            for case in ACCEPTANCE_CASES:
                amiss += sum(_configured(server, case, owner) for owner in (True, False))
            _print([""])
    return 1 if amiss else 0


def _by_names_alone(server: PostgresServer, case: NaiveCase) -> bool:
    with stranger_gallery(server, case.gallery) as gallery, TemporaryDirectory() as directory:
        answers = ask(gallery, case, Path(directory))
    wrong = [*harm(case, answers), *silence(case, answers), *bad_advice(case, answers)]
    _print([_row(_cells(case, answers, wrong))])
    return bool(wrong)


def _configured(server: PostgresServer, case: AcceptanceCase, owner: bool) -> bool:
    with TemporaryDirectory() as directory:
        found = accept(server, case, Path(directory), owner=owner)
    counts = [""] * len(STATES) if found.counts is None else [f"{n:,}" for n in found.counts]
    done = [f"{n:,}" for n in (found.written, found.brought, found.undone)]
    who = "owner" if owner else "service"
    _print([_row((case.name, who, *counts, *done, "; ".join(found.amiss)))])
    return bool(found.amiss)


def _rule(head: Iterable[str]) -> str:
    return _row("---" for _ in head)


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
    escaped = (" ".join(cell.split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _print(lines: list[str]) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
