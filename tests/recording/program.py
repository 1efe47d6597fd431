"""`chldo-emulator record` as a process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.emulation.tapes import Tape, read_tape

ROOT = Path(__file__).parent.parent.parent


class RecordProgram:
    """A running recorder."""

    def __init__(self, process: subprocess.Popen[str], folder: Path, banner: list[str]) -> None:
        self.process = process
        self.folder = folder
        self.banner = banner
        found = re.search(r"WebSocket +(ws://\S+)", "".join(banner))
        assert found
        self.ws = found[1].rstrip("/")
        self.http = self.ws.replace("ws://", "http://")

    def stop(self, number: int = signal.SIGINT) -> str:
        """Ends it with a signal; gives what it says last."""
        self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=30)
        return said

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.jsonl"))

    @property
    def tapes(self) -> list[Tape]:
        return [read_tape(file) for file in self.files]


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "app.cli", *args]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


@contextmanager
def record(upstream: str, folder: Path, *args: str) -> Iterator[RecordProgram]:
    """`record` in front of `upstream`, listening."""
    with (folder.parent / f"{folder.name}.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command("record", "--upstream", upstream, "--out", str(folder), "--port", "0", *args),
            stdout=subprocess.PIPE,
            stderr=log,
            encoding="utf-8",
            env=environment(),
        )
        assert process.stdout is not None
        try:
            banner: list[str] = []
            for line in process.stdout:
                banner.append(line)
                if "Ctrl-C" in line:
                    break
            yield RecordProgram(process, folder, banner)
        finally:
            process.kill()
            process.wait(10)
            process.stdout.close()
