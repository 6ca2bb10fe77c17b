"""What is typed into a fresh environment, in an empty folder. One more command is one more line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trial:
    """A command, and what comes of it."""

    words: str
    """After `conservator`; {url} and {port} stand for the database and the collector there."""
    said: str
    """Somewhere in what it says."""
    code: int = 0
    extra: str = ""
    """The environment that it is typed in; empty: the one without any extra."""

    @property
    def command(self) -> str:
        """Its name; empty where there is none."""
        word = self.words.split(" ")[0]
        return "" if word.startswith("-") else word


ALONE = (
    Trial("", "conservator demo", 64),
    Trial("--help", "Commands:"),
    Trial("heal --help", "Example: conservator heal --dry-run"),
    Trial("config schema", '"$defs"'),
    Trial("config check", "expected a configuration file, found none", 78),
    Trial("demo", "pip install 'conservator[demo]'", 1),
    Trial("discover --url {url}", "catalog:"),
)
"""Where nothing is configured. A command that this version has not is left out, and said."""

CONFIGURED = (
    Trial("", "conservator doctor", 64),
    Trial("config check", "pip install 'conservator[expectations]'", 78),
    Trial("config check", "is valid", extra="expectations"),
    Trial("doctor", "Census:"),
    Trial("sql census", "SELECT"),
    Trial("check structure duplicate_impressions", "structure"),
    Trial("heal --dry-run", "legacy"),
    Trial("runs", ""),
    Trial("docs", "There is no report", 1),
    Trial("init --print-sql", "GRANT"),
    Trial("check structure --otlp http://127.0.0.1:{port}", "pip install 'conservator[otlp]'", 78),
    Trial("check structure --otlp http://127.0.0.1:{port}", "structure", extra="otlp"),
    Trial("check artworks", "pip install 'conservator[expectations]'", 78),
    Trial("check artworks", "artworks", extra="expectations"),
)
"""With a config.yaml for the demo's database, and a suite called artworks in it."""
