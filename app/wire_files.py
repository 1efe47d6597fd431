"""The fixture files that wires read beside those of all. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.emulation.fixtures import WireFiles
from app.hashee.fixtures import read_cast
from app.malangee import fixtures as malangee

WIRE_FILES: WireFiles = {malangee.FILE: malangee.read_script}
"""Files that are read together with the others."""

WIRE_READERS: tuple[Callable[[Path], object], ...] = (read_cast,)
"""Wires that read their file of the folder themselves; each raises `FixtureError`."""
