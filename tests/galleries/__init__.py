"""Strangers' galleries; see README.md."""
