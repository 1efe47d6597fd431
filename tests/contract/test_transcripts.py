"""The documents' own transcripts keep the rules, but for what the pages put together or left out (spec section 8)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.contract.checks.report import Report
from app.contract.checks.run import Choice, check_recordings
from app.contract.checks.sources import read_recordings
from app.contract.checks.wires import wires
from app.emulation.determinism import RealClock
from tests.contract.stage import broken, told
from tests.golden import FOLDER

LOST_MARKUP = {"texts.markers"}
"""START and END say "" on the page (spec 8.2)."""
OTHER_ROOM = {"voices.name"}
"""The page gave the room of the reply another name than that of the request (spec 8.8)."""

KNOWN: dict[str, set[str]] = {
    "2024-08-26-sendmsg-llm-error": LOST_MARKUP,
    "2024-08-26-sendmsg-no-credit": LOST_MARKUP,
    "2024-08-26-sendmsg.2": LOST_MARKUP,
    "2024-08-27-use_voice": LOST_MARKUP | OTHER_ROOM,
    "2024-09-11-greeting-voice": {"echo.return-voice"},  # its request lacked return_voice for six minutes (8.9)
    "2024-10-02-use_memory": {"ids.connection-constant", "keys.hotword"},  # two captures in one (8.5); a draft's `uid`
    "2024-10-02-use_memory.2": {"ids.connection-constant"},
    "2024-10-02-use_memory-hotword_detected": {"keys.hotword", "hotwords.text"},  # schematic, not captured (8.4)
    "2024-10-02-use_memory-hotword_detected.2": {"hotwords.text"},
    "2024-10-02-use_memory-memory_dict": {"keys.hotword"},
    "2024-10-02-use_memory-memory_dict.2": set(),
    "2024-10-06-sendmsg": LOST_MARKUP | OTHER_ROOM | {"echo.room"},
    "2024-11-03-use_voice": OTHER_ROOM,
}
REVISION_OF = {
    "2024-08-26-sendmsg": "2024-07-01",
    "2024-08-26-sendmsg.2": "2024-08-26",
    "2024-08-27-sendmsg": "2024-08-27",
    "2024-08-27-use_voice": "2024-08-27",
    "2024-09-11-greeting": "2024-09-11",
    "2024-09-11-greeting-voice": "2024-09-11",
    "2024-10-02-use_memory.2": "2024-10-02",
    "2024-10-06-sendmsg": "2024-10-06",
    "2024-11-03-use_voice": "2024-08-27",
    "2024-11-03-use_voice-language-id": "2024-11-03",
}
"""What the pages say; two revisions may send the same frames."""

NAMES = sorted(path.stem for path in FOLDER.glob("*.jsonl"))


def judged(path: Path, revision: str = "") -> Report:
    return check_recordings(wires()["chldo"], path, Choice(revision=revision), clock=RealClock())


@pytest.mark.parametrize("name", NAMES)
def test_a_transcript_breaks_no_rule_but_the_known_ones(name: str) -> None:
    schematic = name.startswith("2024-10-02-use_memory-")
    report = judged(FOLDER / f"{name}.jsonl", "2024-10-02" if schematic else REVISION_OF.get(name, ""))
    assert broken(report) == (KNOWN.get(name, set()) - ({"hotwords.text"} if schematic else set())), told(report)


@pytest.mark.parametrize("name", REVISION_OF)
def test_the_revision_of_a_transcript_is_recognised(name: str) -> None:
    subject = judged(FOLDER / f"{name}.jsonl").subjects[0]
    assert REVISION_OF[name] in (subject.believed, *subject.also), subject


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("2024-08-27-use_voice", ["sentences.cut", "sentences.voice-place", "events.order", "tokens.whole"]),
        ("2024-10-06-sendmsg", ["sentences.cut", "quirks.full-stop", "sentences.voice-text", "voices.step"]),
        ("2024-11-03-use_voice-language-id", ["sentences.voice-text", "keys.voice", "voices.life", "echo.scene"]),
        ("2024-10-02-use_memory.2", ["hotwords.place", "hotwords.pair", "hotwords.dictionary", "tokens.msg"]),
        ("2024-09-11-sendmsg-no-credit", ["order.failure", "texts.failure", "events.order", "events.steps"]),
        ("2024-09-11-greeting-voice", ["greeting.order", "greeting.text", "times.greeting", "keys.greeting-voice"]),
    ],
)
def test_a_transcript_is_an_occasion_for_what_it_shows(name: str, rules: list[str]) -> None:
    outcomes = {result.id: result.outcome for result in judged(FOLDER / f"{name}.jsonl").rules}
    assert {rule: outcomes[rule] for rule in rules} == dict.fromkeys(rules, "passed")


def test_the_corrected_request_of_the_greeting_breaks_nothing(tmp_path: Path) -> None:
    name = "2024-09-11-greeting-voice"
    frames = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8")
    (tmp_path / f"{name}.jsonl").write_text(frames, encoding="utf-8")
    request = (FOLDER / f"{name}.request.corrected.json").read_text(encoding="utf-8")
    (tmp_path / f"{name}.request.json").write_text(request, encoding="utf-8")
    assert broken(judged(tmp_path / f"{name}.jsonl")) == set()


def test_a_folder_is_judged_recording_by_recording() -> None:
    report = judged(FOLDER)
    assert sorted(subject.name for subject in report.subjects) == NAMES
    assert {"2024-07-01", "2024-10-06"} <= {subject.judged for subject in report.subjects}
    expected = {
        rule for name, rules in KNOWN.items() if name in REVISION_OF or "use_memory" not in name for rule in rules
    }
    assert expected <= broken(report)
    assert "concurrency.own-frames" not in broken(report), (
        "transcripts that repeat one another are no sockets of a server"
    )


def test_a_tape_is_told_from_a_transcript(tmp_path: Path) -> None:
    lines = [
        {"tape": 1, "url": "ws://127.0.0.1/v3/"},
        {"from": "client", "at": 0.1, "text": '{"action":"status"}'},
        {
            "from": "server",
            "at": 0.2,
            "text": '{"status":"connected","connection_id":"ArIz-dpIoE0CEeg=","msgtype":"info"}',
        },
        {"at": 0.3, "close": 1000, "reason": "", "by": "server"},
    ]
    tape = tmp_path / "one.jsonl"
    tape.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    (recording,) = read_recordings(tape)
    assert [frame.direction for frame in recording.tape.frames] == ["client", "server"]
    assert recording.tape.close == (1000, "")
    report = judged(tmp_path)
    assert {one.id for one in report.rules if one.outcome == "passed"} >= {"status.reply", "wire.silent", "wire.json"}
    assert report.counts.failed == 0
