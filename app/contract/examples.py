"""The frames of a revision, each with an example: from a golden transcript where one shows it.

All but `captured` is PURE.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.chldo import steps as s
from app.chldo.frames import ErrorFrame, ForbiddenFrame, Frame, StatusFrame
from app.chldo.renders.raw import HIDDEN
from app.chldo.requests import Forbidden
from app.chldo.revisions import Revision
from app.contract.meanings import CONDITIONS, INSTEAD
from app.contract.scenes import CONNECTION, RUNS, SCENES, sample_facts

Json = dict[str, Any]

CAPTURES: Mapping[str, tuple[str, ...]] = {
    "2024-07-01": ("2024-08-26-sendmsg", "2024-08-26-error-org-id-is-required", "2024-08-26-status"),
    "2024-08-26": (
        "2024-08-26-sendmsg.2",
        "2024-08-26-sendmsg-no-credit",
        "2024-08-26-sendmsg-llm-error",
        "2024-08-26-error-api-key-is-required",
        "2024-08-26-error-api-key-is-not-usable",
        "2024-08-26-error-msg-is-required",
        "2024-08-26-error-return-voice-must-be-a-number-0-1-0-or-1",
        "2024-08-26-error-room-uid-is-required",
        "2024-08-26-error-user-id-is-required",
    ),
    "2024-08-27": ("2024-08-27-sendmsg", "2024-08-27-use_voice"),
    "2024-09-11": (
        "2024-09-11-greeting-voice",
        "2024-09-11-greeting",
        "2024-09-11-sendmsg-no-credit",
        "2024-09-11-sendmsg-llm-error",
    ),
    "2024-10-02": ("2024-10-02-use_memory.2", "2024-10-02-error-api-key-is-not-exist"),
    "2024-10-06": ("2024-10-06-sendmsg",),
    "2024-11-03": ("2024-11-03-use_voice-language-id",),
}
"""The transcripts that show a revision. Those left out repeat another's frames or show drafts of a frame."""

FREE = ("START", "END", "stream", "voice_ready", "greeting", "hotword_detected", "memory_dict")
"""Frames whose `msg` is no fixed text."""

DEPTHS = ("the graph", "a node", "inside a node")


@dataclass(slots=True)
class Shown:
    """A frame that a revision sends, and for which step."""

    kind: type[Frame]
    body: Json
    when: list[str]


@dataclass(frozen=True, slots=True)
class Capture:
    """One line of a transcript."""

    revision: str
    name: str
    line: int
    body: Json


@dataclass(slots=True)
class Captures:
    """What the transcripts show. `requests`: those that belong to them, with their revision, oldest first."""

    frames: list[Capture] = field(default_factory=list)
    requests: list[tuple[str, Json]] = field(default_factory=list)


def frame_kind(body: Json) -> tuple[object, ...]:
    """Equal for frames that say the same: keys in order, status, event, place of the run, and the fixed text."""
    fixed = None if body.get("status") in FREE or "client_num" in body else re.sub(r"\d+", "0", body.get("msg", ""))
    parents = len(body["parent_ids"]) if "parent_ids" in body else None
    hidden = HIDDEN in body.get("tags", ())
    named = (body.get("status"), body.get("event"), body.get("msgtype"), fixed)
    return (tuple(body), *named, parents, hidden, body.get("voice_url") is None)


def frame_label(body: Json) -> str:
    """What a frame is called on a page."""
    if "event" in body and "status" not in body:
        hidden = ", hidden" if HIDDEN in body["tags"] else ""
        return f"{body['event']} ({DEPTHS[len(body['parent_ids'])]}{hidden})"
    if "client_num" in body:
        return "message" if body["voice_url"] is None else "message (voice)"
    told = "error" if body.get("msgtype") == "error" else body.get("status")
    return str(told or body["message"])


def body_of(frame: Frame) -> Json:
    """The frame as a client reads it."""
    body: Json = json.loads(frame.encode())
    return body


def _first_sentence(kind: type) -> str:
    first = (kind.__doc__ or "").partition("\n")[0]
    return re.split(r"[.;] |\.$", first)[0]


def _when(step: s.Step) -> str:
    kind = type(step)
    told, condition = INSTEAD.get(kind) or _first_sentence(kind), CONDITIONS.get(kind)
    return f"{told} ({condition})" if condition else told


def scene_frames(revision: Revision, scene: str) -> list[Shown]:
    """What `revision` sends in one of the `SCENES`, in order."""
    facts = sample_facts(revision, is_stream="`stream` 0" not in scene)
    return [
        Shown(type(frame), body_of(frame), [_when(step)])
        for step in SCENES[scene](revision)
        for frame in revision.render(step, facts)
    ]


def all_frames(revision: Revision) -> list[Shown]:
    """Each frame of a revision once, in the order in which it is first met."""
    found: dict[tuple[object, ...], Shown] = {}
    answers = [(StatusFrame.of(CONNECTION), StatusFrame), (Forbidden().frame(CONNECTION, RUNS["edge"]), ForbiddenFrame)]
    refusal = ErrorFrame.of(CONNECTION, f"{revision.requires[0]} is required")
    last = [Shown(type(frame), body_of(frame), [_first_sentence(kind)]) for frame, kind in answers]
    last.insert(0, Shown(ErrorFrame, body_of(refusal), ["A request is refused"]))
    for shown in (*(shown for scene in SCENES for shown in scene_frames(revision, scene)), *last):
        known = found.setdefault(frame_kind(shown.body), shown)
        known.when.extend(told for told in shown.when if told not in known.when)
    return list(found.values())


def find_capture(body: Json, revision: Revision, captures: Captures) -> Capture | None:
    """The nearest captured frame of the same kind: this revision's, else an earlier one's. `<SOM>` is preferred."""
    kind = frame_kind(body)
    same = [c for c in captures.frames if c.revision <= revision.id and frame_kind(c.body) == kind]
    return max(same, key=lambda c: (c.revision, bool(c.body.get("msg"))), default=None)


def request_fields(action: type, revision: Revision) -> list[str]:
    """The fields of an action (`SendMsg` or `Greet`) as the wire calls them, required ones first."""
    names = {"account": revision.account, "user_id": revision.user, "number": "greeting_number"}
    found = [names.get(f.name, f.name) for f in dataclasses.fields(action)]
    rest = [name for name in found if name and (name != "use_choices" or revision.has_choices)]
    return sorted(rest, key=lambda name: revision.requires.index(name) if name in revision.requires else len(rest))


def shortened(value: Any) -> Any:
    """`value` with long texts cut by an ellipsis; signatures most of all."""
    if isinstance(value, str):
        value = re.sub(r"(Signature=[^&]{8})[^&]+", r"\1…", value)
        return value if len(value) <= 180 else f"{value[:120]}…"
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    return [shortened(item) for item in value] if isinstance(value, list) else value


def captured(folder: Path) -> Captures:
    """The transcripts of `CAPTURES`; OSError if one is not there."""
    found = Captures()
    for revision, names in CAPTURES.items():
        for name in names:
            lines = (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
            found.frames += [Capture(revision, name, n, json.loads(line)) for n, line in enumerate(lines, 1) if line]
            request = folder / f"{name}.request.json"
            if request.exists():
                found.requests.append((revision, json.loads(request.read_text(encoding="utf-8"))))
    return found
