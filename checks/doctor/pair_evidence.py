"""What the impressions say about who is paired with what, and from which numbers on it is a sign
that the counts can't mean what they say."""

from __future__ import annotations

from dataclasses import dataclass

from checks.relations import Column


@dataclass(frozen=True, slots=True)
class SharedColumn:
    """A column that users and artworks both have."""

    of_users: Column
    of_artworks: Column
    referred: str | None
    """The table that both refer to; None where only name and type are the same."""


@dataclass(frozen=True, slots=True)
class SharedValues:
    """How audience and artworks fall on the values of a shared column."""

    values: int
    largest: tuple[tuple[int, int], ...]
    """Users and artworks of the values that most of them have."""
    pairs: int
    """Of the audience with every artwork, also where a value is NULL."""
    across: int
    """Of them, those in which both values are known and differ."""
    aged: int
    """Of those across, the ones whose artwork is old enough for legacy."""


_HARDLY_ANY, _ENOUGH_CROSSINGS = 1 / 20, 20


@dataclass(frozen=True, slots=True)
class Crossing:
    """Impressions looked at by a shared column: of the values that both sides of them have."""

    impressions: int
    crossing: int
    """The user's value is another than the artwork's."""
    elsewhere: int
    """Of all impressions, also of values that one side alone has, those with another value."""
    expected: float
    """How many would cross if users and artworks met regardless of it: by how often each value
    comes among these impressions, so that neither a value that is rarely recorded nor artworks
    that nobody is shown make a difference."""
    unvalued: int = 0
    """Of all impressions, those where one side has no value."""
    values: SharedValues | None = None
    """Asked only where hardly any cross."""

    @property
    def says_all(self) -> bool:
        """There is nothing for everybody: whatever was seen, but strays, is of the same value."""
        return self.unvalued == 0 and self.elsewhere == self.crossing

    @property
    def hardly_any(self) -> bool:
        """Too few cross for chance: losses, however one-sided, leave about half of one kind."""
        enough = self.expected >= _ENOUGH_CROSSINGS
        return enough and self.crossing <= _HARDLY_ANY * self.expected

    @property
    def is_of_one_value(self) -> bool:
        """None crosses, and too few of other values were recorded to expect any: a feature that the
        first tenant has, or a tenant that is nearly everybody."""
        few = self.expected < _ENOUGH_CROSSINGS
        return few and self.elsewhere == 0 and self.impressions >= _ENOUGH_CROSSINGS

    @property
    def leaves_some_out(self) -> bool:
        """There are artworks of another value than the audience's, which none of it has seen."""
        return self.values is not None and self.values.across >= _ENOUGH_CROSSINGS


_FEWEST_USERS, _ENOUGH_VIEWS, _HARDLY_VIEWED = 3, 30, 1 / 50


@dataclass(frozen=True, slots=True)
class ViewedBefore:
    """What users viewed before a moment of theirs, beside users who have no such moment."""

    users: int
    """With an impression, and a moment long after they joined."""
    users_with: int
    """With an impression, and a moment."""
    users_without: int
    """With an impression, and none."""
    viewed: int
    """Impressions of `users` until that moment."""
    expected: float
    """As many, had they viewed from joining till then what users without it did on average."""

    @property
    def hardly_any(self) -> bool:
        """Too few for people who were there all the time."""
        enough = min(self.users, self.users_without) >= _FEWEST_USERS
        usual = 3 * self.users >= self.users_with and self.expected >= _ENOUGH_VIEWS
        return enough and usual and self.viewed <= _HARDLY_VIEWED * self.expected


_FEWEST_VIEWERS, _FEWEST_ARTWORKS = 30, 5


@dataclass(frozen=True, slots=True)
class NeverSeen:
    """Artworks that nobody has seen, among others that most of the audience has."""

    artworks: int
    """Old enough for legacy."""
    users: int | None
    """With an impression."""
    never_seen: int
    """Of the artworks, hung between two that half of these users have seen at least."""

    @property
    def many(self) -> bool:
        """Too many for chance, or for what is lost at a time."""
        return (self.users or 0) >= _FEWEST_VIEWERS and self.never_seen >= _FEWEST_ARTWORKS


_MANY = 1 / 20


@dataclass(frozen=True, slots=True)
class OlderViews:
    """What was seen of artworks that are older than the user."""

    impressions: int
    older: int

    @property
    def many(self) -> bool:
        """The app shows them: that they are older does not make them unseen."""
        return self.older > _MANY * self.impressions


@dataclass(frozen=True, slots=True)
class Named:
    """The ids that the impressions name, and those of them that the catalogue does not have."""

    impressions: int
    ids: int
    unknown_impressions: int
    unknown_ids: int
    """Of these ids, the ones that no row has which the operator's filter admits."""
    gone_impressions: int
    gone_ids: int
    """Of these ids, the ones that no row has at all."""

    @property
    def many_gone(self) -> bool:
        """More than an app loses: another set of people or things is meant."""
        most = max(self.gone_impressions / self.impressions, self.gone_ids / self.ids)
        return most >= _MANY
