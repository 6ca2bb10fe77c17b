"""The second pass: what keys must be to each other. Each rule says which keys it looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from monitor.config.checks import Check, Checks
from monitor.config.mistakes import HIDDEN, Loc, path_of, sentence, shown
from monitor.config.model import Settings
from monitor.config.units import format_duration

TOKENS = ("admin_token", "app_token", "alert_token", "read_token")


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake at the first of the places `about`; void where one of them is broken anyway."""

    about: tuple[Loc, ...]
    message: str


def find_contradictions(settings: Settings) -> Iterator[Finding]:
    """Everything that does not go together. Empty for a usable configuration."""
    yield from _schedules(settings.checks)
    yield from _limits(settings.checks)
    yield from _names(settings.checks)
    yield from _pools(settings)
    yield from _lease(settings)
    yield from _columns(settings)
    yield from _schema(settings)
    yield from _tokens(settings)
    yield from _openness(settings)


def _each(checks: Checks) -> Iterator[tuple[Loc, Check]]:
    """Every check with its place."""
    for name in Checks.built_in():
        yield ("checks", name), getattr(checks, name)
    for kind in ("sql", "expectations"):
        for index, check in enumerate(getattr(checks, kind)):
            yield ("checks", kind, index), check


def _schedules(checks: Checks) -> Iterator[Finding]:
    for loc, check in _each(checks):
        about = ((*loc, "every"), (*loc, "cron"))
        if check.every is not None and check.cron is not None:
            found = f"every: {format_duration(check.every)} and cron: {shown(check.cron)}"
            yield Finding(about, sentence("every or cron", found, "remove one of the two"))
        if check.every is None and check.cron is None:
            remedy = "set one of the two; enabled: false turns the check off"
            yield Finding(about, sentence("every or cron", "neither", remedy))


def _limits(checks: Checks) -> Iterator[Finding]:
    """A number that fails also warns: `warn` must not lie beyond `fail`."""
    rate, pools, supply = checks.recording_rate, checks.pool_exhaustion, checks.artwork_supply
    limits = (
        ("recording_rate", rate.warn > rate.fail, f"{rate.warn:g}", f"{rate.fail:g}"),
        ("pool_exhaustion", pools.warn > pools.fail, str(pools.warn), str(pools.fail)),
        (
            "artwork_supply",
            supply.warn > supply.fail,
            format_duration(supply.warn),
            format_duration(supply.fail),
        ),
    )
    for name, crossed, warn, fail in limits:
        if crossed:
            about: tuple[Loc, ...] = (("checks", name, "warn"), ("checks", name, "fail"))
            expected = f"no more than fail ({fail})"
            yield Finding(about, sentence(expected, warn, "lower warn, or raise fail"))


def _names(checks: Checks) -> Iterator[Finding]:
    taken: dict[str, Loc] = {name: ("checks", name) for name in Checks.built_in()}
    for kind in ("sql", "expectations"):
        for index, check in enumerate(getattr(checks, kind)):
            here: Loc = ("checks", kind, index, "name")
            owner = taken.setdefault(check.name, here)
            if owner != here:
                found = f"{check.name}, the name of {path_of(owner)}"
                yield Finding((here,), sentence("a name of its own", found, "choose another"))


def _pools(settings: Settings) -> Iterator[Finding]:
    fresh, legacy = settings.pools.fresh_for, settings.pools.legacy_after
    if fresh >= legacy:
        expected = f"less than pools.legacy_after ({format_duration(legacy)})"
        yield Finding(
            (("pools", "fresh_for"), ("pools", "legacy_after")),
            sentence(expected, format_duration(fresh), "lower it, or raise legacy_after"),
        )


def _lease(settings: Settings) -> Iterator[Finding]:
    """A batch that outlives the lease would lose its work to the next leader."""
    target = settings.healing.pace.batch_target
    if target >= settings.lease:
        expected = f"less than lease ({format_duration(settings.lease)})"
        yield Finding(
            (("healing", "pace", "batch_target"), ("lease",)),
            sentence(expected, format_duration(target), "lower it, or raise lease"),
        )


def _columns(settings: Settings) -> Iterator[Finding]:
    """The columns of the impressions each play one part."""
    loc: Loc = ("catalog", "impressions")
    impressions = settings.catalog.impressions
    parts: dict[str, str] = {}
    for key in ("user", "artwork", "viewed_at"):
        column = getattr(impressions, key)
        other = parts.setdefault(column, key)
        if other != key:
            found = f"{shown(column)}, which is {other} already"
            message = sentence("a column of its own", found, "name another column")
            yield Finding(((*loc, key), (*loc, other)), message)
    for column in impressions.defaults:
        if column in parts:
            found = f"one for {parts[column]}, which the service fills itself"
            message = sentence("defaults for other columns", found, "remove it")
            yield Finding(((*loc, "defaults", column), (*loc, parts[column])), message)


def _schema(settings: Settings) -> Iterator[Finding]:
    """`uninstall` drops the state schema: it must never hold anybody else's tables."""
    here: Loc = ("database", "state_schema")
    schema = settings.database.state_schema
    if schema in {"public", "information_schema"} or schema.startswith("pg_"):
        remedy = "choose a name that nothing else uses: uninstall drops the schema"
        yield Finding((here,), sentence("a schema of its own", shown(schema), remedy))
    for group in ("artworks", "users", "impressions"):
        table = getattr(settings.catalog, group).table
        if table.startswith((f"{schema}.", f'"{schema}".')):
            found = f"{shown(schema)}, which holds {table}"
            remedy = "choose another: uninstall drops the schema"
            about: tuple[Loc, ...] = (here, ("catalog", group, "table"))
            yield Finding(about, sentence("a schema of its own", found, remedy))


def _tokens(settings: Settings) -> Iterator[Finding]:
    for name in TOKENS:
        token, file = getattr(settings.server, name), getattr(settings.server, f"{name}_file")
        if token is not None and file is not None:
            here: Loc = ("server", name)
            message = sentence(f"{name} or {name}_file", "both", "remove one of the two")
            yield Finding((here, ("server", f"{name}_file")), message)


def _openness(settings: Settings) -> Iterator[Finding]:
    """Who listens beyond this machine says who may read, or that everybody may."""
    server = settings.server
    tokens = (
        server.admin_token,
        server.admin_token_file,
        server.read_token,
        server.read_token_file,
    )
    if server.allow_open or any(tokens) or _is_loopback(server.host):
        return
    here: Loc = ("server", "host")
    expected = "an address of this machine alone, such as 127.0.0.1"
    remedy = "set admin_token or read_token, or allow_open: true where everybody may read"
    yield Finding((here,), sentence(expected, f"{server.host} without a token", remedy))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def find_shared_tokens(settings: Settings) -> Iterator[Finding]:
    """Tokens that are equal: who holds the lesser would have the rights of the greater."""
    seen: dict[str, str] = {}
    for name in TOKENS:
        token = getattr(settings.server, name)
        if token is None:
            continue
        other = seen.setdefault(token.get_secret_value(), name)
        if other != name:
            message = sentence(f"another token than {other}", HIDDEN, "make a token for each")
            yield Finding((("server", name), ("server", other)), message)
