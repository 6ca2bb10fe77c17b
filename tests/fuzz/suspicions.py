"""Galleries by chance, and the suspicions that the doctor has about them: none where everybody may
be shown everything, and the one that is right where not."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tests.integration.doctor_help import Patient
from tests.support.random_galleries import cleared_gallery, open_gallery, tenant_gallery
from tests.support.random_tables import RandomGallery


@dataclass
class Suspected:
    """What came of it."""

    galleries: int = 0
    wrong: list[str] = field(default_factory=list)
    """A sentence for each gallery in which anything else was suspected than should be."""
    seconds: float = 0.0

    def __str__(self) -> str:
        head = (
            f"suspicions: {self.galleries} galleries in {self.seconds:.0f} s,"
            f" {len(self.wrong)} wrongly suspected or not suspected"
        )
        return "\n".join([head, *self.wrong])


def some_galleries(seed: int, *, harmless: int, suspect: int) -> Iterable[RandomGallery]:
    """So many in which nothing is to be suspected, and so many of each other kind."""
    yield from (open_gallery(seed + number) for number in range(harmless))
    yield from (tenant_gallery(seed + number) for number in range(suspect))
    yield from (cleared_gallery(seed + number) for number in range(suspect))


async def suspect(patient: Patient, galleries: Iterable[RandomGallery]) -> Suspected:
    """Make each in the patient's database, have the doctor look at it, and drop it again."""
    found, began = Suspected(), time.monotonic()
    for gallery in galleries:
        patient.run(gallery.statements)
        examination = await replace(patient, spec=gallery.spec).examine()
        patient.run(f"DROP SCHEMA {gallery.schema} CASCADE")
        names = {one.accepted_as: one.problem for one in examination.findings if one.accepted_as}
        found.galleries += 1
        if names.keys() != gallery.suspected:
            wanted = sorted(gallery.suspected)
            found.wrong.append(f"{gallery.schema}: expected {wanted}, found {names}")
    found.seconds = time.monotonic() - began
    return found
