"""docs/wire/ is what the program says it is: complete, up to date, and its examples have the keys they are said to."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.chldo import frames
from app.chldo.frames import Frame
from app.chldo.requests import Greet, SendMsg
from app.chldo.revisions import REVISIONS, Revision
from app.contract.examples import CAPTURES, all_frames, captured, find_capture, frame_kind, shortened
from app.contract.meanings import CHANGES
from app.contract.scenes import SCENES
from app.contract.wiredocs import TRANSCRIPTS, differences, main, pages

ROOT = Path(__file__).parent.parent.parent
WIRE = ROOT / "docs" / "wire"
CAPTURED = captured(ROOT / TRANSCRIPTS)
CLASSES = {
    name: kind
    for name, kind in inspect.getmembers(frames, inspect.isclass)
    if issubclass(kind, Frame) and kind != Frame
}


def page_of(revision: str) -> str:
    return (WIRE / f"{revision}.md").read_text(encoding="utf-8")


def frame_sections(page: str) -> Iterator[tuple[str, list[str], list[dict[str, Any]]]]:
    """The frame class, the documented keys and the examples of each section under Frames."""
    for section in re.split(r"^### ", page.partition("\n## Frames\n")[2], flags=re.MULTILINE)[1:]:
        kind = re.search(r"^Frame class `(\w+)`\.$", section, re.MULTILINE)
        assert kind, section[:80]
        keys = re.findall(r"^\| \d+ \| `(\w+)` \|", section, re.MULTILINE)
        yield kind[1], keys, [json.loads(example) for example in re.findall(r"```json\n(.*?)\n```", section, re.DOTALL)]


SECTIONS = [(revision, *section) for revision in REVISIONS for section in frame_sections(page_of(revision))]


def test_the_pages_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err


def test_every_revision_has_a_page_that_the_index_links_and_says_what_changed() -> None:
    index = (WIRE / "README.md").read_text(encoding="utf-8")
    assert {path.stem for path in WIRE.glob("*.md")} == {*REVISIONS, "README"}
    assert set(CHANGES) == set(REVISIONS)
    assert all(f"]({revision}.md)" in index for revision in REVISIONS)


def test_every_frame_class_is_on_a_page() -> None:
    assert {kind for _, kind, _, _ in SECTIONS} == set(CLASSES)


@pytest.mark.parametrize(("revision", "kind", "keys", "examples"), SECTIONS, ids=lambda value: str(value)[:24])
def test_examples_have_exactly_the_documented_keys_in_order(
    revision: str, kind: str, keys: list[str], examples: list[dict[str, Any]]
) -> None:
    assert keys == [field.name for field in dataclasses.fields(CLASSES[kind])]  # type: ignore[arg-type]
    assert examples
    assert [list(example) for example in examples] == [keys] * len(examples)


@pytest.mark.parametrize("revision", REVISIONS.values(), ids=list(REVISIONS))
def test_the_scenes_show_every_step_that_a_revision_renders(revision: Revision) -> None:
    happened = {type(step) for scene in SCENES.values() for step in scene(revision)}
    assert set(revision.renders) - happened == set()


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_field_of_a_request_is_on_the_page(revision: str) -> None:
    section = page_of(revision).partition("\n## Requests\n")[2].partition("\n## ")[0]
    rows = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    known = REVISIONS[revision]
    told = {"account": known.account, "user_id": known.user, "number": "greeting_number"}
    actions = [SendMsg, Greet] if known.has_greeting else [SendMsg]
    wanted = {told.get(field.name, field.name) for action in actions for field in dataclasses.fields(action)} - {""}
    assert rows == (wanted if known.has_choices else wanted - {"use_choices"})


def test_required_fields_are_marked_in_the_order_in_which_they_are_checked() -> None:
    for revision in REVISIONS.values():
        action = page_of(revision.id).partition(f"\n### {revision.action}\n")[2].partition("\n### ")[0]
        required = re.findall(r"^\| `(\w+)` \| yes \|", action.partition("```")[0], re.MULTILINE)
        assert required == list(revision.requires)


def test_an_example_comes_from_a_transcript_where_one_shows_the_frame() -> None:
    """By the shape alone, without the generator's own idea of which frame is which."""
    for revision in REVISIONS.values():
        shapes = {tuple(frame.body) for frame in CAPTURED.frames if frame.revision == revision.id}
        for shown in all_frames(revision):
            found = find_capture(shown.body, revision, CAPTURED)
            if found is not None:
                assert list(found.body) == list(shown.body)
                assert found.revision <= revision.id
                assert f"[{found.name}](../../{TRANSCRIPTS}/{found.name}.jsonl), line {found.line}" in page_of(
                    revision.id
                )
        named = set(re.findall(r"captured in \[([\w.-]+)\]", page_of(revision.id)))
        own = {name for name in named if name in CAPTURES.get(revision.id, ())}
        assert bool(own) == bool(shapes)


def test_every_captured_frame_of_a_revision_is_one_that_it_sends() -> None:
    told = "Error code: 404"  # a failure in the words of the model's client
    for revision, names in CAPTURES.items():
        sent = {frame_kind(shown.body)[:4] for shown in all_frames(REVISIONS[revision])}
        unknown = [
            (frame.name, frame.line)
            for frame in CAPTURED.frames
            if frame.name in names and frame_kind(frame.body)[:4] not in sent and told not in frame.body["msg"]
        ]
        assert unknown == []


def test_signatures_and_long_texts_are_cut_and_short_ones_are_not() -> None:
    url = f"https://h/a.mp3?Expires=1&Signature={'a' * 344}&Key-Pair-Id=K"
    body = {"url": url, "n": [1, "가" * 300], "kept": "a" * 180, "none": None}
    told = shortened(body)
    assert told["url"] == "https://h/a.mp3?Expires=1&Signature=aaaaaaaa…&Key-Pair-Id=K"
    assert told["n"] == [1, "가" * 120 + "…"]
    assert (told["kept"], told["none"]) == ("a" * 180, None)


def test_the_check_names_what_is_missing_changed_or_extra(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path)]) == 0
    assert main(["--check", "--out", str(tmp_path)]) == 0
    (tmp_path / "2024-11-13.md").unlink()
    (tmp_path / "2024-11-03.md").write_text("changed", encoding="utf-8")
    (tmp_path / "notes.md").write_text("mine", encoding="utf-8")
    assert main(["--check", "--out", str(tmp_path)]) == 1
    said = ["2024-11-03.md: out of date", "2024-11-13.md: missing", "notes.md: not generated"]
    assert capsys.readouterr().err.splitlines() == said


def test_the_pages_are_the_same_each_time() -> None:
    assert pages(CAPTURED) == pages(captured(ROOT / TRANSCRIPTS))
    assert differences(WIRE, pages(CAPTURED)) == []
