"""Logs for people (text) or machines (JSON lines), with keys shortened in both."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from app.redaction import redact, redacted

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), 127) if code != 9}


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


def configure_logs(style: str, level: str) -> None:
    """Sends all logs to standard error in the chosen style."""
    output = logging.StreamHandler(sys.stderr)
    output.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [output]
    root.setLevel(level.upper())
    quiet = logging.DEBUG if level == "debug" else logging.WARNING
    for name in (
        "uvicorn",
        "uvicorn.error",
        "uvicorn.access",
        "httpx",
        "httpcore",
        "openai",
        "alembic",
        "asyncio",
        "watchfiles",
    ):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
        logger.setLevel(quiet)
