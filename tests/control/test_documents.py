"""docs/control.md and docs/journal.md agree with the program."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import applications
from fastapi.openapi.utils import get_openapi

from app.emulation.journal import KINDS
from app.main import create_app
from app.settings import Settings
from tests.control.conftest import control_server

DOCS = Path(__file__).parent.parent.parent / "docs"
ELSEWHERE = ("/_emulator/health", "/_emulator/schema", "/_emulator/hashee", "/_emulator/malangee")


def test_every_endpoint_of_the_control_plane_has_a_row_and_every_row_an_endpoint() -> None:
    described = create_app(Settings()).openapi()["paths"]
    there = {
        (method.upper(), path)
        for path, methods in described.items()
        for method in methods
        if path.startswith("/_emulator/") and not path.startswith(ELSEWHERE)
    }
    text = (DOCS / "control.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(GET|POST|PUT|PATCH|DELETE) (/\S+)` \|", text, re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert set(rows) == there


def test_every_kind_of_entry_has_a_row() -> None:
    text = (DOCS / "journal.md").read_text(encoding="utf-8")
    kinds = re.findall(r"^\| `(\w+)` \|", text.partition("| kind |")[2].partition("\n\n")[0], re.MULTILINE)
    assert tuple(sorted(kinds)) == tuple(sorted(KINDS))


@pytest.mark.parametrize("path", ["/_emulator/openapi.json", "/_emulator/"])
def test_the_description_is_made_beside_the_event_loop(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_the_loop: list[bool] = []
    make = get_openapi

    def watched(**options: Any) -> dict[str, Any]:
        on_the_loop.append(asyncio._get_running_loop() is not None)
        return make(**options)

    monkeypatch.setattr(applications, "get_openapi", watched)
    with control_server(tmp_path) as server:
        for _ in range(2):
            assert httpx.get(f"{server.http}{path}").status_code == 200
    assert on_the_loop == [False]
