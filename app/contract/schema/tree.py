"""All documents of all wires: as texts by their paths, as files in a folder, and how the two differ.

    index.json                                   what there is
    <wire>/<edition>/asyncapi.json               one AsyncAPI document an edition
    <wire>/<edition>/{frames,requests}.schema.json   JSON Schema of whatever is sent, of whatever may be asked
    <wire>/<edition>/{frames,requests}/<Name>.schema.json   one message each
    <wire>/<edition>/<wire>_<edition>.{ts,py}    types and models

Rendering is pure and takes a few tenths of a second; the same program gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.contract.schema.asyncapi import ASYNCAPI, asyncapi_document
from app.contract.schema.json_schema import message_document, union_document
from app.contract.schema.layout import columns
from app.contract.schema.models import python_module
from app.contract.schema.registry import WIRES
from app.contract.schema.typescript import typescript_module
from app.contract.schema.wire import Edition, Json, Message, Wire

INDEX = "index.json"
WIDTH = 110

SCHEMA = "application/schema+json"
ASYNCAPI_JSON = f"application/vnd.aai.asyncapi+json;version={ASYNCAPI}"
TYPESCRIPT = "application/typescript; charset=utf-8"
PYTHON = "text/x-python; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Document:
    """A file. `path`: below the folder, with `/`. `media_type`: for `Content-Type`."""

    path: str
    media_type: str
    text: str


def documents(wires: Sequence[Wire] = WIRES) -> dict[str, Document]:
    """Every document by its path, the index first."""
    editions = {wire.name: list(wire.editions()) for wire in wires}
    found = [Document(INDEX, "application/json", _pretty(_index(wires, editions)))]
    for group in editions.values():
        for edition in group:
            found += _of(edition)
    return {document.path: document for document in found}


def differences(folder: Path, wanted: Mapping[str, Document], wires: Sequence[Wire] = WIRES) -> list[str]:
    """Files in `folder` that are not as `wanted`, and why. Only the folders of the wires are looked into."""
    there = {path.relative_to(folder).as_posix() for wire in wires for path in _files(folder / wire.name)}
    told: dict[str, str] = dict.fromkeys(there - wanted.keys(), "not generated")
    for name, document in wanted.items():
        try:
            if (folder / name).read_bytes() != document.text.encode():
                told[name] = "out of date"
        except FileNotFoundError:
            told[name] = "missing"
    return [f"{name}: {told[name]}" for name in sorted(told)]


def write(folder: Path, wanted: Mapping[str, Document]) -> list[str]:
    """Writes what is missing or out of date; the paths of what it wrote. Files that are right keep their date."""
    written = []
    for line in differences(folder, wanted):
        name, _, why = line.rpartition(": ")
        if why != "not generated":
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(wanted[name].text, encoding="utf-8", newline="\n")
            written.append(name)
    return written


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _index(wires: Sequence[Wire], editions: Mapping[str, list[Edition]]) -> Json:
    """What there is, with paths relative to the index."""
    listed = [
        {"name": wire.name, "title": wire.title, "editions": [_listed(edition) for edition in editions[wire.name]]}
        for wire in wires
    ]
    return {"title": "Schemas of the wires", "wires": listed}


def _listed(edition: Edition) -> Json:
    at = edition.folder
    return {
        "id": edition.id,
        "title": edition.title,
        "default": edition.default,
        "asyncapi": f"{at}/asyncapi.json",
        "frames": f"{at}/frames.schema.json",
        "requests": f"{at}/requests.schema.json",
        "typescript": f"{at}/{edition.module}.ts",
        "python": f"{at}/{edition.module}.py",
        "messages": [
            {"name": message.type_name, "title": message.title, "schema": f"{at}/{_place(message)}"}
            for message in edition.messages
        ],
    }


def _place(message: Message) -> str:
    return f"{message.kind.lower()}s/{message.name}.schema.json"


def _of(edition: Edition) -> Iterator[Document]:
    at = edition.folder
    yield Document(f"{at}/asyncapi.json", ASYNCAPI_JSON, _pretty(asyncapi_document(edition)))
    for kind in ("Frame", "Request"):
        yield Document(f"{at}/{kind.lower()}s.schema.json", SCHEMA, _pretty(union_document(edition, kind)))
    for message in edition.messages:
        yield Document(f"{at}/{_place(message)}", SCHEMA, _pretty(message_document(edition, message)))
    yield Document(f"{at}/{edition.module}.ts", TYPESCRIPT, typescript_module(edition))
    yield Document(f"{at}/{edition.module}.py", PYTHON, python_module(edition))


def _pretty(value: Any) -> str:
    return f"{_json(value, 0)}\n"


def _json(value: Any, depth: int) -> str:
    """JSON with two spaces of indent; what has no object or array within and fits stays on one line, and a longer array
    of plain values fills its lines.
    """
    if not isinstance(value, dict | list) or not value:
        return json.dumps(value, ensure_ascii=False)
    inside = value.values() if isinstance(value, dict) else value
    line = json.dumps(value, ensure_ascii=False)
    nested = any(isinstance(item, dict | list) and item for item in inside)
    if not nested and columns(line) + 2 * depth <= WIDTH:
        return line
    if isinstance(value, list):
        items = [_json(item, depth + 1) for item in value] if nested else _filled(value, WIDTH - 2 * depth)
        opening, closing = "[", "]"
    else:
        items = [f"{json.dumps(key, ensure_ascii=False)}: {_json(item, depth + 1)}" for key, item in value.items()]
        opening, closing = "{", "}"
    lines = ",\n".join(f"{'  ' * (depth + 1)}{item}" for item in items)
    return f"{opening}\n{lines}\n{'  ' * depth}{closing}"


def _filled(values: list[Any], width: int) -> list[str]:
    """Plain values as JSON, as many in a line as fit."""
    lines: list[str] = []
    for value in (json.dumps(value, ensure_ascii=False) for value in values):
        if lines and columns(lines[-1]) + columns(value) + 4 <= width:
            lines[-1] += f", {value}"
        else:
            lines.append(value)
    return lines
