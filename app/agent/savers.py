"""Checkpointers for graphs that declare one: SQLite or PostgreSQL, beside the store. Optional packages; imported
when first needed.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from app.agent.graphs import GraphError
from app.extras import install_extra


async def open_saver(url: str | None, folder: Path, stack: AsyncExitStack) -> BaseCheckpointSaver[Any]:
    """A saver on PostgreSQL if `url` names one, else on `folder`/graphs.sqlite3. `stack` closes it. Raises
    `GraphError`.
    """
    if url is not None and url.startswith("postgres"):
        try:
            from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
        except ImportError:
            raise GraphError(f"a graph declares a checkpointer: {install_extra('postgres')}") from None
        plain = "postgresql://" + url.partition("://")[2]
        keeper: Any = await stack.enter_async_context(AsyncPostgresSaver.from_conn_string(plain))
    else:
        try:
            from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
        except ImportError:
            raise GraphError(f"a graph declares a checkpointer: {install_extra('checkpoint')}") from None
        keeper = await stack.enter_async_context(AsyncSqliteSaver.from_conn_string(str(folder / "graphs.sqlite3")))
    await keeper.setup()
    saver: BaseCheckpointSaver[Any] = keeper
    return saver
