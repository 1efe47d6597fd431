"""Whatever a server or a tape has in it, the rules judge it and never break."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contract.checks.recordings import UNANSWERED, Download, Recording
from app.contract.checks.rules import judge
from app.contract.checks.sources import read_recordings
from app.contract.chldo.believing import believe
from app.contract.chldo.frames import parsed
from app.contract.chldo.reading import gather
from app.contract.chldo.rules import RULES
from app.contract.chldo.words import IDS
from app.emulation.tapes import Tape, TapeFrame

FOLDER = Path(__file__).parent.parent.parent / "fixtures" / "transcripts" / "chldo"
WHOLE = [one for one in read_recordings(FOLDER) if len(one.tape.frames) > 1]

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
KEYS = sorted({key for one in WHOLE for frame in one.tape.frames for key in json.loads(frame.text or "{}")})
EXTRA = ["use_choices", "choices", "client_num", "voice_length", "message", "connectionId", "scene_number", "stream"]
MARKS = ["good", "fresh", "again", "at-once", "one-frame", "fragments", "failing", "unknown-key", UNANSWERED]


@st.composite
def spoilt(draw: st.DrawFn) -> Recording:
    """A transcript with some values of some frames replaced, and frames dropped, doubled or out of order."""
    frames = list(draw(st.sampled_from(WHOLE)).tape.frames)
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(frames) - 1))
        body: dict[str, Any] = parsed(frames[place].text or "") or {}
        for path in draw(st.lists(st.sampled_from([*KEYS, *EXTRA]), max_size=3)):
            body[path] = draw(values)
        text = draw(st.sampled_from([json.dumps(body), json.dumps(body), json.dumps(draw(values)), draw(st.text())]))
        direction: Literal["client", "server"] = "client" if draw(st.integers(0, 2)) == 0 else "server"
        made = TapeFrame(direction, draw(st.floats(0, 9)), text if draw(st.integers(0, 9)) else None, b"\xff")
        frames[place : place + draw(st.integers(0, 2))] = [made]  # in front of it, in its place, or of two
    close = draw(st.sampled_from([None, (1000, ""), (1006, ""), (1009, "too big"), (0, "no handshake")]))
    marks = {n: frozenset(draw(st.lists(st.sampled_from(MARKS), max_size=2))) for n in range(min(3, len(frames)))}
    return Recording(Tape("spoilt", "", tuple(frames), close), marks, watched=draw(st.booleans()))


@given(
    recordings=st.lists(spoilt(), min_size=1, max_size=2), revision=st.sampled_from(IDS), audio=st.binary(max_size=400)
)
def test_no_rule_breaks_over_odd_frames(recordings: list[Recording], revision: str, audio: bytes) -> None:
    believe(recordings)
    bodies = [parsed(frame.text or "") or {} for one in recordings for frame in one.tape.frames]
    urls = [str(body["voice_url"]) for body in bodies if "voice_url" in body]
    downloads = {(url, "plain"): Download(url, 200, "audio/mpeg", audio) for url in urls}
    seen = gather(recordings, revision, downloads)
    for rule in RULES:
        verdict = judge(rule, seen)
        assert verdict.outcome in ("passed", "failed", "skipped")
        assert all(isinstance(breach.got, str) and breach.expected for breach in verdict.breaches)


@pytest.mark.parametrize("revision", IDS)
def test_nothing_at_all_is_skipped_with_a_reason(revision: str) -> None:
    seen = gather([Recording(Tape("empty", "", ()))], revision, {})
    for rule in RULES:
        verdict = judge(rule, seen)
        assert verdict.outcome == "skipped", rule.id
        assert verdict.reason
