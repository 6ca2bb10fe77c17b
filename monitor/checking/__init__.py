"""Checks: one definition, one result, one runner and one registry for every one of them."""
