"""The demo's configuration: the real defaults, with intervals that a person can watch."""

from __future__ import annotations

import json

from monitor.config import Settings, parse_config

_CONFIG = """
database: {{url: {url}, pool_size: 6}}
checks:
  census: {{every: 2s, budget: 50%}}
  structure: {{every: 30s}}
healing:
  mode: heal
  consecutive: 4          # so that the problem can be seen for a moment before it is gone
  cooldown: 5s
  pace: {{batch_target: 100ms, max_batch: 400, duty: 50%}}
server: {{host: 127.0.0.1, port: {port}, admin_token: {token}}}
lease: 3s
"""


def demo_settings(url: str, *, port: int, token: str) -> Settings:
    """Settings for the gallery at `url`."""
    text = _CONFIG.format(url=json.dumps(url), port=port, token=json.dumps(token))
    return parse_config(text, {}, source="the demo's configuration", base_dir=None)
