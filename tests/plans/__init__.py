"""The plans of every statement, on a large gallery, held against those that were recorded.

`program` lets the product do everything that it does; the server itself writes down how it executed
each statement (auto_explain, read by `log`); `files` knows which file a statement came from;
`record` says what is kept of a plan and compares; `gallery` is where it happens. What is recorded
stands in `plans.json`, by size of the gallery: `python -m tests.plans --record` writes it anew.
"""
