"""Recordings from files: tapes, folders of tapes, HAR, and plain transcripts.

A transcript is what the documents show: a server frame a line, and beside it, where the page shows it, the request in
`NAME.request.json`. It has no times and no marks of direction.
"""

from __future__ import annotations

import json
from pathlib import Path

from app.contract.checks.recordings import Recording
from app.emulation.tapes import Tape, TapeError, TapeFrame, read_tapes

_TAPE_KEYS = ("dir", "close", "url", "tape")


def read_recordings(path: Path) -> list[Recording]:
    """The recordings in a file or folder. Raises `TapeError`."""
    if not path.exists():
        raise TapeError(f"{path}: no such file or folder")
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    found: list[Recording] = []
    for file in files:
        if path.is_dir() and file.suffix not in (".jsonl", ".har"):
            continue
        transcript = _transcript(file) if file.suffix == ".jsonl" else None
        found += [Recording(tape) for tape in ([transcript] if transcript else read_tapes(file))]
    if not found:
        raise TapeError(f"{path}: no recordings in it (.jsonl or .har)")
    return found


def _transcript(file: Path) -> Tape | None:
    """The file as a transcript; None if it is something else."""
    try:
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        entries = [json.loads(line) for line in lines]
    except (OSError, ValueError):
        return None  # the reader of tapes says what is wrong
    objects = [entry for entry in entries if isinstance(entry, dict)]
    if not entries or len(objects) != len(entries) or any(key in entry for entry in objects for key in _TAPE_KEYS):
        return None
    asked = file.with_suffix(".request.json")
    frames = [TapeFrame("server", 0.0, line, None) for line in lines]
    if asked.exists():
        frames.insert(0, TapeFrame("client", 0.0, asked.read_text(encoding="utf-8"), None))
    return Tape(name=file.stem, url="", frames=tuple(frames), close=None)
