"""`discover`: what a database could be that nobody has described yet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from checks.census import Census
from checks.discover.candidates import Candidate
from checks.discover.sampling import PATIENCE, ROWS, WHOLE_BYTES
from checks.doctor.findings import Blocks
from monitor.cli import signals
from monitor.cli.output import console, number, print_json, print_text, record_fields, size
from monitor.cli.session import AsJson, config_path, settings_of
from monitor.config import Settings
from monitor.config.errors import ErrorCollector
from monitor.config.section import validate
from monitor.database import create_engine
from monitor.discovery.discover import TIMEOUT, Discovery
from monitor.discovery.discover import discover as discovered
from monitor.discovery.draft import Draft
from monitor.discovery.render import catalog_yaml, config_yaml, view_sql

_MOST_NAMED = 5
_SOUGHT = (
    "Looked for a table with a column that leads to people and one that leads to works that they"
    " are shown, and that by its name, by a column or by how many of the pairs are there says that"
    " they have seen them."
)


def discover(
    context: typer.Context,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="The database; else database.url.")
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the best one here, never over a file."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Read a database that nobody has described yet, and print the catalogs that it could be.

    Best first, each line with its evidence. Reads only; exit 1 when nothing fits.

    Example: conservator discover --url postgresql://analyst@db.example/app
    """
    address = _address(context, url)
    if write is not None and write.exists():
        message = f"{write} is there already, and discover never writes over a file"
        raise typer.BadParameter(message, context, param_hint="--write")
    if not as_json:
        _say_beforehand()

    async def work() -> Discovery:
        engine = create_engine(address, pool_size=1)
        try:
            return await discovered(engine)
        finally:
            await engine.dispose()

    found = signals.run(work())
    if as_json:
        print_json(_json(found))
    else:
        _print(found)
    if not found.drafts:
        return 1
    if write is not None:
        _write(write, found.drafts[0], as_json=as_json)
    return 0


def _address(context: typer.Context, url: str | None) -> str:
    if url is None and not config_path(context).exists():
        message = "name the database here, or a configuration that does with -c"
        raise typer.BadParameter(message, context, param_hint="--url")
    if url is None:
        return settings_of(context).database.sqlalchemy_url
    given = validate(Settings, {"database": {"url": url}}, ErrorCollector(), Path())
    return given.database.sqlalchemy_url


def _write(path: Path, draft: Draft, *, as_json: bool) -> None:
    with path.open("x", encoding="utf-8") as file:
        file.write(config_yaml(draft))
    if not as_json:
        print_text(
            f"Written to {path}, in mode observe. It reads the address from DATABASE_URL:"
            f" `conservator -c {path} doctor` is next, then `check`."
        )


def _say_beforehand() -> None:
    print_text(
        "Reads PostgreSQL's catalogue in one read-only transaction, then rows of the tables that"
        f" may be the ones: of a table above {size(WHOLE_BYTES)} a sample of about that much, at"
        f" most {ROWS:,} rows, {PATIENCE.total_seconds():.0f} s a question. In the end the tables"
        " of the best candidate are counted, as `check` does it, in at most"
        f" {TIMEOUT.total_seconds():.0f} s. Nothing is written."
    )


def _print(found: Discovery) -> None:
    print_text(f"\n{found.tables:,} tables and views in {found.duration_seconds:.1f} s.")
    if found.unseen:
        shown = ", ".join(found.unseen[:_MOST_NAMED])
        more = len(found.unseen) - _MOST_NAMED
        rest = f" and {more:,} more" if more > 0 else ""
        print_text(f"This role may not read {shown}{rest}: what is there was not looked at.")
    for place, draft in enumerate(found.drafts, start=1):
        _print_draft(place, draft)
    if found.drafts:
        _print_count(found.drafts[0])
    else:
        print_text(f"No table fits. {_SOUGHT}")
        for one in found.nearest:
            _print_nearest(one)


def _print_draft(place: int, draft: Draft) -> None:
    candidate = draft.candidate
    names = (candidate.user.table, candidate.artwork.table, candidate.impressions)
    console.print(Text(f"\n{place}. {', '.join(one.configured for one in names)}", style="bold"))
    for view in draft.views:
        print_text(view_sql(view), style="green")
    for line in catalog_yaml(draft).splitlines():
        print_text(line, style="cyan" if line.lstrip().startswith("#") else "green")


def _print_count(draft: Draft) -> None:
    console.print(Text("\nThe first count of the first one", style="bold"))
    census = draft.census
    if census is None:
        print_text(f"Not yet: {draft.uncounted.rstrip('.')}.")
    else:
        states = ("tracked", "fresh", "storage", "legacy_untracked")
        print_text("  ".join(f"{one} {number(getattr(census, one))}" for one in states))
        print_text(f"of {number(census.pairs)} pairs, {number(census.audience)} users")
    print_text(f"doctor would say: {_said(draft)}.")


def _said(draft: Draft) -> str:
    told = []
    for blocks in Blocks:
        subjects = [one.subject for one in draft.findings if one.blocks is blocks]
        if subjects and blocks is Blocks.NOTHING:
            told.append(f"{len(subjects)} findings that would help")
        elif subjects:
            told.append(f"{len(subjects)} block {blocks.value} ({', '.join(subjects)})")
    return "; ".join(told) or "nothing"


def _print_nearest(one: Candidate) -> None:
    names = (one.user.table, one.artwork.table, one.impressions)
    console.print(Text(f"\nNearest: {', '.join(each.configured for each in names)}", style="bold"))
    for sign in sorted(one.signs, key=lambda sign: sign.weight):
        print_text(f"  {'+' if sign.weight > 0 else '-'} {sign.text}")


def _json(found: Discovery) -> dict[str, Any]:
    return {
        "tables": found.tables,
        "unseen": found.unseen,
        "sampled": found.looked_at,
        "catalogs": [_json_draft(one) for one in found.drafts],
        "nearest": [_json_candidate(one) for one in found.nearest],
        "seconds": found.duration_seconds,
    }


def _json_draft(draft: Draft) -> dict[str, Any]:
    census: Census | None = draft.census
    return {
        **_json_candidate(draft.candidate),
        "catalog": draft.catalog,
        "evidence": draft.evidence,
        "questions": draft.questions,
        "views": draft.views,
        "yaml": catalog_yaml(draft),
        "census": census,
        "uncounted": draft.uncounted,
        "findings": [{**record_fields(one), "remedy": one.mending} for one in draft.findings],
    }


def _json_candidate(one: Candidate) -> dict[str, Any]:
    return {
        "users": one.user.table.configured,
        "artworks": one.artwork.table.configured,
        "impressions": one.impressions.configured,
        "score": one.score,
        "signs": [{"weight": sign.weight, "text": sign.text} for sign in one.signs],
    }
