"""Galleries by seed, each with tables of its own in a schema of its own.

In those of `open_gallery` everybody may be shown everything, rows are missing at random or by an
outage, and nothing else is wrong: there must be no suspicion of any kind. `tenant_gallery` and
`cleared_gallery` are the converse, each with the suspicion that it must raise.

To add columns that galleries in the wild have: a function `(Random) -> Iterator[Extra]` in
`HARMLESS`, which any gallery may get.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from tests.support.random_tables import (
    ARTWORKS,
    SPREAD,
    USERS,
    Extra,
    RandomGallery,
    make_gallery,
)


@dataclass(frozen=True)
class Shared:
    """A column that users and artworks have, with a value of its own for each of them."""

    of_users: str
    of_artworks: str
    declared: str
    referred: bool
    users_value: str
    artworks_value: str

    @property
    def extras(self) -> tuple[Extra, Extra]:
        """The two columns."""
        key = " REFERENCES places" if self.referred else ""
        return (
            Extra(USERS, self.of_users, self.declared + key, self.users_value),
            Extra(ARTWORKS, self.of_artworks, self.declared + key, self.artworks_value),
        )

    @property
    def crosses(self) -> str:
        """The condition under which an impression crosses it."""
        return f"p.{self.of_users} IS DISTINCT FROM a.{self.of_artworks}"


def open_gallery(seed: int) -> RandomGallery:
    """Everybody may be shown everything."""
    chance = Random(f"open {seed}")
    shared = [*_shared_columns(chance)]
    extras = [extra for one in shared for extra in one.extras]
    for harmless in HARMLESS:
        extras += [extra for extra in harmless(chance) if chance.random() < 0.5]
    lost = [f"random() < {chance.choice([0, 0.02, 0.1, 0.4, 0.7])}", *_outages(chance, shared)]
    sizes = chance.choice([4, 9, 25, 60, 140]), chance.choice([6, 20, 60, 150, 300])
    came, lag = chance.choice([SPREAD * 2, SPREAD, 30]), chance.choice([2, 40])
    return make_gallery(f"open_{seed}", chance, sizes, extras, lost, came=came, lag=lag)


def tenant_gallery(seed: int) -> RandomGallery:
    """Nobody is shown what belongs to another tenant, but for a stray row or two."""
    chance = Random(f"tenant {seed}")
    size, tenths = chance.choice([(2, 5), (2, 9), (3, 7), (5, 3), (12, 1)])
    value = f"CASE WHEN n * 7 % 10 < {tenths} THEN 1 ELSE 2 + n % {size - 1} END"
    tenant = _shared(chance, "tenant", value, value)
    extras = [*tenant.extras]
    for harmless in HARMLESS:
        extras += [extra for extra in harmless(chance) if chance.random() < 0.5]
    stray = chance.choice([0, 0, 0.001])
    lost = [
        f"({tenant.crosses}) AND random() >= {stray}",
        f"random() < {chance.choice([0.02, 0.1, 0.4])}",
        *_outages(chance, []),
    ]
    suspected = f"nobody_crosses_{tenant.of_users}"
    return _settled(f"tenant_{seed}", chance, extras, lost, suspected)


def cleared_gallery(seed: int) -> RandomGallery:
    """Some users have cleared their history: no impression is older than that moment."""
    chance = Random(f"cleared {seed}")
    name = chance.choice(["cleared_at", "historyResetAt", "forget_before"])
    nth = chance.choice([2, 5, 10])
    some = f"CASE WHEN n % {nth} = 0 THEN joined + (now() - joined) * (0.3 + random() / 2) END"
    extras = [Extra(USERS, f'"{name}"', "timestamptz", some)]
    for harmless in HARMLESS:
        extras += [extra for extra in harmless(chance) if chance.random() < 0.5]
    lost = [f'viewed <= p."{name}"', f"random() < {chance.choice([0.02, 0.1, 0.4])}"]
    return _settled(f"cleared_{seed}", chance, extras, lost, f"nothing_viewed_before_{name}")


def _settled(
    schema: str, chance: Random, extras: list[Extra], lost: list[str], suspected: str
) -> RandomGallery:
    """One of some size, whose users were there all the time: its sign is plain to see."""
    sizes = chance.choice([60, 120]), chance.choice([60, 120, 250])
    return make_gallery(
        schema, chance, sizes, extras, lost, came=2 * SPREAD, lag=2, suspected=suspected
    )


def _shared_columns(chance: Random) -> Iterator[Shared]:
    """Regions, languages, versions: alike on both sides, and without a relation."""
    for name in chance.sample(["region", "language", "edition", "is_test", "site"], k=3):
        size = chance.choice([1, 2, 2, 4, 30])
        kinds = [
            f"1 + floor(random() * {size})::int",
            f"CASE WHEN random() < 0.03 THEN 1 + floor(random() * {size})::int ELSE 1 END",
            f"1 + n % {size}",
            # New regions open, and old ones take no more: a value tells when it came.
            f"CASE WHEN {{born}} > now() - interval '20 days' THEN {size} ELSE 1 END",
        ]
        values = [chance.choice(kinds).format(born=born) for born in ("joined", "made")]
        if chance.random() < 0.3:
            values = [f"CASE WHEN random() < 0.7 THEN {value} END" for value in values]
        yield _shared(chance, name, *values)


def _shared(chance: Random, name: str, users_value: str, artworks_value: str) -> Shared:
    """Both are numbers from 1 to 40, and become what the column's type wants."""
    declared, form = chance.choice(
        [("int", "({})"), ("text", "'v' || ({})"), ("uuid", "md5(({})::text)::uuid")]
    )
    referred = declared == "int" and chance.random() < 0.6
    return Shared(
        of_users=f"home_{name}" if referred and chance.random() < 0.5 else name,
        of_artworks=name,
        declared=declared,
        referred=referred,
        users_value=form.format(users_value),
        artworks_value=form.format(artworks_value),
    )


