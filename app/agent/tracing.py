"""LangSmith's tracing: a setting turns it on, never the environment of the shell by itself. Imports LangSmith: imported
after the port is open.

LangChain looks at `LANGSMITH_TRACING` and its older names with every run, and would post whole conversations to the
endpoint that the environment names.
"""

from __future__ import annotations

import os

from langsmith import configure
from langsmith.run_trees import get_cached_client

LAST_RUNS = 1.0
"""Seconds that the runs of the last turns have to be sent when the server stops."""

OUTDATED = ("LANGCHAIN_TRACING", "LANGCHAIN_HANDLER")
"""Variables of a tracer that no longer exists: while one of them is set, LangChain fails every run."""


def set_tracing(enabled: bool) -> None:
    """Turns tracing on or off for this process. What is traced where is LangSmith's to read from the environment
    (`LANGSMITH_API_KEY`, `LANGSMITH_ENDPOINT`, `LANGSMITH_PROJECT`).
    """
    for name in OUTDATED:
        os.environ.pop(name, None)
    if enabled:
        os.environ["LANGSMITH_USE_DAEMON"] = "true"  # or an endpoint that is down keeps the program from ending
    configure(enabled=enabled)


def send_last_runs() -> None:
    """Sends what is still waiting to be traced, as far as `LAST_RUNS` allow. Blocks."""
    get_cached_client().flush(LAST_RUNS)
