"""The fixture files that wires read beside those of all. Imports nothing heavy."""

from __future__ import annotations

from app.emulation.fixtures import WireFiles
from app.hashee import fixtures as hashee
from app.malangee import fixtures as malangee

WIRE_FILES: WireFiles = {malangee.FILE: malangee.read_script, hashee.FILE: hashee.read_cast}
"""Files that are read together with the others."""
