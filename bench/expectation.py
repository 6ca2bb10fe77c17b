"""One query through Great Expectations, in a process of its own: `rivals` starts it.

Reads {"url", "query"} from its input, and writes {"success", "seconds"} of one validation.
"""

from __future__ import annotations

import json
import sys
import time

import great_expectations as gx


def main() -> None:
    """Expect that the query finds no rows."""
    request = json.load(sys.stdin)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_sql(
        "database",
        connection_string=request["url"].replace("$", "\\$"),
        create_temp_table=False,
    )
    asset = source.add_table_asset("users", table_name="users")
    batch = asset.add_batch_definition_whole_table("whole").get_batch()
    expectation = gx.expectations.UnexpectedRowsExpectation(unexpected_rows_query=request["query"])
    started = time.perf_counter()
    result = batch.validate(expectation)
    seconds = time.perf_counter() - started
    if result.exception_info and result.exception_info.get("raised_exception"):
        sys.exit(str(result.exception_info))
    print(json.dumps({"success": bool(result.success), "seconds": seconds}))


if __name__ == "__main__":
    main()
