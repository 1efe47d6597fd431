"""Logs for people (text) or machines (JSON lines), with keys shortened in both."""

from __future__ import annotations

import json
import logging
import sys
from logging.handlers import MemoryHandler
from typing import Any, Final

from app.redaction import redact, redacted

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), 127) if code != 9}

HELD: Final = 1_000
"""Records that are kept at most before they are written after all."""

QUIET: Final = (
    *("uvicorn", "uvicorn.error", "uvicorn.access"),
    *("httpx", "httpcore", "openai", "alembic", "asyncio", "watchfiles"),
)
"""Loggers of others: only their warnings are shown, unless the level is debug."""


class TextFormatter(logging.Formatter):
    """`12:00:00 INFO  app.chldo  connect …`"""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)-12s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        # What a client wrote must not begin a line of its own.
        record.message = record.message.translate(_CONTROLS)
        return super().formatMessage(record)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the facts given with `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update((key, value) for key, value in vars(record).items() if key not in _OWN)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(redacted(line), ensure_ascii=False)


class HeldLogs(MemoryHandler):
    """Keeps log records until it is known whether anybody should see them."""

    def __init__(self, output: logging.Handler) -> None:
        super().__init__(HELD, flushLevel=logging.CRITICAL + 1, target=output)
        self._output = output

    def show(self) -> None:
        """Writes what was kept; what is logged from now on is written at once."""
        root = logging.getLogger()
        if self in root.handlers:
            self.flush()
            root.handlers[:] = [self._output]

    def discard(self) -> None:
        """Forgets what was kept."""
        self.buffer.clear()


def configure_logs(style: str, level: str, *, hold: bool = False) -> HeldLogs:
    """Sends all logs to standard error in the chosen style; with `hold` not before they are released."""
    output = logging.StreamHandler(sys.stderr)
    output.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    held = HeldLogs(output)
    root = logging.getLogger()
    root.handlers[:] = [held if hold else output]
    root.setLevel(level.upper())
    quiet = logging.DEBUG if level == "debug" else logging.WARNING
    for name in QUIET:
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
        logger.setLevel(quiet)
    return held
