"""From a command line to JSON: `key=value`, files, texts."""

from __future__ import annotations

import codecs
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from app.ctl.client import MISUSE, Content, fail

File = Annotated[
    str | None,
    typer.Option("--file", "-f", metavar="FILE", help="YAML or JSON as in the fixtures; - is standard input."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the server's JSON instead.")]
When = Annotated[
    list[str] | None,
    typer.Option(
        "--when",
        metavar="KEY=TEXT",
        help="A condition: KEY=TEXT is exact, KEY*=TEXT contains, KEY~=PATTERN matches. Several are possible.",
    ),
]

_NUMBERS = ("turn", "scene_number")
"""Conditions on numbers, not on texts."""


def content(file: str) -> Content:
    """What is in a file."""
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        fail(f"cannot read {file}: {error.strerror or error}", MISUSE)
    data = data.removeprefix(codecs.BOM_UTF8)
    is_json = file.endswith(".json") or (file == "-" and data.lstrip()[:1] in (b"{", b"["))
    return Content(data, "application/json" if is_json else "application/yaml")


def pairs(texts: Iterable[str] | None, option: str) -> dict[str, Any]:
    """`key=value` pairs; a value is JSON if it reads as such, else text."""
    found: dict[str, Any] = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            fail(f"{option}: expected KEY=VALUE, found {text!r}", MISUSE)
        found[key] = value_of(value)
    return found


def value_of(text: str) -> Any:
    """JSON, if the text reads as such; else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def conditions(texts: Iterable[str] | None) -> dict[str, Any]:
    """The `when` of a rule or a reply."""
    found: dict[str, Any] = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not equals or not key.rstrip("*~"):
            fail(f"--when: expected KEY=TEXT, KEY*=TEXT or KEY~=PATTERN, found {text!r}", MISUSE)
        if key.endswith("*"):
            found[key[:-1]] = {"contains": value}
        elif key.endswith("~"):
            found[key[:-1]] = {"regex": value}
        elif key in _NUMBERS or (value == "null" and key in ("msg", "message", "filename")):
            found[key] = value_of(value)
        else:
            found[key] = value
    return found
