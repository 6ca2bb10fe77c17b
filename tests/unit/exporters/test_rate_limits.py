"""Buckets: never more than a burst and what has filled since, for each by itself, bounded."""

from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.http.limits import RateLimiter, client_of


def wait_of(rates: RateLimiter, client: str, now: float) -> int:
    """What `take` would say; nothing is taken."""
    return deepcopy(rates).take(client, now)


STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), max_size=60)


@given(STEPS, st.integers(1, 4), st.sampled_from([0.25, 0.5, 1.0, 2.0]))
def test_who_may_is_who_an_exact_account_lets_in(
    steps: list[tuple[str, int]], burst: int, per_second: float
) -> None:
    """Against an account of quarters, kept in whole numbers."""
    rates = RateLimiter(burst=burst, per_second=per_second)
    quarters, last, now = dict.fromkeys("abc", burst * 4), dict.fromkeys("abc", 0), 0
    for who, passed in steps:
        now += passed
        quarters[who] = min(burst * 4, quarters[who] + int((now - last[who]) * per_second * 4))
        last[who] = now
        may = quarters[who] >= 4
        wait = rates.take(who, float(now))
        assert (wait == 0) == may
        if may:
            quarters[who] -= 4
        else:
            assert (wait - 1) * per_second * 4 < 4 - quarters[who] <= wait * per_second * 4
            assert wait_of(rates, who, float(now)) == wait
            assert wait_of(rates, who, float(now + wait)) == 0


def test_who_has_not_come_for_longest_is_forgotten_first() -> None:
    rates = RateLimiter(burst=1, per_second=0.001, max_remembered=3)
    for who in "abca":
        rates.take(who, 0.0)
    rates.take("d", 0.0)
    assert len(rates) == 3
    assert wait_of(rates, "b", 0.0) == 0
    assert min(wait_of(rates, who, 0.0) for who in "acd") > 0


def test_a_clock_that_goes_back_gives_nothing() -> None:
    rates = RateLimiter(burst=1, per_second=1.0)
    assert rates.take("a", 100.0) == 0
    assert rates.take("a", 50.0) == 1


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        (None, ""),
        ("/run/socket", "/run/socket"),
    ],
)
def test_a_client_is_an_address_or_the_network_that_one_subscriber_holds(
    address: str | None, client: str
) -> None:
    assert client_of(address) == client
