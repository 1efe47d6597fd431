"""`/_emulator/schema/`: what is served is what is checked in; how it is cached and found."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx
import pytest

from app.contract.schema.tree import Document
from app.control.schemas import Shelf
from tests.contract.judges import TREE
from tests.live import LiveServer

FILES = sorted(
    path.relative_to(TREE).as_posix() for path in TREE.rglob("*") if path.is_file() and path.suffix != ".pyc"
)
TYPES = {
    "asyncapi.json": "application/vnd.aai.asyncapi+json;version=3.1.0",
    "index.json": "application/json",
    ".schema.json": "application/schema+json",
    ".ts": "application/typescript; charset=utf-8",
    ".py": "text/x-python; charset=utf-8",
}


@pytest.fixture(scope="module")
def client(demo: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{demo.http}/_emulator/schema/", timeout=30) as opened:
        yield opened


def test_every_document_is_served_as_it_is_checked_in(client: httpx.Client) -> None:
    assert len(FILES) > 200
    for name in FILES:
        answer = client.get(name)
        assert answer.status_code == 200, name
        assert answer.content == (TREE / name).read_bytes(), name
        wanted = next(kind for ending, kind in TYPES.items() if name.endswith(ending))
        assert answer.headers["Content-Type"] == wanted


def test_the_index_names_every_document(client: httpx.Client) -> None:
    index = client.get("")
    assert index.content == client.get("index.json").content
    editions = [edition for wire in index.json()["wires"] for edition in wire["editions"]]
    named = {
        path
        for edition in editions
        for path in (
            *(edition[key] for key in ("asyncapi", "frames", "requests", "typescript", "python")),
            *(message["schema"] for message in edition["messages"]),
        )
    }
    assert named == set(FILES) - {"index.json"}
    assert [edition["id"] for edition in editions if edition["default"]] == ["2024-11-13", "guide", "2026-01"]


def test_the_address_without_its_last_slash_leads_to_the_index(demo: LiveServer) -> None:
    answer = httpx.get(f"{demo.http}/_emulator/schema", follow_redirects=True, timeout=30)
    assert [wire["name"] for wire in answer.json()["wires"]] == ["chldo", "malangee", "hashee"]


@pytest.mark.parametrize("path", ["", "chldo/2024-11-13/asyncapi.json"])
def test_a_document_that_has_not_changed_is_not_sent_again(client: httpx.Client, path: str) -> None:
    first = client.get(path)
    tag = first.headers["ETag"]
    for asked in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = client.get(path, headers={"If-None-Match": asked})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert client.get(path, headers={"If-None-Match": '"other"'}).content == first.content
    head = client.head(path)
    assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", tag)
    assert head.headers["Content-Length"] == str(len(first.content))


def test_different_documents_have_different_tags(client: httpx.Client) -> None:
    tags = {client.get(f"chldo/{revision}/asyncapi.json").headers["ETag"] for revision in ("2024-11-03", "2024-11-13")}
    assert len(tags) == 2


@pytest.mark.parametrize(
    "path", ["chldo", "chldo/2024-11-13/", "chldo/2024-11-14/asyncapi.json", "%2e%2e/%2e%2e/README.md"]
)
def test_what_is_not_there_is_told_as_json(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "GET /_emulator/schema/ lists them" in answer.json()["message"]


async def test_documents_are_rendered_once_and_not_on_the_event_loop() -> None:
    threads: list[int] = []

    def render() -> dict[str, Document]:
        threads.append(threading.get_ident())
        return {"a": Document("a", "text/plain", "가")}

    shelf = Shelf(render)
    assert threads == []
    found = await asyncio.gather(*(shelf.find("a") for _ in range(20)))
    assert {served.body for served in found if served} == {"가".encode()}
    assert await shelf.find("b") is None
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


def test_a_server_that_is_not_asked_for_schemas_does_not_load_them() -> None:
    code = "import sys, app.main; print([name for name in sys.modules if name.startswith('app.contract')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_the_endpoints_are_described(demo: LiveServer) -> None:
    paths = httpx.get(f"{demo.http}/_emulator/openapi.json", timeout=30).json()["paths"]
    described = paths["/_emulator/schema/{path}"]["get"]["responses"]
    assert {"200", "304", "404"} <= described.keys()
    assert "application/schema+json" in described["200"]["content"]
    assert "/_emulator/schema/" in paths
