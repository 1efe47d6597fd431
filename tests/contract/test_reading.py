"""Frames are given to the request that they answer, also when turns overlap or something is wrong with them."""

from __future__ import annotations

import json
from typing import Any

from app.contract.checks.recordings import Recording
from app.contract.checks.rules import judge
from app.contract.chldo.believing import believe
from app.contract.chldo.frames import Connection
from app.contract.chldo.reading import connection_of, gather
from app.contract.chldo.rules import RULES
from app.contract.chldo.sentences import cut, said, sentences_of
from app.contract.chldo.words import R4, R6, R7, R9, REVISIONS
from app.emulation.tapes import Tape, TapeFrame

Json = dict[str, Any]
ID = "ArIz-dpIoE0CEeg="


def ask(**fields: Any) -> Json:
    return {"action": "sendmsg", "api_key": "k", "room_uid": "room", "user_id": "u", "msg": "안녕", **fields}


def frame(status: str, stream: str = "", **fields: Any) -> Json:
    extra = {"stream_uid": stream} if stream else {}
    return {"status": status, "connection_id": ID, **extra, **fields}


def refusal(msg: str) -> Json:
    return {"status": "connected", "connection_id": ID, "msg": msg, "msgtype": "error"}


def token(stream: str, text: str, sent_uid: str = "s") -> Json:
    data = {"chunk": {"content": text}}
    return frame("stream", stream, sent_uid=sent_uid, event="on_chat_model_stream", data=data, msg=text)


def recorded(*messages: Json) -> Recording:
    """Requests are told by their `action`."""
    frames = [
        TapeFrame("client" if "action" in one else "server", float(n), json.dumps(one), None)
        for n, one in enumerate(messages)
    ]
    return Recording(Tape("one", "", tuple(frames)))


def read(*messages: Json, revision: str = R9) -> Connection:
    return connection_of(recorded(*messages), REVISIONS[revision])


def kinds(connection: Connection) -> list[str]:
    return [" ".join(exchange.kinds) for exchange in connection.exchanges]


def test_turns_that_overlap_are_told_apart_by_their_stream_uid() -> None:
    a, b = "a" * 25, "b" * 25
    found = read(
        *(ask(), ask(room_uid="other")),
        *(frame("START", a, room_uid="room"), frame("START", b, room_uid="other")),
        *(token(b, "나"), token(a, "가"), frame("END", b), token(a, "다"), frame("END", a)),
    )
    assert kinds(found) == ["START token token END", "START token END"]
    assert all(exchange.over and exchange.began and not exchange.tangled for exchange in found.exchanges)


def test_a_start_goes_to_the_request_of_its_room() -> None:
    found = read(ask(), ask(room_uid="other"), frame("START", "b" * 25, room_uid="other"))
    assert kinds(found) == ["", "START"]


def test_turns_that_overlap_before_r6_are_tangled_and_each_has_its_start_and_end() -> None:
    found = read(
        *(ask(), ask(), frame("START"), frame("START"), frame("received"), frame("think"), frame("END"), frame("END")),
        revision=R4,
    )
    assert all(exchange.tangled and exchange.over for exchange in found.exchanges)
    assert [exchange.kinds.count("END") for exchange in found.exchanges] == [1, 1]


def test_events_of_r1_are_told_apart_by_their_run() -> None:
    def event(root: str, name: str, *parents: str) -> Json:
        return {
            "event": name,
            "data": {},
            "run_id": root if not parents else "x",
            "parent_ids": list(parents),
            "tags": [],
        }

    found = read(
        *({"action": "sendmsg", "org_id": "o", "room_uid": "r", "user_id": "u", "msg": "m"} for _ in range(2)),
        *(event("one", "on_chain_start"), event("two", "on_chain_start"), event("two", "on_chain_start", "two")),
        *(event("one", "on_chain_end"), event("two", "on_chain_end")),
        revision="2024-07-01",
    )
    assert [len(exchange.frames) for exchange in found.exchanges] == [2, 3]
    assert all(exchange.over and not exchange.tangled for exchange in found.exchanges)


