"""The journal on disk: a line of JSON an entry, in files that rotate, written by a thread of its own.

    <folder>/journal.jsonl, journal.jsonl.1 (older), …

What is written is redacted. A disk that cannot keep up, or fails, loses entries, never time of the event loop: a line
`{"kind": "lost", "entries": n}` says how many, and the log says why.
"""

from __future__ import annotations

import logging
import queue
import sys
import threading
from logging.handlers import RotatingFileHandler
from pathlib import Path

from app.emulation.journal import Entry
from app.json_text import dumps

log = logging.getLogger("app.journal")

FILE = "journal.jsonl"
WAITING = 20_000
"""Entries that may wait for the disk."""


class _Lines(RotatingFileHandler):
    """Rotation as logging does it; failures come out instead of going to standard error."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        error = sys.exception()
        if error is not None:
            raise error

    def write(self, line: str) -> None:
        """One line. Raises OSError."""
        self.emit(logging.LogRecord("journal", logging.INFO, "", 0, line, None, None))


class JournalFile:
    """A sink of the journal. `size`: bytes of one file; `files`: how many older ones are kept."""

    def __init__(self, folder: Path, *, size: int = 64 * 1024 * 1024, files: int = 5) -> None:
        self._folder = folder
        self._size = size
        self._files = files
        self._waiting: queue.Queue[Entry | None] = queue.Queue(WAITING)
        self._overrun = 0
        """Entries that found no place to wait; counted by the event loop alone."""
        self._failed = 0
        """Entries that could not be written; counted by the thread alone, like those it has told of."""
        self._told = 0
        self._thread: threading.Thread | None = None
        self._lines: _Lines | None = None

    def open(self) -> None:
        """Makes the folder and starts writing. Blocks; raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lines = _Lines(
            self._folder / FILE, maxBytes=self._size, backupCount=self._files, encoding="utf-8", errors="replace"
        )
        (self._folder / FILE).chmod(0o600)
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    def __call__(self, entry: Entry) -> None:
        try:
            self._waiting.put_nowait(entry)
        except queue.Full:
            self._overrun += 1

    def close(self, patience: float = 5.0) -> None:
        """Writes what waits, for `patience` seconds at most. Blocks."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            self._waiting.put(None, timeout=patience)
        except queue.Full:
            log.error("the journal on disk does not end: %s", self._folder / FILE)
            return
        thread.join(patience)

    def _write(self) -> None:
        lines = self._lines
        assert lines is not None
        failing = False
        try:
            while (entry := self._waiting.get()) is not None:
                try:
                    lost = self._overrun + self._failed - self._told
                    if lost:
                        lines.write(dumps({"kind": "lost", "entries": lost}))
                        self._told += lost
                    lines.write(dumps(entry.plain()))
                    failing = False
                except (OSError, ValueError, TypeError) as error:
                    self._failed += 1
                    if not failing:
                        log.error("the journal cannot be written to %s: %s", self._folder / FILE, error)
                    failing = True
        finally:
            lines.close()
