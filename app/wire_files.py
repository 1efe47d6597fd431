"""The fixture files that wires read beside those of all. Imports nothing heavy."""

from __future__ import annotations

from app.emulation.fixtures import WireFiles
from app.malangee import fixtures as malangee

WIRE_FILES: WireFiles = {malangee.FILE: malangee.read_script}
