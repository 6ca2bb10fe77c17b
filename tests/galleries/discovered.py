"""What `discover` makes of each stranger's gallery: `python -m tests.galleries.discovered`."""

from __future__ import annotations

import asyncio
import sys

from tests.support.databases import create_app_template
from tests.support.discovering import (
    GALLERIES,
    Expected,
    as_the_app_has_it,
    counts_by,
    counts_of_documents,
    discovered,
    right_counts,
    run,
    tables_of,
)
from tests.support.postgres import PostgresServer
from tests.support.servers import EMBEDDED
from tests.support.stranger_galleries import stranger_gallery

HEAD = "| gallery | users, artworks, impressions | counts | oracle | | views | asked | s |"


def main() -> int:
    """Print the table; 1 where a count is wrong and nothing is asked."""
    print(f"{HEAD}\n|{' --- |' * 8}")  # noqa: T201
    amiss = 0
    with EMBEDDED.server() as server:
        create_app_template(server)
        for one in GALLERIES:
            amiss += asyncio.run(_row(server, one))
    return 1 if amiss else 0


async def _row(server: PostgresServer, expected: Expected) -> bool:
    with stranger_gallery(server, expected.gallery) as gallery:
        as_the_app_has_it(gallery)
        found = await discovered(gallery.owner_url)
        draft = found.drafts[0]
        for view in draft.views:
            run(gallery.owner_url, view.statement)
        counts = await counts_by(gallery.owner_url, draft.catalog)
        right = right_counts(gallery, draft.catalog)
        same = "="
        if counts != right:
            same = "document" if counts in await counts_of_documents(gallery) else "differs"
        asked = "; ".join(one.about for one in draft.questions)
        cells = (
            expected.gallery,
            ", ".join(tables_of(draft)),
            counts,
            right,
            same,
            len(draft.views),
            asked,
            f"{found.duration_seconds:.1f}",
        )
        print(f"| {' | '.join(map(str, cells))} |", flush=True)  # noqa: T201
        return same == "differs" and not asked


if __name__ == "__main__":
    sys.exit(main())
