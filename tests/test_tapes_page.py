"""docs/tapes.md agrees with the program."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from app.chldo.tape_reading import WIRE
from app.emulation import tapes
from app.emulation.determinism import Ids
from app.emulation.lint import judge
from app.emulation.recording import relay, voices, writer
from app.emulation.replay import exchanges
from app.emulation.tapes import parse_tape
from tests.live import write_fixtures
from tests.test_docs import ROOT, section

PAGE = (ROOT / "docs" / "tapes.md").read_text(encoding="utf-8")
MEGABYTE = 1024 * 1024


def block(heading: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", section(PAGE, heading), re.DOTALL)
    assert found
    return found[1]


def test_the_lines_shown_are_a_tape_and_all_kinds_of_lines() -> None:
    shown = block("## The format", "json")
    tape = parse_tape(shown.encode(), "shown", "docs/tapes.md")
    assert [(frame.direction, frame.data is None) for frame in tape.frames] == [
        ("client", True),
        ("server", True),
        ("server", False),
    ]
    assert (tape.close, tape.closed_by) == ((1000, ""), "client")
    assert "file" in shown


def test_the_keys_of_the_lines_are_documented() -> None:
    rows = section(PAGE, "## The format")
    header = tapes.header_line(
        url="u", path="p", started=1.0, subprotocol="s", refused=tapes.Refused(403, "b", "c"), headers={"request": {}}
    )
    lines = [header, tapes.frame_line("client", 0, "x"), tapes.frame_line("client", 0, b"x")]
    lines += [tapes.file_line(0, "f", "u"), tapes.close_line(0, 1000, "r", "client")]
    keys = {key for line in lines for key in json.loads(line)} | set(json.loads(header)["refused"])
    assert {key for key in keys if f"`{key}`" not in rows} == set()


def test_the_replies_shown_pass_the_check(tmp_path: Path) -> None:
    shown = block("## An example", "yaml")
    assert len(yaml.safe_load(shown)["replies"]) == 1
    made = write_fixtures(tmp_path / "f", replies=[])
    (made / "replies" / "test.yaml").write_text(shown, encoding="utf-8")
    assert not judge(made).remarks


def test_the_refusal_shown_is_the_one_that_comes() -> None:
    shown = block("## Playing", "json")
    text = json.loads(shown)["msg"]
    assert json.loads(WIRE.refusal("c8bSlsZXoE0ClzA=", text, Ids.seeded(1))) == json.loads(shown)
    assert list(json.loads(WIRE.refusal("", text, Ids.seeded(1)))) == list(json.loads(shown))


def test_the_figures_are_those_of_the_program() -> None:
    recording, playing, form = (section(PAGE, f"## {name}") for name in ("Recording", "Playing", "The format"))
    assert f"at most {writer.MOST_WAITING // MEGABYTE} MB of a connection" in recording
    assert f"A message may have {relay.LARGEST_MESSAGE // MEGABYTE} MB" in recording
    assert f"up to {voices.LARGEST // MEGABYTE} MB and {voices.PATIENCE:g} s" in recording
    assert f"within {exchanges.ANSWERS_WITHIN:g} seconds" in playing
    assert f"{tapes.LARGEST_FILE // MEGABYTE} MB, a folder {tapes.LARGEST_FOLDER // MEGABYTE // 1024} GB" in form
    assert tapes.MOST_FRAMES == 1_000_000
