"""What a process believes of its lead: never longer than the database does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.replicas.leadership import Lead, after_answer, holds

LEASE = 10.0


def test_a_lead_is_believed_in_until_the_lease_after_it_was_asked_for() -> None:
    lead = after_answer(3, asked=100.0, lease_seconds=LEASE)
    assert lead == Lead(token=3, until=110.0)
    assert holds(lead, 109.9)
    assert not holds(lead, 110.0)
    assert not holds(None, 0.0)


def test_another_leader_ends_it_at_once() -> None:
    assert after_answer(None, asked=100.0, lease_seconds=LEASE) is None


@given(
    asked=st.floats(0, 1e6),
    sent_after=st.floats(0, 1e3),
    answered_after=st.floats(0, 1e3),
    lease=st.floats(0.1, 1e3),
    now=st.floats(0, 1e7),
)
def test_whoever_believes_to_lead_still_has_the_lease_in_the_database(
    asked: float, sent_after: float, answered_after: float, lease: float, now: float
) -> None:
    # The database begins the lease some time after it was asked, and answers some time later.
    begun = asked + sent_after
    lead = after_answer(1, asked=asked, lease_seconds=lease)
    if now >= begun + answered_after and holds(lead, now):
        assert now < begun + lease
