"""Values that were sampled are shown nowhere, but for those that a setting has to name."""

from __future__ import annotations

import pytest

from monitor.discovery.questions import masked

CATALOG = {
    "artworks": {"table": "prints"},
    "impressions": {"where": "kind = 'print'", "defaults": {"kind": "'print'"}},
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("kind has 2 values: 'print' (3 rows), 'film' (1)", "'print' (3 rows), <text of 4> (1)"),
        ("status is 'prints'", "status is <text of 6>"),
        ("it's 'ki'", "it's <text of 2>"),
        ("timezone('UTC', now())", "timezone('UTC', now())"),
        ("named 'it''s me'", "named <text of 8>"),
        ("-- the application's owner decides, the app's", "the application's owner decides"),
    ],
)
def test_only_what_a_setting_names_is_shown(text: str, shown: str) -> None:
    assert shown in masked(text, CATALOG)
