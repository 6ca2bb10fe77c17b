"""What every command takes."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from monitor.cli.logs import configure_logs

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, read. Defaults are the sizes of the figures in the documentation."""

    users: int
    artworks: int
    missing: float
    """Share of the pairs without an impression, 0 to 1."""
    only: tuple[str, ...]
    """Parts of `python -m bench`; all where it is empty."""
    bin_dir: Path | None
    durable: bool
    """Whether a commit waits for the disk, as in production. Favours whoever commits less."""
    results: Path
    rounds: int
    """Rounds of the census, after one that is thrown away."""
    anti_joins: int
    backfill_rounds: int
    rows: int
    """Rows that every backfill writes, about."""
    slow_rows: int
    """The same for those that write row by row."""
    distance_rows: int
    """The same of a heal run over a distance: most of its batches have found their size."""
    million: int
    """Rows of the large heal run; 0 for none."""
    growth_impressions: int
    """Of the largest of the four galleries through which a line is drawn."""
    memory_censuses: int
    """Censuses over which the service's memory is watched."""
    cold_rounds: int
    starts: int
    scrapes: int
    duty: str
    """healing.pace.duty while the service is scraped; a small gallery needs a low one."""
    traffic_rounds: int
    """Windows without and with healing, at each of two paces."""
    traffic_batch: int
    """healing.pace.max_batch beside it; a small gallery needs a low one."""
    traffic_target: float
    """Seconds: healing.pace.batch_target beside it, and what the session that only computes takes
    at a time."""
    ageing_seconds: float
    """Over which the pairs become legacy whose time to heal is taken."""
    census_every: float
    """Seconds; of the service that heals them. The cooldown is as long."""
    steady_seconds: float
    """Of the window over which the idle service's cost is counted."""
    hour_artworks: int
    """That become legacy while bench.hour looks; it takes 20 s for each."""
    steady_scrapes: int
    """Of the idle service."""
    window_seconds: float
    """Of each window with or without healing, without its edges."""


def _folder(text: str) -> Path:
    """Made before anything is measured that could not be written down."""
    folder = Path(text)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(
            f"expected a folder, found {text}: {error.strerror}"
        ) from error
    return folder


def read_options(description: str | None) -> Options:
    """Read the command line; ends the program where it is wrong. Only warnings are logged."""
    configure_logs()
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--users", type=int, default=3000, help="users of the gallery")
    add("--artworks", type=int, default=3000, help="artworks of the gallery, over 60 days")
    add("--missing", type=float, default=0.13, help="share of the pairs without an impression")
    add("--only", nargs="+", default=(), help="parts of `python -m bench`")
    add("--bin-dir", type=Path, help="the programs of another PostgreSQL than the embedded one")
    add("--durable", action="store_true", help="commits wait for the disk")
    add("--results", type=_folder, default=RESULTS, help="where the JSON files go")
    add("--rounds", type=int, default=7, help="rounds of the census")
    add("--anti-joins", type=int, default=1, help="times that the plain anti-join runs")
    add("--backfill-rounds", type=int, default=2, help="rounds of the backfill")
    add("--rows", type=int, default=90_000, help="rows of a backfill")
    add("--slow-rows", type=int, default=20_000, help="rows of a backfill row by row")
    add("--distance-rows", type=int, default=400_000, help="rows of a heal run over a distance")
    add("--million", type=int, default=1_000_000, help="rows of the large heal run; 0 for none")
    add("--growth-impressions", type=int, default=3_200_000, help="of the largest of four sizes")
    add("--memory-censuses", type=int, default=60, help="over which memory is watched")
    add("--cold-rounds", type=int, default=2, help="rounds with nothing in memory")
    add("--starts", type=int, default=3, help="starts of the service")
    add("--scrapes", type=int, default=500, help="scrapes during a heal run")
    add("--duty", default="50%", help="healing.pace.duty of the scraped service")
    add("--traffic-rounds", type=int, default=10, help="windows without and with healing")
    add("--traffic-batch", type=int, default=10_000, help="healing.pace.max_batch beside it")
    add("--traffic-target", type=float, default=0.25, help="healing.pace.batch_target, in seconds")
    add("--ageing-seconds", type=float, default=25.0, help="over which pairs become legacy")
    add("--census-every", type=float, default=5.0, help="seconds, of the service that heals those")
    add(
        "--steady-seconds", type=float, default=60.0, help="a window of bench.steady and bench.hour"
    )
    add("--hour-artworks", type=int, default=4, help="artworks that become legacy in bench.hour")
    add("--steady-scrapes", type=int, default=2000, help="scrapes of the idle service")
    add("--window-seconds", type=float, default=4.0, help="a window with or without healing")
    return Options(**vars(parser.parse_args()))
