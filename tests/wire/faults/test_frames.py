"""Faults of frames: dropped, doubled, swapped, late, cut, broken, foreign, padded, edited; the end of a turn."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.live import DEMO_KEY, Json, Peer
from tests.wire.faults.stage import (
    BARE,
    FLAT,
    NEWEST,
    TOKENS,
    WRAPPED,
    Faulty,
    Raw,
    asks,
    is_status,
    room,
    said,
    types,
    until_closed,
    whole,
)

TOKEN = {NEWEST: "stream", WRAPPED: "on_chat_model_stream", BARE: "on_chat_model_stream", FLAT: "message"}
BOTH = pytest.mark.parametrize("revision", [NEWEST, WRAPPED])


def request(revision: str, name: str, msg: str = "세어") -> Json:
    """What asks for a turn in a revision."""
    if revision == FLAT:
        return {"action": "sendmessage", "room_uid": name, "user_uid": "u1", "msg": msg}
    return asks(msg, name, org_id="org_test")


async def heard(peer: Peer) -> list[str]:
    """Every frame as text, up to the answer of `status`."""
    texts: list[str] = []
    while True:
        texts.append(str(await asyncio.wait_for(peer.socket.recv(), 30)))
        try:
            if is_status(json.loads(texts[-1])):
                return texts[:-1]
        except json.JSONDecodeError:
            continue


async def raw_turn(faulty: Faulty, peer: Peer, message: Json) -> list[str]:
    """All frames of a turn as they are."""
    await peer.send(message)
    await faulty.told(message["room_uid"], 2, "out")
    await faulty.quiet()
    await peer.send({"action": "status"})
    return await heard(peer)


@pytest.mark.parametrize("revision", [NEWEST, WRAPPED, BARE, FLAT])
async def test_a_frame_is_dropped(faulty: Faulty, name: str, revision: str) -> None:
    when = {"room": name, "frame": TOKEN[revision]}
    await faulty.add({"fault": "drop", "when": when, "skip": 2, "count": 2})
    async with room(faulty.server, name, revision) as peer:
        frames = await whole(faulty, peer, request(revision, name))
        assert said(frames) == "".join([*TOKENS[:2], *TOKENS[4:]])
        assert said(await whole(faulty, peer, request(revision, name))) == "".join(TOKENS)
    told = await faulty.told(name, 2)
    assert [(one["fault"], one["frame"], one["turn"]) for one in told] == [("drop", TOKEN[revision], 1)] * 2


@BOTH
async def test_a_frame_comes_again(faulty: Faulty, name: str, revision: str) -> None:
    await faulty.add({"fault": "duplicate", "when": {"room": name, "frame": TOKEN[revision]}, "times": 2, "count": 1})
    async with room(faulty.server, name, revision) as peer:
        frames = await whole(faulty, peer, request(revision, name))
    first = [frame for frame in frames if "stream" in types([frame])[0] and said([frame]) == TOKENS[0]]
    assert len(first) == 3
    assert first[0] == first[1] == first[2]
    assert said(frames) == TOKENS[0] * 2 + "".join(TOKENS)


@BOTH
async def test_frames_change_places(faulty: Faulty, name: str, revision: str) -> None:
    await faulty.add({"fault": "swap", "when": {"room": name, "frame": TOKEN[revision]}, "skip": 1, "count": 1})
    async with room(faulty.server, name, revision) as peer:
        frames = await whole(faulty, peer, request(revision, name))
    assert said(frames) == "".join([TOKENS[0], TOKENS[2], TOKENS[1], *TOKENS[3:]])


async def test_a_frame_with_no_other_to_change_places_with_goes_out_in_the_end(faulty: Faulty, name: str) -> None:
    await faulty.add({"fault": "swap", "when": {"room": name, "frame": "END"}, "seconds": 0.2})
    async with room(faulty.server, name) as peer:
        assert types(await peer.turn(asks("세어", name)))[-2:] == ["think", "END"]
    assert await faulty.strikes(name) == ["swap"]


async def test_a_held_frame_goes_out_before_a_close_and_when_its_rule_is_gone(faulty: Faulty, name: str) -> None:
    held = {"fault": "swap", "when": {"room": name, "frame": "END"}, "seconds": 3600}
    (live,) = await faulty.add(held)
    async with room(faulty.server, name) as peer:
        await peer.send(asks("세어", name))
        await faulty.told(name, 1)
        await faulty.remove(live)
        while (await peer.receive()).get("status") != "END":
            pass
        await faulty.add(held)
        await peer.send(asks("세어", name))
        await faulty.told(name, 2)
        (line,) = faulty.server.program.stage.lines
        await faulty.server.run(line.close(4000, "bye"))
        frames, code, _ = await until_closed(peer)
        assert (types(frames)[-1], code) == ("END", 4000)


@BOTH
async def test_a_frame_is_late_and_its_turn_with_it_but_no_other(faulty: Faulty, name: str, revision: str) -> None:
    when = {"room": name, "frame": TOKEN[revision], "message": "세어"}
    await faulty.add({"fault": "delay", "when": when, "seconds": 600, "skip": 1, "count": 1})
    async with room(faulty.server, name, revision) as peer, faulty.frozen() as advance:
        await peer.send(asks("세어", name))
        await faulty.told(name, 1)
        other = said(await _next_turn(peer, asks("다른 말", name)))
        assert other == f"{TOKENS[0]}네, 알겠습니다.", "the other turn goes on"
        await advance(600)
        assert said(await _next_turn(peer)) == "".join(TOKENS[1:])


async def _next_turn(peer: Peer, message: Json | None = None) -> list[Json]:
    """The frames up to the next END."""
    if message is not None:
        await peer.send(message)
    frames = [await peer.receive()]
    while types(frames)[-1] != "END":
        frames.append(await peer.receive())
    return frames


async def test_jitter_delays_by_no_more_than_it_may(faulty: Faulty, name: str) -> None:
    await faulty.add({"fault": "jitter", "when": {"room": name, "frame": "stream"}, "seconds": 0.05})
    async with room(faulty.server, name) as peer:
        assert said(await peer.turn(asks("세어", name))) == "".join(TOKENS)
    assert await faulty.strikes(name) == ["jitter"] * len(TOKENS)


@BOTH
async def test_a_frame_is_cut_off(faulty: Faulty, name: str, revision: str) -> None:
    when = {"room": name, "frame": TOKEN[revision]}
    await faulty.add({"fault": "truncate", "when": when, "keep": 0.25, "count": 1})
    async with room(faulty.server, name, revision) as peer:
        texts = await raw_turn(faulty, peer, asks("세어", name))
    broken = [text for text in texts if not text.endswith("}")]
    assert len(broken) == 1
    (entry,) = [one for one in await faulty.told(name, len(texts), "out") if not one["text"].endswith("}")]
    assert (entry["text"], entry["type"]) == (broken[0], "")
    assert said([json.loads(text) for text in texts if text not in broken]) == "".join(TOKENS[1:])


@pytest.mark.parametrize("keep", [0, 1])
async def test_a_cut_frame_is_never_whole(faulty: Faulty, name: str, keep: int) -> None:
    await faulty.add({"fault": "truncate", "when": {"room": name, "frame": "END"}, "keep": keep})
    async with room(faulty.server, name) as peer:
        texts = await raw_turn(faulty, peer, asks("세어", name))
    assert not keep or '"status":"END"' in texts[-1]
    with pytest.raises(json.JSONDecodeError):
        json.loads(texts[-1])


@BOTH
async def test_a_frame_is_no_utf8_on_the_wire(faulty: Faulty, name: str, revision: str) -> None:
    await faulty.add({"fault": "break-utf8", "when": {"room": name, "frame": TOKEN[revision]}, "count": 1})
    async with await Raw.dial(faulty.server, name, revision) as client:
        await client.head()
        client.send(asks("세어", name))
        payloads: list[bytes] = []
        while not payloads or b'"END"' not in payloads[-1]:
            opcode, payload = await client.frame()
            assert opcode == 1
            payloads.append(payload)
    (broken,) = [payload for payload in payloads if b"\xff" in payload]
    with pytest.raises(UnicodeDecodeError):
        broken.decode()
    assert json.loads(broken.replace(b"\xff", b"").decode())
    (shown,) = [one for one in await faulty.told(name, len(payloads), "out") if "\\xff" in one["text"]]
    assert shown["turn"] == 1


async def test_a_browser_like_client_drops_the_socket_for_broken_utf8(faulty: Faulty, name: str) -> None:
    await faulty.add({"fault": "break-utf8", "when": {"room": name, "frame": "history"}})
    async with room(faulty.server, name) as peer:
        await peer.send(asks("세어", name))
        assert types((await until_closed(peer))[0]) == ["START"]
    await faulty.quiet()
    (end,) = await faulty.told(name, 1, "close")
    assert (end["by"], end["code"]) == ("client", 1007)


@BOTH
async def test_a_foreign_frame_comes_before(faulty: Faulty, name: str, revision: str) -> None:
    foreign = {"fault": "foreign", "text": '{"status":"점검"}', "count": 1}
    await faulty.add({**foreign, "when": {"room": name, "frame": TOKEN[revision]}})
    async with room(faulty.server, name, revision) as peer:
        frames = await whole(faulty, peer, asks("세어", name))
    at = frames.index({"status": "점검"})
    assert types([frames[at + 1]]) == [TOKEN[revision]]
    assert said(frames) == "".join(TOKENS)


@BOTH
async def test_a_frame_is_padded_to_its_size(faulty: Faulty, name: str, revision: str) -> None:
    await faulty.add({"fault": "oversize", "when": {"room": name, "frame": "START"}, "bytes": 200_000})
    async with room(faulty.server, name, revision) as peer:
        texts = await raw_turn(faulty, peer, asks("세어", name))
    assert len(texts[0].encode()) == 200_000
    assert json.loads(texts[0])["status"] == "START"
    assert max(len(text) for text in texts[1:]) < 2_000


@BOTH
async def test_a_frame_says_something_else(faulty: Faulty, name: str, revision: str) -> None:
    edit: dict[str, Any] = {
        "rename": {"msg": "message"},
        "remove": ["cAt"],
        "set": {"return_voice": "yes", "extra.deep": [1, {"a": None}]},
        "order": ["extra", "msgtype"],
    }
    await faulty.add({"fault": "edit", "when": {"room": name, "frame": "START"}, **edit})
    async with room(faulty.server, name, revision) as peer:
        first, *rest = await whole(faulty, peer, asks("세어", name))
    assert list(first)[:2] == ["extra", "msgtype"]
    assert not {"cAt", "msg"} & first.keys()
    assert (first["message"], first["return_voice"], first["extra"]) == ("<SOM>", "yes", {"deep": [1, {"a": None}]})
    assert [key for key in first if key in ("status", "connection_id", "message")] == [
        "status",
        "connection_id",
        "message",
    ]
    assert said(rest) == "".join(TOKENS)


async def test_what_stands_in_lists_can_be_edited(faulty: Faulty, name: str) -> None:
    when = {"room": name, "frame": "on_chain_stream"}
    edit = {"set": {"data.chunk.messages.0.content": "다른 말"}, "remove": ["tags.0"]}
    await faulty.add({"fault": "edit", "when": when, "count": 1, **edit})
    async with room(faulty.server, name, BARE) as peer:
        frames = await whole(faulty, peer, asks("세어", name, org_id="org_test"))
    told = [frame for frame in frames if frame.get("event") == "on_chain_stream"]
    assert [frame["data"]["chunk"]["messages"][0]["content"] for frame in told[:1]] == ["다른 말"]
    assert len(told[0]["tags"]) + 1 == 1 or told[0]["tags"] != told[-1]["tags"]


@pytest.mark.parametrize("revision", [NEWEST, WRAPPED, BARE])
async def test_a_turn_stops_without_its_end(faulty: Faulty, name: str, revision: str) -> None:
    async with room(faulty.server, name, revision) as peer:
        usual = types(await whole(faulty, peer, request(revision, name)))
        await faulty.add({"fault": "no-end", "when": {"room": name}, "count": 1})
        assert types(await whole(faulty, peer, request(revision, name))) == usual[:-1]
        assert types(await whole(faulty, peer, request(revision, name))) == usual
    (told,) = await faulty.told(name, 1)
    assert (told["fault"], told["frame"]) == ("no-end", usual[-1])


@pytest.mark.parametrize("revision", [NEWEST, WRAPPED, BARE])
async def test_a_turn_ends_twice(faulty: Faulty, name: str, revision: str) -> None:
    async with room(faulty.server, name, revision) as peer:
        usual = types(await whole(faulty, peer, request(revision, name)))
        await faulty.add({"fault": "end-twice", "when": {"room": name}})
        frames = await whole(faulty, peer, request(revision, name))
    assert types(frames) == [*usual, usual[-1]]
    assert frames[-1] == frames[-2]


@pytest.mark.parametrize("fault", ["no-end", "end-twice"])
async def test_the_first_version_has_no_end_to_lose(faulty: Faulty, name: str, fault: str) -> None:
    await faulty.add({"fault": fault, "when": {"room": name}})
    async with room(faulty.server, name, FLAT) as peer:
        assert said(await whole(faulty, peer, request(FLAT, name))) == "".join(TOKENS)
    assert await faulty.strikes(name) == []


async def test_a_greeting_has_an_end_too(faulty: Faulty, name: str) -> None:
    await faulty.add({"fault": "no-end", "when": {"room": name, "action": "greeting"}})
    greet = {"action": "greeting", "api_key": DEMO_KEY, "room_uid": name, "user_id": "u1", "greeting_number": 1}
    async with room(faulty.server, name) as peer:
        assert types(await whole(faulty, peer, greet)) == ["START", "greeting"]
        assert types(await whole(faulty, peer, asks("세어", name)))[-1] == "END"


async def test_several_faults_work_on_one_frame_in_their_order(faulty: Faulty, name: str) -> None:
    when = {"room": name, "frame": "START"}
    await faulty.add(
        {"fault": "edit", "when": when, "set": {"msg": "하나"}},
        {"fault": "duplicate", "when": when},
        {"fault": "foreign", "when": when, "text": "뜻밖"},
        {"fault": "truncate", "when": when, "keep": 0.5},
        {"fault": "delay", "when": when, "seconds": 0.1},
    )
    async with room(faulty.server, name) as peer:
        began = asyncio.get_running_loop().time()
        first, foreign, cut, *_ = await raw_turn(faulty, peer, asks("세어", name))
        assert asyncio.get_running_loop().time() - began >= 0.1
    assert json.loads(first)["msg"] == "하나"
    assert (foreign, cut) == ("뜻밖", first[: len(first) // 2])
    assert await faulty.strikes(name) == ["edit", "duplicate", "foreign", "truncate", "delay"]


async def test_swapping_goes_with_what_else_strikes_the_frame(faulty: Faulty, name: str) -> None:
    when = {"room": name, "frame": "START"}
    await faulty.add(
        {"fault": "break-utf8", "when": when},
        {"fault": "swap", "when": when},
        {"fault": "edit", "when": when, "set": {"msg": "x"}},
    )
    async with await Raw.dial(faulty.server, name) as client:
        await client.head()
        client.send(asks("세어", name))
        (_, first), (_, second) = await client.frame(), await client.frame()
    assert json.loads(first)["status"] == "history"
    assert json.loads(second.replace(b"\xff", b""))["msg"] == "x"
    assert b"\xff" in second


async def test_what_is_dropped_stays_dropped_whatever_else_strikes(faulty: Faulty, name: str) -> None:
    when = {"room": name, "frame": "START"}
    others: list[Json] = [{"fault": "duplicate"}, {"fault": "swap"}, {"fault": "truncate"}, {"fault": "break-utf8"}]
    await faulty.add({"fault": "drop", "when": when}, *({**other, "when": when} for other in others))
    async with room(faulty.server, name) as peer:
        assert types(await whole(faulty, peer, asks("세어", name)))[0] == "history"


async def test_answers_without_a_turn_are_struck_too(faulty: Faulty, name: str) -> None:
    await faulty.add({"fault": "edit", "when": {"room": name, "frame": "connected"}, "set": {"msgtype": "차단"}})
    await faulty.add({"fault": "duplicate", "when": {"room": name, "frame": "error"}})
    async with room(faulty.server, name) as peer:
        assert (await peer.ask({"action": "status"}))["msgtype"] == "차단"
        refused = await peer.ask(asks("세어", name, api_key="unheard-of"))
        assert refused["msg"] == "api_key is not exist"
        assert await peer.receive() == refused
