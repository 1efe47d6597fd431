"""The fixture files that wires read beside those of all. Imports nothing heavy."""

from __future__ import annotations

from app.emulation.fixtures import WireFiles
from app.hashee import fixtures as hashee
from app.malangee.fixtures import read_script
from app.malangee.script import FILE as MALANGEE

WIRE_FILES: WireFiles = {MALANGEE: read_script, hashee.FILE: hashee.read_cast}
"""Files that are read together with the others."""