def _outages(chance: Random, shared: list[Shared]) -> Iterator[str]:
    """Conditions under which a row was lost; one may strike the users of one value alone."""
    for _ in range(chance.choice([0, 1, 1, 2])):
        began, lasted = chance.randint(1, 80), chance.randint(1, 30)
        struck = [
            f"viewed > now() - interval '{began} days'",
            f"viewed <= now() - interval '{began} days' + interval '{lasted} days'",
            f"random() < {chance.choice([0.85, 1])}",
        ]
        if shared and chance.random() < 0.5:
            one = chance.choice(shared)
            struck.append(
                f"p.{one.of_users} = (SELECT q.{one.of_users} FROM people AS q"
                f" WHERE q.{one.of_users} IS NOT NULL ORDER BY q.n LIMIT 1)"
            )
        yield " AND ".join(struck)


def _moments(chance: Random) -> Iterator[Extra]:
    """Moments that only some users have, and what they are called."""
    share = chance.choice([0.1, 0.5, 0.95])
    for name, moment in {
        "last_login_at": "now() - random() * interval '5 days'",
        "updated_at": "joined + random() * (now() - joined)",
        "verified_at": "joined + random() * interval '3 hours'",
        "subscribed_at": "joined + random() * (now() - joined)",
        "trial_ends_at": "now() + random() * interval '30 days'",
        "born_on": "now() - interval '20 years' - random() * interval '30 years'",
    }.items():
        declared = "date" if name == "born_on" else chance.choice(["timestamptz", "timestamp"])
        value = moment if declared != "timestamp" else f"({moment}) AT TIME ZONE 'UTC'"
        yield Extra(USERS, name, declared, f"CASE WHEN random() < {share} THEN {value} END")


def _notes(chance: Random) -> Iterator[Extra]:
    """Columns that have the same name and no more in common."""
    yield Extra(USERS, "name", "text", "'visitor ' || n")
    yield Extra(ARTWORKS, "name", "text", f"'work ' || n % {chance.choice([3, 1000])}")
    yield Extra(USERS, "rank", "smallint", "n % 7")
    yield Extra(ARTWORKS, "rank", "bigint", "n % 5")
    yield Extra(USERS, "extra", "jsonb", "'{}'")
    yield Extra(ARTWORKS, "extra", "jsonb", "'{}'")


HARMLESS: tuple[Callable[[Random], Iterator[Extra]], ...] = (_moments, _notes)
"""Columns that any gallery may have, and that say nothing about who may be shown what."""
