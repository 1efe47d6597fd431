"""The helpers, against the emulator that the plugin itself starts for this session."""

from __future__ import annotations

import asyncio
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pytest_chldo import Emulator, EmulatorError, Entry
from tests.plugin.talking import Talker, talker, talking

__all__ = ["talker"]

UNKNOWN_KEY = "0123456789abcdef012345"


# -- where it is ------------------------------------------------------------------------------------------------------


def test_addresses_lead_to_the_server(emulator: Emulator) -> None:
    with urllib.request.urlopen(f"{emulator.http_url}/_emulator/health") as answer:
        assert answer.status == 200
    with talking(emulator, "RoomNumber01", revision="2024-10-06") as talker:
        frames = talker.turn("hi")
    assert frames[0]["room_uid"] == "RoomNumber01"
    assert "scene_number" not in frames[0], "this is not the revision that was asked for"


def test_the_key_is_one_of_the_default_space(emulator: Emulator, talker: Talker) -> None:
    assert emulator.space == "demo"
    assert talker.turn("hi")[-1]["status"] == "END"
    emulator.control.ask("PATCH", "spaces", "demo", "keys", emulator.api_key, body={"usable": False})
    assert talker.turn("hi")[0]["msg"] == "api_key is not usable"


def test_rooms_are_fresh_each_time_and_the_same_in_the_next_run(emulator: Emulator) -> None:
    again = Emulator(emulator.server, name="tests/test_it.py::test_a")
    first = Emulator(emulator.server, name="tests/test_it.py::test_a")
    other = Emulator(emulator.server, name="tests/test_it.py::test_b")
    rooms = [first.room(), first.room()]
    assert [again.room(), again.room()] == rooms
    assert len({*rooms, other.room(), other.room()}) == 4
    assert all(re.fullmatch("[0-9A-Za-z]{12}", room) for room in rooms)


# -- what it says -----------------------------------------------------------------------------------------------------


def test_a_reply_answers_a_message(emulator: Emulator, talker: Talker) -> None:
    emulator.reply("hi", "Good morning.")
    assert talker.ask("hi") == "Good morning."
    assert talker.ask("ho") != "Good morning."


def test_a_reply_without_conditions_answers_everything(emulator: Emulator, talker: Talker) -> None:
    emulator.reply(text="Whatever you say.")
    assert [talker.ask("hi"), talker.ask("ho"), talker.ask(None)] == ["Whatever you say."] * 3


def test_the_last_reply_comes_first(emulator: Emulator, talker: Talker) -> None:
    emulator.reply("hi", "The first.")
    emulator.reply("hi", "The second.")
    assert talker.ask("hi") == "The second."


def test_a_reply_has_exact_tokens_choices_and_a_pace(emulator: Emulator, talker: Talker) -> None:
    emulator.reply("hi", tokens=["a", "b", "c"], choices=[{"text": "on"}], pace={"first": 5, "per_second": 1})
    began = emulator.clock.now()
    frames = talker.turn("hi", use_choices=1)
    assert [frame["msg"] for frame in frames if frame["status"] == "stream"] == ["a", "b", "c"]
    assert [frame["choices"][0]["text"] for frame in frames if "choices" in frame] == ["on"]
    stream = emulator.frames(type="stream", room=talker.room)
    assert [round(entry.at - began.timestamp()) for entry in stream] == [5, 6, 7]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (503, "Error code: 503"),
        ({"status": 418, "body": {"message": "teapot"}}, "Error code: 418 - {'message': 'teapot'}"),
    ],
)
def test_a_reply_can_be_a_failure(emulator: Emulator, talker: Talker, error: Any, said: str) -> None:
    emulator.reply("hi", error=error)
    (failure,) = (frame for frame in talker.turn("hi") if frame["msgtype"] == "error")
    assert failure["msg"].startswith(said)


def test_conditions_are_python_patterns_mappings_and_none(emulator: Emulator, talker: Talker) -> None:
    emulator.reply(re.compile("good (MORNING|evening)", re.IGNORECASE), "A pattern.")
    emulator.reply({"contains": "night"}, "A part.")
    emulator.reply(None, "No message.")
    emulator.reply("hi", "Another room.", room="elsewhere")
    emulator.reply("hi", "The third turn.", turn=4)
    assert talker.ask("Good Morning!") == "A pattern."
    assert talker.ask("every night") == "A part."
    assert talker.ask(None) == "No message."
    assert talker.ask("hi") == "The third turn."
    with talking(emulator, "elsewhere") as other:
        assert other.ask("hi") == "Another room."


