"""The `checks` section: what is examined, how often, and from which number on it matters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, model_validator

from monitor.config.errors import InvalidValueError, path_of, repr_safe
from monitor.config.loader import retyped
from monitor.config.section import Section
from monitor.config.times import Cron
from monitor.config.types import (
    Arguments,
    Condition,
    Duration,
    ExpectationName,
    Interval,
    Maybe,
    Name,
    Positive,
    PositiveNumber,
    PositiveShare,
    Query,
    Several,
    Switch,
    Text,
    Timeout,
    format_duration,
)


class Check(Section):
    """When a check runs, and what it may cost."""

    enabled: Switch = True
    """false: the check never runs, and exports nothing."""
    every: Maybe[Interval] = timedelta(hours=1)
    """The time from one run to the next. Either this or `cron`."""
    cron: Maybe[Cron] = None
    """Five fields, in catalog.timezone, in place of `every`. Day of month and day of week must
    both match."""
    timeout: Maybe[Timeout] = None
    """How long one run may take; null: database.statement_timeout."""
    budget: Maybe[PositiveShare] = 0.05
    """The largest share of the time that the check may spend running: the interval stretches
    instead. null: no limit."""
    owner: Maybe[Text] = None
    """Who looks after it: shown with its result."""
    runbook: Maybe[Text] = None
    """Where it says what to do about it, a URL: shown with its result."""

    @model_validator(mode="before")
    @classmethod
    def _cron_replaces_the_default(cls, data: Any) -> Any:
        """`cron` alone is enough: the default of `every` steps back."""
        if isinstance(data, Mapping) and retyped(data.get("cron")) is not None:
            return {"every": None, **data}
        return data

    def contradictions(self) -> Iterator[InvalidValueError]:
        if self.every is not None and self.cron is not None:
            found = f"every: {format_duration(self.every)} and cron: {repr_safe(self.cron)}"
            remedy = "remove one of the two"
            yield InvalidValueError("every or cron", found, remedy, "every", "cron")
        if self.every is None and self.cron is None:
            remedy = "set one of the two; enabled: false turns the check off"
            yield InvalidValueError("every or cron", "neither", remedy, "every", "cron")


class Census(Check):
    """The four counts: tracked, fresh, storage and legacy_untracked."""

    every: Maybe[Interval] = timedelta(minutes=1)
    """The time from one census to the next, before the budget stretches it. Or else `cron`."""
    budget: Maybe[PositiveShare] = 0.01
    """The largest share of the time spent counting: the interval stretches instead. null: no
    limit."""


class _CheckWithLimits(Check):
    """A check with keys `warn` and `fail`, the first no higher than the second."""

    every: Maybe[Interval] = timedelta(minutes=5)
    """The time from one run to the next. Either this or `cron`."""

    def contradictions(self) -> Iterator[InvalidValueError]:
        yield from super().contradictions()
        yield from self.out_of_order("warn", "fail", may_be_equal=True)


class RecordingRate(_CheckWithLimits):
    """Whether the app records fewer impressions than it usually does at this hour of the week."""

    warn: PositiveNumber = 4.0
    """Robust deviations below the usual from which on it warns."""
    fail: PositiveNumber = 8.0
    """Robust deviations below the usual from which on it fails."""


class PoolExhaustion(_CheckWithLimits):
    """Users who have nearly run out of unseen artworks."""

    minimum: Positive = 5
    """A user with fewer unseen artworks than this counts."""
    warn: Positive = 1
    """The number of such users from which on it warns."""
    fail: Positive = 10
    """The number of such users from which on it fails."""


class ArtworkSupply(_CheckWithLimits):
    """The age of the newest artwork: whether new ones still arrive."""

    warn: Duration = timedelta(days=1)
    """The age of the newest artwork from which on it warns."""
    fail: Duration = timedelta(days=7)
    """The age of the newest artwork from which on it fails."""


class SqlCheck(Check):
    """A check of your own: a query that returns one number."""

    name: Name
    """Lower-case letters, digits and underscores; no other check's name."""
    query: Query
    """Reads, and returns one row with one number."""
    every: Maybe[Interval] = timedelta(minutes=5)
    """The time from one run to the next. Either this or `cron`."""
    warn: Maybe[Condition] = None
    """The condition on which it warns, such as "> 0" or ">= 5%". null: it never does."""
    fail: Maybe[Condition] = None
    """The condition on which it fails, such as "> 10". With neither, the number is only
    exported."""


class Severity(StrEnum):
    """What a failed expectation amounts to, in the words of Great Expectations."""

    CRITICAL = "critical"
    """The check fails."""
    WARNING = "warning"
    """The check warns."""
    INFO = "info"
    """It is noted as evidence."""


class Expectation(Section):
    """One expectation of Great Expectations."""

    type: ExpectationName
    """Its name, such as expect_column_values_to_not_be_null, or unexpected_rows_expectation."""
    kwargs: Arguments = Field(default_factory=dict)
    """Its arguments, such as {column: image_url, mostly: 0.99}."""
    severity: Severity = Severity.CRITICAL
    """critical: the check fails; warning: it warns; info: it is only noted."""


class ExpectationsCheck(Check):
    """A suite of Great Expectations on one table."""

    name: Name
    """Lower-case letters, digits and underscores; no other check's name."""
    table: Text
    """The table, schema-qualified where the search path does not find it."""
    expectations: Annotated[tuple[Expectation, ...], Field(min_length=1)]
    """What is expected of it."""


class Checks(Section):
    """What is examined, and how often."""

    census: Census = Field(default_factory=Census)
    """The four counts. Healing is decided from them."""
    structure: Check = Field(default_factory=Check)
    """Whether the tables, columns, indexes and privileges are what the service needs."""
    duplicate_impressions: Check = Field(default_factory=Check)
    """Pairs with more than one impression; impossible with a unique index."""
    orphan_impressions: Check = Field(default_factory=Check)
    """Impressions whose user or artwork is gone; impossible with foreign keys."""
    timestamps: Check = Field(default_factory=Check)
    """Times that can't be: in the future, or an impression before its artwork."""
    recording_rate: RecordingRate = Field(default_factory=RecordingRate)
    """Whether the app still records impressions as it usually does."""
    pool_exhaustion: PoolExhaustion = Field(default_factory=PoolExhaustion)
    """Users who have nearly run out of unseen artworks."""
    artwork_supply: ArtworkSupply = Field(default_factory=ArtworkSupply)
    """The age of the newest artwork."""
    sql: Several[SqlCheck] = ()
    """Checks of your own: queries that return one number."""
    expectations: Several[ExpectationsCheck] = ()
    """Suites of Great Expectations. They need the extra `expectations` to be installed."""

    @classmethod
    def built_in(cls) -> tuple[str, ...]:
        """The names of the checks that need no query of yours."""
        return tuple(name for name in cls.model_fields if name not in {"sql", "expectations"})

    def names(self) -> tuple[str, ...]:
        """The names of all checks, a suite's for all that it expects."""
        own = [one.name for one in self.sql]
        return (*self.built_in(), *own, *(suite.name for suite in self.expectations))

    def contradictions(self) -> Iterator[InvalidValueError]:
        taken = {name: path_of(("checks", name)) for name in self.built_in()}
        for kind in ("sql", "expectations"):
            for index, check in enumerate(getattr(self, kind)):
                key = (kind, index, "name")
                here = path_of(("checks", *key))
                owner = taken.setdefault(check.name, here)
                if owner != here:
                    found = f"{check.name}, the name of {owner}"
                    yield InvalidValueError("a name of its own", found, "choose another", key)
