"""FIDELITY.md tells the truth: its proofs exist, and its table is what the revisions send."""

from __future__ import annotations

import ast
import inspect
import re
from collections import defaultdict
from pathlib import Path

import pytest

from app.chldo import frames, steps
from app.chldo.frames import ErrorFrame, ForbiddenFrame, Frame, StatusFrame
from app.chldo.revisions import REVISIONS, Revision

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "FIDELITY.md").read_text(encoding="utf-8")
NODE = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
LABELS = [revision.label for revision in REVISIONS.values()]
SENT = ("yes", "partly")

FACTS = steps.TurnFacts("c", "r", "s", "1", 1, True, 0, "<SOM>", "<EOM>", run_ids=defaultdict(lambda: "id"))
STEPS: tuple[steps.Step, ...] = (
    steps.Started(),
    steps.HistorySought(),
    steps.HistoryReplayed(),
    steps.MemorySought(),
    steps.MemoryFound(0),
    steps.ThinkStarted(),
    steps.RunStep("on_chain_start", {}, "id", ["root"], []),
    steps.TokenStep("가", "uid", "id", [], []),
    steps.ReplyStep("가", "uid"),
    steps.VoiceStep("가", "uid", "url", 1.2),
    steps.HotwordDetected("가", "uid"),
    steps.MemoryDict("[]", "가", "uid"),
    steps.Failed("no"),
    steps.ThinkEnded(),
    steps.ChoicesStarted(),
    steps.ChoicesEnded([], 1),
    steps.GreetingStarted(),
    steps.Greeted("가"),
    steps.GreetingVoice("가", "uid", "url", 1.2, "1", "org", "", []),
    steps.Ended(),
)


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, the header first."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith("|---")]


FRAMES = rows("Frames")


def name(frame: Frame) -> str:
    """The row that a frame belongs to."""
    if isinstance(frame, ErrorFrame):
        return "error"
    if isinstance(frame, frames.MessageV1):
        return "message"
    if isinstance(frame, frames.VoiceReadyGreeting):
        return "voice_ready` of a greeting"
    event = getattr(frame, "event", None)
    if event is not None:
        whole = "reply" if hasattr(frame, "status") else "event"
        return "token" if event == "on_chat_model_stream" else whole
    return str(getattr(frame, "status"))  # noqa: B009 - not every frame has it


def sent(revision: Revision) -> dict[str, set[str]]:
    """The rows and classes of what a revision sends; three frames are the gateway's, in every revision."""
    found: dict[str, set[str]] = {"status": {StatusFrame.__name__}, "Forbidden": {ForbiddenFrame.__name__}}
    found["error"] = {ErrorFrame.__name__}
    for step in STEPS:
        for frame in revision.render(step, FACTS):
            found.setdefault(name(frame), set()).add(type(frame).__name__)
    return found


def documented(row: list[str]) -> str:
    """The name in the first cell; a qualified one ("`voice_ready` of a greeting") in full."""
    return row[0].removeprefix("`").removesuffix("`")


def test_every_kind_of_step_is_rendered_here() -> None:
    kinds = {kind for _, kind in inspect.getmembers(steps, inspect.isclass) if issubclass(kind, steps.Step)}
    assert {type(step) for step in STEPS} == kinds - {steps.Step}


def test_the_columns_are_the_revisions() -> None:
    assert FRAMES[0] == ["frame", "class", *LABELS, "proof"]
    named = dict(re.findall(r"\| (v1|R\d) \| `([\d-]+)` ", TEXT))
    assert named == {revision.label: revision.id for revision in REVISIONS.values()}


@pytest.mark.parametrize("revision", REVISIONS.values(), ids=LABELS)
def test_a_revision_sends_the_frames_its_column_names(revision: Revision) -> None:
    column = FRAMES[0].index(revision.label)
    said = {documented(row) for row in FRAMES[1:] if row[column] in SENT}
    assert said == set(sent(revision))


def test_the_classes_of_a_row_are_those_that_are_sent() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for revision in REVISIONS.values():
        for row_name, classes in sent(revision).items():
            found[row_name] |= classes
    assert {documented(row): set(re.findall(r"`(\w+)`", row[1])) for row in FRAMES[1:] if row[1]} == found


def test_every_frame_class_has_a_row() -> None:
    classes = {kind.__name__ for _, kind in inspect.getmembers(frames, inspect.isclass) if issubclass(kind, Frame)}
    assert {found for row in FRAMES[1:] for found in re.findall(r"`(\w+)`", row[1])} == classes - {"Frame"}


@pytest.mark.parametrize("row", FRAMES[1:], ids=documented)
def test_a_row_has_a_known_state_in_each_cell_and_a_proof_for_what_is_sent(row: list[str]) -> None:
    states = set(row[2:-1])
    assert states <= {"yes", "partly", "not yet", "-"}
    assert bool(states & set(SENT)) == bool(NODE.search(row[-1]))


def test_every_revision_has_a_row_with_a_proof() -> None:
    table = rows("Revisions")[1:]
    assert [row[0].strip("`") for row in table] == list(REVISIONS)
    assert all(NODE.search(row[-1]) for row in table)


@pytest.mark.parametrize("row", rows("The rest of the surface")[1:], ids=lambda row: str(row[0])[:30])
def test_what_is_there_has_a_proof(row: list[str]) -> None:
    assert bool(NODE.search(row[2])) == (not row[1].startswith("not yet"))


@pytest.mark.parametrize("node", sorted(set(NODE.findall(TEXT))), ids="::".join)
def test_a_named_test_exists(node: tuple[str, str]) -> None:
    path, function = node
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert function in {item.name for item in tree.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_nothing_that_looks_like_a_proof_escapes_the_check() -> None:
    assert TEXT.count("tests/") == len(NODE.findall(TEXT))


def test_the_divergences_are_numbered_without_a_gap() -> None:
    section = TEXT.partition("\n## Intentional divergences\n")[2]
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", section, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 10