def test_a_removed_reply_answers_no_more(emulator: Emulator, talker: Talker) -> None:
    with emulator.reply("hi", "While it lasts."):
        assert talker.ask("hi") == "While it lasts."
    assert talker.ask("hi") != "While it lasts."


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda emulator: emulator.reply("hi"), "reply"),
        (lambda emulator: emulator.reply("hi", "a", tokens=["b"]), "tokens"),
        (lambda emulator: emulator.reply("hi", "a", mood="good"), "mood"),
        (lambda emulator: emulator.fault("explode"), "one of refuse"),
        (lambda emulator: emulator.fault("delay"), "seconds"),
        (lambda emulator: emulator.fault("drop", frame=3), "frame"),
        (lambda emulator: emulator.profile("no-such"), "no-such"),
        (lambda emulator: emulator.credit("no-such", 1), "no-such"),
        (lambda emulator: emulator.journal(kind="no-such"), "kind"),
        (lambda emulator: emulator.push({}, connection="no-such"), "no-such"),
        (lambda emulator: emulator.close(room="no-such"), "no socket is open in room no-such"),
        (lambda emulator: emulator.push({}), "no socket is open"),
    ],
)
def test_what_the_emulator_does_not_take_is_an_error_with_its_own_line(
    emulator: Emulator, ask: Callable[[Emulator], object], said: str
) -> None:
    with pytest.raises(EmulatorError, match=said) as raised:
        ask(emulator)
    assert "\n" not in str(raised.value)


# -- what goes wrong --------------------------------------------------------------------------------------------------


def test_a_fault_strikes_where_it_is_meant_to(emulator: Emulator, talker: Talker) -> None:
    fault = emulator.fault("drop", frame="think", room=talker.room, count=1)
    assert [frame["status"] for frame in talker.turn("hi")].count("think") == 1
    assert fault.strikes == 1
    (struck,) = emulator.journal(kind="fault", room=talker.room)
    assert (struck["fault"], struck["id"]) == ("drop", fault.id)
    with talking(emulator) as other:
        assert [frame["status"] for frame in other.turn("hi")].count("think") == 2


def test_a_fault_is_in_force_until_the_end_of_with(emulator: Emulator) -> None:
    with emulator.fault("refuse", status=429) as fault, pytest.raises(InvalidStatus, match="429"), talking(emulator):
        raise AssertionError("was not refused")
    assert fault.strikes == 1
    with talking(emulator) as talker:
        assert talker.ask("hi")
    fault.remove()
    assert fault.strikes == 1


def test_a_fault_takes_conditions_as_a_mapping_and_names_that_python_reserves(
    emulator: Emulator, talker: Talker
) -> None:
    emulator.fault("key-revoked", when={"message": re.compile("^revoke")}, as_="unknown")
    assert talker.turn("hi")[-1]["status"] == "END"
    assert talker.turn("revoke it")[0]["msg"] == "api_key is not exist"


def test_probability_and_skip_are_passed_on(emulator: Emulator, talker: Talker) -> None:
    emulator.fault("drop", frame="END", probability=0)
    fault = emulator.fault("end-twice", skip=1)
    assert [frame["status"] for frame in talker.turn("hi")][-2:] == ["think", "END"]
    assert fault.strikes == 0
    talker.turn("hi")
    assert talker.receive()["status"] == "END"
    assert fault.strikes == 1


def test_a_profile_is_in_force_until_the_end_of_with(emulator: Emulator) -> None:
    (known, *_) = (profile["name"] for profile in emulator.control.get("profiles")["profiles"])
    with emulator.profile(known):
        rules = emulator.control.get("faults")["faults"]
        assert rules
        assert all(rule["source"].startswith(f"profile:{known}") for rule in rules)
    assert not emulator.control.get("faults")["faults"]


# -- what happened ----------------------------------------------------------------------------------------------------


