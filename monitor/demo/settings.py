"""The demo's configuration: the real defaults, but it heals, has suites, and intervals that can be
watched."""

from __future__ import annotations

from importlib.util import find_spec

from monitor.config import Settings, parse_config

_CONFIG = """
database: {url: "${URL}", pool_size: 6}
healing:
  mode: heal
  consecutive: 4          # so that the problem can be seen for a moment before it is gone
  cooldown: 5s
  pace: {batch_target: 100ms, max_batch: 400, duty: 50%}
server: {host: 127.0.0.1, port: "${PORT}", admin_token: "${TOKEN}"}
lease: 3s
repairs:                  # what a deploy left behind is mended beside the healing
  - name: tiers
    check: subscription_tiers
    table: users
    find: >-
      SELECT id, lower(subscription_tier) AS subscription_tier FROM users
      WHERE subscription_tier <> lower(subscription_tier)
    action: update
    mode: heal
    cooldown: 5s
    breaker: {max_share: 10%}
checks:
  census: {every: 2s, budget: 50%}
  structure: {every: 30s}
  duplicate_impressions: {every: 15s}
  orphan_impressions: {every: 15s}
  timestamps: {every: 15s}
  pool_exhaustion: {every: 15s}
  artwork_supply: {every: 15s}
  sql:
    - name: subscription_tiers
      query: SELECT count(*) FROM users WHERE subscription_tier <> lower(subscription_tier)
      every: 5s
      fail: "> 0"
"""
# About the sample app's own tables; the shipped config.yaml has none about anybody's.
_SUITES = """\
  expectations:
    - name: artworks
      table: art_sessions
      every: 15s
      budget: 50%
      expectations:
        - type: expect_column_value_lengths_to_be_between
          kwargs: {column: image_url, min_value: 1}
        - type: expect_column_values_to_not_be_null
          kwargs: {column: prompt, mostly: 0.99}
          severity: warning
        - type: expect_column_values_to_be_in_set
          kwargs: {column: pool_status, value_set: [active, storage, archived]}
        - type: expect_column_values_to_be_between
          kwargs: {column: version, min_value: 1}
    - name: impressions
      table: user_art_impressions
      every: 15s
      budget: 50%
      expectations:
        - type: expect_compound_columns_to_be_unique
          kwargs: {column_list: [user_id, artwork_id]}
        - type: expect_column_values_to_be_between
          kwargs: {column: version, min_value: 1}
        - type: unexpected_rows_expectation
          kwargs:
            description: Every impression is of an artwork that exists.
            unexpected_rows_query: >-
              SELECT i.id FROM {batch} AS i
              LEFT JOIN art_sessions AS a ON a.id = i.artwork_id
              WHERE a.id IS NULL
"""


def demo_settings(url: str, *, port: int, token: str) -> Settings:
    """Settings for the gallery at `url`."""
    # The extra `demo` does not bring Great Expectations.
    text = _CONFIG + _SUITES if find_spec("great_expectations") else _CONFIG
    environment = {"URL": url, "PORT": str(port), "TOKEN": token}
    return parse_config(text, environment, source="the demo's configuration", base_dir=None)
