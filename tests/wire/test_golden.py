"""Every transcript that shows a sendmsg turn is reproduced over a live socket: frames, key order, values, sequence.

Two things are put right before comparing, as the spec's decisions 1 and 8.8 say: START/END texts are the markers (the
"" of some pages is lost markup), and the reply's room_uid is the request's (the pages anonymised it).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden import Json, Mask, request, tokens, transcript
from tests.live import LiveServer, sendmsg, talk, write_fixtures

REVISION_OF = {
    "2024-08-26-sendmsg": "2024-07-01",
    "2024-08-26-sendmsg.2": "2024-08-26",
    "2024-08-26-sendmsg-llm-error": "2024-08-26",
    "2024-08-26-sendmsg-no-credit": "2024-08-26",
    "2024-08-27-sendmsg": "2024-08-27",
    "2024-08-27-use_voice": "2024-08-27",
    "2024-09-11-sendmsg-llm-error": "2024-09-11",
    "2024-09-11-sendmsg-no-credit": "2024-09-11",
    "2024-10-06-sendmsg": "2024-10-06",
    "2024-11-03-use_voice": "2024-09-11",
    "2024-11-03-use_voice-language-id": "2024-11-03",
}
"""2024-11-03-use_voice is the page of R8 that still shows R3's frames (spec 8.3): R4 sends them."""

NEVER_SENT = {"2024-10-06-sendmsg": {"습니다": ["습니다", "."], " 합니다": [" 합니다", "."]}}
"""The full stops of the R6 capture, put back into what the model says: R6 does not send them."""

LLM_ERROR = {"status": 404, "body": {"status": "failure", "message": "API_KEY does not exist."}}


def saved_turns(frames: list[Json]) -> int:
    """How many turns the room had, from `graph:step:3n`."""
    for frame in frames:
        for tag in frame.get("tags", []):
            if tag.startswith("graph:step:"):
                return int(tag.removeprefix("graph:step:")) // 3
    return 0


def put_right(frames: list[Json], room_uid: str) -> list[Json]:
    rooms = {frame["room_uid"] for frame in frames if "room_uid" in frame}
    fixed: list[Json] = []
    for documented in frames:
        frame = dict(documented)
        if frame.get("status") in ("START", "END"):
            frame["msg"] = {"START": "<SOM>", "END": "<EOM>"}[frame["status"]]
        if "room_uid" in frame:
            assert len(rooms) == 1
            frame["room_uid"] = room_uid
        if "voice_url" in frame:
            head, _, tail = frame["voice_url"].partition("/room_uid_voice/")
            frame["voice_url"] = f"{head}/room_uid_voice/{room_uid}/{tail.partition('/')[2]}"
        fixed.append(frame)
    return fixed


@pytest.mark.parametrize("name", REVISION_OF)
async def test_a_documented_turn_is_reproduced(name: str, tmp_path: Path) -> None:
    revision = REVISION_OF[name]
    documented = transcript(name)
    said = [piece for token in tokens(documented) for piece in NEVER_SENT.get(name, {}).get(token, [token])]
    ask = asked(name, documented)
    uids = {frame["sent_uid"] for frame in documented if "sent_uid" in frame}
    voices = [frame for frame in documented if frame.get("status") == "voice_ready"]
    replies: list[Json] = [{"when": {"turn": saved_turns(documented) + 1}, "tokens": said}] if said else []
    if "llm-error" in name:
        replies = [{"when": {"msg": ask["msg"]}, "error": LLM_ERROR}]
    space: Json = {
        "sentence_mode": not uids or (len(uids) == max(1, len(voices)) and bool(voices)),
        "api_keys": [ask.get("api_key", "d4a3653a4ba72d6e04a293")],
        "return_voice": 1 if voices else 0,
    }
    if "no-credit" in name:
        space |= {"credit": 100 * saved_turns(documented), "credit_per_turn": 100}
    fixtures = write_fixtures(tmp_path / "fixtures", replies=replies, space=space)
    with LiveServer(tmp_path / "data", fixtures=fixtures, revision=revision) as server:
        async with talk(server, room_uid=ask["room_uid"]) as peer:
            for _ in range(saved_turns(documented)):
                await peer.turn({**ask, "msg": "먼저", "return_voice": 0})
            frames = await peer.turn(ask)
    sent_uid = len(next(iter(uids), "x" * 28))
    expected = Mask(sent_uid=sent_uid).frames(put_right(documented, ask["room_uid"]))
    assert Mask(sent_uid=sent_uid).frames(frames) == expected


def asked(name: str, documented: list[Json]) -> Json:
    """The request the page shows; the failures share the one of their page."""
    if "llm-error" in name or "no-credit" in name:
        return sendmsg("안녕 반가워요", return_voice=0)
    ask = request(name)
    if ask.get("api_key") == "API 키":
        ask["api_key"] = "d4a3653a4ba72d6e04a293"
    return ask