def test_the_journal_tells_both_directions(emulator: Emulator, talker: Talker) -> None:
    frames = talker.turn("hi")
    assert [entry["status"] for entry in emulator.frames(room=talker.room)] == [frame["status"] for frame in frames]
    (asked,) = emulator.frames(kind="in")
    assert (asked.type, asked["msg"], asked.room, asked.turn) == ("sendmsg", "hi", talker.room, None)
    assert asked["api_key"].endswith("…"), "a key stands in the journal"
    (opened,) = emulator.journal(kind="open")
    assert opened.connection == emulator.connections()[0].id
    with pytest.raises(ValueError, match="no frame"):
        opened.frame  # noqa: B018
    kinds = {entry.kind for entry in emulator.journal(kind=["open", "in"])}
    assert kinds == {"open", "in"}
    end = emulator.frames(type="END")[0]
    assert not emulator.frames(after=end)
    assert emulator.frames(text="<EOM>") == [end]


def test_a_long_journal_is_read_to_its_end(emulator: Emulator, talker: Talker, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = talker.turn("hi")
    monkeypatch.setattr("pytest_chldo.emulator.MOST", 3)
    assert len(emulator.frames()) == len(frames)


def test_waiting_finds_what_is_there_and_what_comes(emulator: Emulator, talker: Talker) -> None:
    talker.turn("hi")
    assert emulator.wait_for(type="START", room=talker.room)[0]["msg"] == "<SOM>"
    later = threading.Timer(0.2, talker.send, ("ho",))
    later.start()
    ends = emulator.wait_for(type="END", room=talker.room, count=2)
    later.join()
    assert [entry.type for entry in ends] == ["END", "END"]
    assert ends[0].seq < ends[1].seq
    assert emulator.wait_for(type="sendmsg", after=ends[0])[0]["msg"] == "ho"


def test_waiting_in_vain_tells_what_was_asked_what_came_near_and_the_last_frames(
    emulator: Emulator, talker: Talker
) -> None:
    talker.turn("hi there")
    with pytest.raises(AssertionError) as raised:
        emulator.wait_for(type="sendmsg", room="elsewhere", text="hi", timeout=0.1)
    lines = str(raised.value).splitlines()
    assert lines[0] == ("waited 0.1 s for an entry of the journal with type 'sendmsg', room 'elsewhere', text 'hi'")
    assert lines[1] == "nearest:"
    assert f"> sendmsg: room: wanted 'elsewhere', got '{talker.room}'" in lines[2]
    last = lines[lines.index("last frames:") + 1 :]
    assert re.search(r"^ +0\.000  open ", last[0])
    assert any("> sendmsg" in line and "hi there" in line for line in last)
    assert "< END" in last[-1]
    assert emulator.api_key not in str(raised.value)


def test_waiting_for_more_than_came_says_how_many_there_were(emulator: Emulator, talker: Talker) -> None:
    talker.turn("hi")
    with pytest.raises(AssertionError, match=r"^waited 0 s for 3 entries .* type 'think'; 2 came\nlast frames:"):
        emulator.wait_for(type="think", count=3, timeout=0)


def test_waiting_for_a_type_that_is_not_there_tells_which_are(emulator: Emulator, talker: Talker) -> None:
    talker.turn("hi")
    with pytest.raises(AssertionError, match=r"type: wanted 'start', there was .*'sendmsg', 'START', 'history'"):
        emulator.wait_for(type="start", timeout=0)


def test_waiting_where_nothing_happened_says_so(emulator: Emulator) -> None:
    with pytest.raises(AssertionError, match=r"nearest:\n  \(nothing\)\nlast frames:\n\(nothing\)$"):
        emulator.wait_for(type="END", timeout=0)


async def test_an_async_test_waits_in_a_thread(emulator: Emulator) -> None:
    room = emulator.room()
    async with connect(emulator.ws_url(room), compression=None) as socket:
        told = asyncio.create_task(asyncio.to_thread(emulator.wait_for, kind="in", room=room))
        await socket.send("no JSON")
        assert (await told)[0].text == "no JSON"
        with pytest.raises(AssertionError, match=r"hint: .*await asyncio.to_thread\(emulator.wait_for"):
            emulator.wait_for(type="END", timeout=0)


def test_a_run_of_frames_alike_is_shown_by_its_ends(emulator: Emulator, talker: Talker) -> None:
    emulator.reply("hi", tokens=[f"token {number} " for number in range(30)])
    talker.turn("hi")
    shown = "\n".join(emulator.last_frames())
    assert "… 28 more < stream" in shown
    assert "token 0 " in shown
    assert "token 29 " in shown
    assert "token 7 " not in shown


# -- what it does by hand ---------------------------------------------------------------------------------------------


def test_connections_are_told_pushed_to_and_closed(emulator: Emulator, talker: Talker) -> None:
    with talking(emulator) as other:
        (one,) = emulator.connections(talker.room)
        assert (one.wire, one.room, one.user, one.frames_in) == ("chldo", talker.room, "tester", 0)
        assert len(emulator.connections()) == 2
        emulator.push({"status": "news"}, room=talker.room)
        assert talker.receive() == {"status": "news"}
        emulator.push("plain text", connection=one.id)
        assert talker.socket.recv(5) == "plain text"
        emulator.close(room=talker.room, code=4001, reason="enough")
        with pytest.raises(ConnectionClosed) as closed:
            talker.socket.recv(5)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "enough")
        assert other.ask("hi")
    emulator.wait_for(kind="close", count=2)
    assert not emulator.connections()


