"""Rules as a test writes them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from app.emulation.documents import read_document
from app.emulation.faults.rules import Rule, read_rules
from app.emulation.report import Item, Report


def rules(*plain: dict[str, Any]) -> tuple[Rule, ...]:
    """The rules, read as a file's would be. Raises `FixtureError` with what is wrong with them."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "rules.json")
        file.write_text(json.dumps(plain, ensure_ascii=False), encoding="utf-8")
        root, problems = read_document(file, "rules.json")
    report = Report()
    report.note(*problems)
    read = () if root is None else read_rules(Item.whole_file(root, "rules.json", report))
    report.close()
    return read
