"""Logs for people (text) or machines (JSON lines), with keys shortened in both."""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import Any

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
_SECRETS = (
    (re.compile(r"\b([0-9a-f]{4})[0-9a-f]{18}\b"), r"\1…"),  # a chldo api_key: 22 hexadecimal digits
    (re.compile(r"\b(sk-[A-Za-z0-9]{2})[A-Za-z0-9_-]{6,}"), r"\1…"),
    (re.compile(r"(?i)(bearer\s+\S{2})\S+"), r"\1…"),
    (re.compile(r"(Signature=[^&\s\"]{4})[^&\s\"]+"), r"\1…"),
    (re.compile(r"(://[^:/@\s\"']+:)[^@\s/\"']+@"), r"\1…@"),
    (re.compile(r"(?i)(\"(?:api_key|org_id|authorization)\"\s*:\s*\"[^\"]{2})[^\"]*"), r"\1…"),
    (re.compile(r"(?i)((?:api_key|token)=[^&\s\"]{4})[^&\s\"]+"), r"\1…"),
)

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), 127) if code != 9}


def redact(text: str) -> str:
    """`text` with every key, signature and password shortened beyond use."""
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


def _redacted(value: object) -> Any:
    """`value` as JSON can hold it, every text in it redacted."""
    if isinstance(value, dict):
        return {str(key): _redacted(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else redact(str(value))


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
        return json.dumps(_redacted(line), ensure_ascii=False)


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
