"""Read-only views of the status snapshot: Prometheus, JSON API. Commands go through one interface."""
