"""What of a validation leaves the worker."""

from __future__ import annotations

from monitor.checking.expectations.redaction import redacted


def test_only_counts_keys_and_numbers_leave_the_worker() -> None:
    result = {
        "unexpected_count": 1,
        "unexpected_percent": 5.0,
        "observed_value": ["secret", 3],
        "partial_unexpected_list": ["secret"],
        "partial_unexpected_counts": [{"value": "secret", "count": 1}],
        "details": {"unexpected_rows": ["secret"]},
        "unexpected_index_column_names": ["id"],
        "partial_unexpected_index_list": [{"id": 7, "prompt": "secret"}],
    }
    raw = {
        "success": False,
        "expectation_config": {"type": "expect_column_values_to_be_unique", "kwargs": {}},
        "result": result,
        "exception_info": {"m": {"raised_exception": True, "exception_traceback": "secret"}},
    }
    document = redacted({"results": [raw]})
    assert "secret" not in str(document)
    (found,) = document["results"]
    assert found["result"] == {
        "unexpected_count": 1,
        "unexpected_percent": 5.0,
        "observed_value": [3],
        "unexpected_index_column_names": ["id"],
        "partial_unexpected_index_list": [{"id": 7}],
    }
