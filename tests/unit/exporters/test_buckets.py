"""Token buckets: a burst, a rate, a client each, and no more memory than was given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.api.buckets import Buckets, client_of
from tests.unit.exporters.builders import Clock


def test_a_burst_passes_then_one_at_a_time() -> None:
    clock = Clock()
    buckets = Buckets(at_once=3, per_second=0.5, clock=clock)
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 2.0]
    clock.now += 1.5
    assert buckets.take("a") == 0.5
    clock.now += 0.5
    assert [buckets.take("a"), buckets.take("a")] == [0, 2.0]


def test_clients_do_not_share_a_bucket() -> None:
    buckets = Buckets(at_once=1, per_second=1, clock=Clock())
    assert [buckets.take("a"), buckets.take("b"), buckets.take("a")] == [0, 0, 1.0]


def test_the_longest_silent_client_is_forgotten_first() -> None:
    buckets = Buckets(at_once=1, per_second=1, clock=Clock(), most=2)
    for client in ("a", "b", "a", "c"):
        buckets.take(client)
    assert len(buckets) == 2
    assert buckets.take("a") > 0
    assert buckets.take("b") == 0


@given(st.lists(st.floats(0, 100), max_size=60))
def test_no_sequence_lets_more_through_than_burst_and_rate_allow(gaps: list[float]) -> None:
    clock = Clock()
    buckets = Buckets(at_once=5, per_second=0.1, clock=clock)
    began, passed = clock.now, 0
    for gap in gaps:
        clock.now += gap
        passed += buckets.take("a") == 0
        assert passed <= 5 + (clock.now - began) * 0.1 + 1e-6


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        (None, "unknown"),
        ("/run/socket", "/run/socket"),
    ],
)
def test_a_client_is_an_address_or_the_network_that_one_subscriber_holds(
    address: str | None, client: str
) -> None:
    assert client_of(address) == client