def test_turns_that_overlap_in_a_room_need_not_count_one_another() -> None:
    def turn(root: str, step: int) -> list[Json]:
        tags = [f"graph:step:{3 * step + 1}"]
        start = {"event": "on_chain_start", "data": {}, "run_id": root, "parent_ids": [], "tags": []}
        inside = {"event": "on_chain_start", "data": {}, "run_id": "n", "parent_ids": [root], "tags": tags}
        return [start, inside, {**start, "event": "on_chain_end"}]

    def outcome(*messages: Json) -> str:
        return judge(steps, gather([recorded(*messages)], "2024-07-01", {})).outcome

    steps = next(rule for rule in RULES if rule.id == "events.steps")
    request = {"action": "sendmsg", "org_id": "o", "room_uid": "r", "user_id": "u", "msg": "m"}
    one, again, two = turn("one", 0), turn("two", 0), turn("two", 1)
    assert outcome(request, *one, request, *two) == "passed"
    assert outcome(request, *one, request, *again) == "failed"
    assert outcome(request, request, one[0], again[0], *one[1:], *again[1:]) == "passed"


def test_a_refusal_while_a_turn_runs_is_no_failure_of_the_turn() -> None:
    a = "a" * 25
    silent = ask()
    del silent["user_id"]
    found = read(ask(), frame("START", a), silent, refusal("user_id is required"), token(a, "가"), frame("END", a))
    assert kinds(found) == ["START token END", "error"]
    assert not found.exchanges[0].failed


def test_an_error_in_a_turn_is_its_failure() -> None:
    a = "a" * 25
    found = read(ask(), frame("START", a), refusal("Error code: 500 - x"), frame("think", a), frame("END", a))
    assert found.exchanges[0].failed


def test_a_second_end_and_a_second_refusal_belong_to_what_they_repeat() -> None:
    for revision, stream in ((R9, "a" * 25), (R4, "")):
        found = read(
            ask(),
            frame("START", stream),
            frame("END", stream),
            {"action": "status"},
            frame("END", stream),
            revision=revision,
        )
        assert kinds(found) == ["START END END", ""]
    nobody = {"action": "sendmsg"}
    found = read(nobody, refusal("api_key is required"), {"action": "status"}, refusal("api_key is required"))
    assert kinds(found) == ["error error", ""]


def test_frames_before_the_first_request_are_unasked() -> None:
    found = read(frame("START"), {"action": "status"}, {"status": "connected", "connection_id": ID, "msgtype": "info"})
    assert [one.kind for one in found.unasked] == ["START"]
    assert kinds(found) == ["status"]


def test_a_turn_that_is_cut_off_by_the_end_of_a_tape_has_not_missed_its_end() -> None:
    recording = recorded(ask(), frame("START", "a" * 25), token("a" * 25, "가"))
    seen = gather([recording], R9, {})
    end = next(rule for rule in RULES if rule.id == "order.end")
    assert judge(end, seen).outcome == "skipped"
    watched = gather([Recording(recording.tape, {}, watched=True)], R9, {})
    assert judge(end, watched).outcome == "failed"


def test_what_a_revision_does_to_sentences_is_undone() -> None:
    def of(revision: str, *pieces: tuple[str, str]) -> list[str]:
        turn = read(ask(), frame("START", "a" * 25), *(token("a" * 25, text, uid) for text, uid in pieces)).exchanges[0]
        return said(sentences_of(turn, REVISIONS[revision]), REVISIONS[revision])

    whole = ["정말 만나서 반갑습니다.", " 오늘은 무엇을 도와드릴까요?"]
    assert of(R9, (whole[0], "1"), (whole[1], "2")) == whole
    assert of(R6, ("정말 만나서 반갑습니다", "1"), (whole[1], "2")) == whole
    assert of(R7, (whole[0], "1"), (" ", "1"), (whole[1], "2"), (" ", "2")) == whole
    assert cut("".join(whole)) == whole


def test_a_revision_is_believed_although_one_frame_is_wrong() -> None:
    a = "a" * 25
    good = [
        frame("START", a, scene_number=1, room_uid="room"),
        frame("history", a, scene_number=1),
        frame("END", a, scene_number=1),
    ]
    odd = token(a, "가")  # without its scene_number, as in 2024-10-06
    belief = believe([recorded(ask(use_choices=1), *good[:2], odd, frame("choices", a), good[2])])
    assert (belief.revision, belief.also) == (R9, ())
    assert "choices" in belief.because


def test_nothing_is_believed_of_frames_that_do_not_tell() -> None:
    belief = believe([recorded({"action": "status"}, {"status": "connected", "connection_id": ID, "msgtype": "info"})])
    assert (belief.revision, belief.because) == ("", ())
