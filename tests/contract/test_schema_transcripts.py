"""The schemas against what was captured: every frame of every golden transcript, and every request."""

from __future__ import annotations

import json
import re

import pytest

from app.chldo.requests import Forbidden, Refusal, parse
from app.chldo.revisions import REVISIONS
from tests.contract.judges import judge_of
from tests.golden import FOLDER, Json, transcript

OF_ANOTHER_DATE = {
    "2024-08-26-sendmsg": "2024-07-01",
    "2024-08-26-status": "2024-07-01",
    "2024-08-26-error-org-id-is-required": "2024-07-01",
    "2024-11-03-use_voice": "2024-09-11",
}
"""Pages that show frames of an earlier revision (spec, sections 1 and 8.3)."""

DRAFTS = {
    "2024-10-02-use_memory": ["hotword_detected", "memory_dict"],
    "2024-10-02-use_memory-hotword_detected": ["hotword_detected"],
    "2024-10-02-use_memory-memory_dict": ["memory_dict"],
}
"""Pages of some hours, with `uid` where the wire says `hotword_uid`: these frames are no part of any revision."""

TRANSCRIPTS = sorted(path.stem for path in FOLDER.glob("*.jsonl"))
REQUESTS = sorted(path.name for path in FOLDER.glob("*.request*.json"))


def revision_of(name: str) -> str:
    """The newest revision of the day that a transcript was published on."""
    return OF_ANOTHER_DATE.get(name) or max(revision for revision in REVISIONS if revision <= name[:10])


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_a_captured_frame_is_as_the_schemas_say(name: str) -> None:
    judge = judge_of(revision_of(name))
    refused = [frame for frame in transcript(name) if not judge.accepts(frame)]
    drafts = DRAFTS.get(name, [])
    assert [frame.get("status") for frame in refused] == drafts, [judge.why(frame) for frame in refused]
    assert all("uid" in frame and "hotword_uid" not in frame for frame in refused)


def test_the_transcripts_show_every_revision_but_the_ones_that_none_shows() -> None:
    shown = {revision_of(name) for name in TRANSCRIPTS}
    assert set(REVISIONS) - shown == {"2023-12-28", "2024-10-07", "2024-11-13"}


@pytest.mark.parametrize("file", REQUESTS)
def test_a_captured_request_is_judged_as_the_server_judges_it(file: str) -> None:
    revision = revision_of(re.sub(r"\.request.*", "", file))
    ask: Json = json.loads((FOLDER / file).read_text(encoding="utf-8"))
    refused = isinstance(parse(json.dumps(ask), REVISIONS[revision]), Refusal | Forbidden)
    assert judge_of(revision, "Request").accepts(ask) == (not refused)


def test_the_requests_that_are_refused_are_those_without_a_text_when_it_was_required() -> None:
    bad = [file for file in REQUESTS if not _accepted(file)]
    assert bad == [
        f"{day}-{name}-request-only.request.json"
        for day in ("2024-09-04", "2024-09-05")
        for name in ("use_image", "use_scene")
    ]


def _accepted(file: str) -> bool:
    ask: Json = json.loads((FOLDER / file).read_text(encoding="utf-8"))
    return judge_of(revision_of(re.sub(r"\.request.*", "", file)), "Request").accepts(ask)