def test_credit_is_set(emulator: Emulator, talker: Talker) -> None:
    emulator.credit(emulator.space, 99)
    (failure,) = (frame for frame in talker.turn("hi") if frame["msgtype"] == "error")
    assert "현재 크레딧은 99" in failure["msg"]


def test_the_clock_is_frozen_advanced_and_set(emulator: Emulator, talker: Talker) -> None:
    emulator.clock.set(datetime(2025, 1, 2, 3, 4))
    assert emulator.clock.now() == datetime(2025, 1, 2, 3, 4, tzinfo=UTC)
    emulator.clock.set("2024-12-24T18:00:00Z")
    emulator.clock.advance(60)
    assert emulator.clock.now() == datetime(2024, 12, 24, 18, 1, tzinfo=UTC)
    for never in (datetime(1969, 12, 31), datetime(2263, 1, 1), datetime.max):
        with pytest.raises(EmulatorError, match="instant: expected a moment from 1970-01-01"):
            emulator.clock.set(never)
    with pytest.raises(EmulatorError, match="seconds: Input should be less than"):
        emulator.clock.advance(1e12)
    emulator.reply("hi", tokens=["one", "two"], pace=1)
    emulator.clock.freeze()
    talker.send("hi")
    emulator.wait_for(type="stream", text="one")
    assert not emulator.frames(type="stream", text="two")
    emulator.clock.advance(1)
    emulator.wait_for(type="END")
    emulator.clock.run()


def test_a_snapshot_brings_the_state_back(emulator: Emulator, talker: Talker) -> None:
    emulator.reply("hi", "The first.", turn=1)
    emulator.reply("hi", "The second.", turn=2)
    snapshot = emulator.snapshot()
    assert talker.ask("hi") == "The first."
    emulator.credit(emulator.space, 0)
    emulator.restore(snapshot)
    assert talker.ask("hi") == "The first."
    assert talker.ask("hi") == "The second."


def test_a_reset_of_a_room_leaves_the_others(emulator: Emulator, talker: Talker) -> None:
    emulator.reply("hi", "The first.", turn=1)
    emulator.reply("hi", "The second.", turn=2)
    with talking(emulator) as other:
        assert [talker.ask("hi"), other.ask("hi")] == ["The first.", "The first."]
        emulator.reset(room=talker.room)
        assert [talker.ask("hi"), other.ask("hi")] == ["The first.", "The second."]


def test_what_a_reset_took_away_can_be_removed_without_harm(emulator: Emulator) -> None:
    fault, reply, snapshot = emulator.fault("drop"), emulator.reply("hi", "a"), emulator.snapshot()
    emulator.reset()
    for handle in (fault, reply, snapshot):
        handle.remove()
    assert fault.strikes == 0


def test_helpers_work_from_several_threads(emulator: Emulator) -> None:
    found: list[list[Entry]] = []
    waits = [threading.Thread(target=lambda: found.append(emulator.wait_for(kind="open", count=3))) for _ in range(8)]
    for wait in waits:
        wait.start()
    with talking(emulator), talking(emulator), talking(emulator):
        for wait in waits:
            wait.join(30)
    assert [len(entries) for entries in found] == [3] * 8
