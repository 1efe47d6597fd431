"""A wire that the renderers never saw gets documents that hold: what the other wires will rely on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import ValidationError

from app.contract.schema.tree import Document, documents
from tests.contract.bell import RUNG, WIRE
from tests.contract.judges import Json, Strict, compact, load

TREE: dict[str, Document] = documents([WIRE])
RINGING: Json = RUNG.examples[0]
BROKEN: list[Json] = [
    {**RINGING, "from": {}},
    {**RINGING, "from": {"name": "Ada", "age": -1}},
    {**RINGING, "from": {"name": "Ada", "height": 1}},
    {**RINGING, "at-second": 0.35},
    {**RINGING, "at-second": 60},
    {**RINGING, "tones": []},
    {**RINGING, "tones": [[1, 2, 3, 4]]},
    {**RINGING, "tones": [[89]]},
    {**RINGING, "where": {"x": 1, "deep": {"y": 1}}},
    {**RINGING, "where": {"x": 1, "deep": {"y": None, "z": 1}}},
    {**RINGING, "loud": 1},
    {**RINGING, "more": {"later": 1}},
    {**RINGING, "told": "`rung` ${three} times by (Ada)"},
    {**RINGING, "told": "`rung` ${3} times by ()"},
    {**RINGING, "mixed": [True]},
    {**RINGING, "mixed": ["b"]},
    {**RINGING, "mixed": None},
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    file = tmp_path_factory.mktemp("bell") / "bell.py"
    file.write_text(TREE["bell/bell.py"].text, encoding="utf-8")
    return load(file)


def test_a_wire_without_editions_has_one_folder() -> None:
    assert list(TREE) == [
        "index.json",
        "bell/asyncapi.json",
        "bell/frames.schema.json",
        "bell/requests.schema.json",
        "bell/frames/Rung.schema.json",
        "bell/frames/Silent.schema.json",
        "bell/requests/Ring.schema.json",
        "bell/bell.ts",
        "bell/bell.py",
    ]


def test_examples_fit_and_come_back_as_they_were(models: ModuleType) -> None:
    schema = Strict(json.loads(TREE["bell/frames.schema.json"].text))
    for example in RUNG.examples:
        schema.validate(example)
        assert models.parse_frame(compact(example)).encode() == compact(example)
    request = '{"type":"ring","class":"first"}'
    assert models.parse_request(request).encode() == request


@pytest.mark.parametrize("frame", BROKEN, ids=lambda frame: str(frame)[-60:])
def test_what_is_broken_inside_is_refused(models: ModuleType, frame: Json) -> None:
    assert not Strict(json.loads(TREE["bell/frames/Rung.schema.json"].text)).is_valid(frame)
    with pytest.raises(ValidationError, match="RungFrame"):
        models.parse_frame(compact(frame))


@pytest.mark.parametrize("text", ["", "[]", "5", "null", '"text"', "{", '{"type":"bell.lost"}'])
def test_what_is_no_frame_is_refused(models: ModuleType, text: str) -> None:
    with pytest.raises(ValueError, match="validation error"):
        models.parse_frame(text)


def test_a_channel_has_its_own_messages_and_parameters() -> None:
    document = json.loads(TREE["bell/asyncapi.json"].text)
    assert list(document["channels"]["quiet"]["messages"]) == ["SilentFrame"]
    assert document["channels"]["tower"]["parameters"] == {"tower_id": {"description": "which"}}
    assert list(document["operations"]) == ["ringTower", "framesTower", "framesQuiet"]
    assert document["operations"]["ringTower"]["reply"]["messages"] == [{"$ref": "#/channels/tower/messages/RungFrame"}]


def test_types_say_what_they_can() -> None:
    text = TREE["bell/bell.ts"].text
    for line in (
        '  "at-second": number;',
        "  from: Who;",
        "  tones: number[][];",
        "  where: { x: number; deep: { y: null } };",
        "  more?: More | null;",
        "  extra?: unknown;",
        "  told: `\\`rung\\` \\${${number}} times by (${string})`;",
        '  mixed: number | ("a" | 1)[];',
        "  [key: string]: unknown;",
    ):
        assert line in text.splitlines()
    assert "REVISION" not in text
    assert " * Bell *\\/." in text


def test_the_python_module_needs_no_formatter_and_passes_the_linter(tmp_path: Path) -> None:
    file = tmp_path / "bell.py"
    file.write_text(TREE["bell/bell.py"].text, encoding="utf-8")
    settings = Path(__file__).parents[2] / "pyproject.toml"
    for command in (["format", "--check"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "--config", str(settings), str(file)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_two_shapes_of_one_name_are_refused() -> None:
    from dataclasses import replace

    from app.contract.schema.shapes import Key, Named, Record, Text
    from app.contract.schema.typescript import typescript_module
    from tests.contract.bell import BELL

    twice = Record((Key("a", Named("Who", Text(), "another")), *RUNG.record.keys))
    with pytest.raises(ValueError, match="two shapes are named Who"):
        typescript_module(replace(BELL, frames=(replace(RUNG, record=twice),)))
