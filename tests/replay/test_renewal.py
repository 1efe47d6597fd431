"""What is new in an answer that is given again, and what is not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.emulation.determinism import Ids
from app.emulation.replay.library import TapeLibrary, Wire
from app.emulation.replay.matching import asked
from app.emulation.replay.renewal import Known, values_of
from app.emulation.tapes import Tape
from tests.replay.sessions import STARTED, Json, tape

URL = "https://voice.example/v/ROOM0001/sent0000000000000001.mp3?Expires=1700003600&Signature=redacted-signature-1x344&Key-Pair-Id=KX12RGNKWPA4Y"


def played(
    tapes: Sequence[Tape],
    *asks: Json,
    wire: Wire | None = None,
    now: float = STARTED + 1000,
    known: Known | None = None,
) -> list[list[Any]]:
    """The answers of the first tape's exchanges, given to these requests on one connection."""
    library = TapeLibrary(tapes, wire or Wire())
    known = known or Known(here="http://here:1")
    ids = Ids.seeded(7)
    answers = []
    cutter = library.reels[0].cutter
    for script, ask in zip(map(cutter.script, range(1, len(asks) + 1)), asks, strict=True):
        identity = asked(json.dumps(ask)).identity
        values = values_of(script, identity, known, ids, now)
        texts = [
            line.message
            if isinstance(line.message, str)
            else "".join(
                values[piece] if isinstance(piece, int) else piece
                for piece in line.message
                if isinstance(piece, int | str)
            )
            for line in script.lines
        ]
        answers.append([json.loads(text) for text in texts])
    return answers


ASK: Json = {"say": "hi", "room_uid": "ROOM0001"}


def test_an_identifier_is_the_same_new_one_throughout_an_answer_and_another_in_the_next() -> None:
    lines = [("<", n, {"stream_uid": f"stream{turn}AbCdEf12", "n": n}) for turn in (1, 2) for n in (1, 2)]
    one, two = played([tape((">", 0, ASK), *lines[:2], (">", 5, ASK), *lines[2:])], ASK, ASK)
    assert one[0]["stream_uid"] == one[1]["stream_uid"] != two[0]["stream_uid"] == two[1]["stream_uid"]
    assert "stream1AbCdEf12" not in json.dumps([one, two])


def test_an_identifier_of_the_connection_lasts_and_is_one_for_all_tapes() -> None:
    line = {"connection_id": "fO4rVc0XIE0CIyQ="}
    other = {"connection_id": "dHB2vcYVIE0CI3Q="}
    tapes = [tape((">", 0, ASK), ("<", 1, line)), tape((">", 0, ASK), ("<", 1, other), name="u")]
    known = Known()
    first = played(tapes, ASK, known=known)
    second = played(tapes[::-1], ASK, known=known)
    assert first == second
    assert first[0][0]["connection_id"] not in ("fO4rVc0XIE0CIyQ=", "dHB2vcYVIE0CI3Q=")


def test_what_several_tapes_have_in_common_and_what_is_named_stays() -> None:
    lines = [{"hotword_uid": "d3609c2758b7aa6b9", "memory_uid": f"memory{n}AbCdEf99"} for n in (1, 2)]
    tapes = [tape((">", 0, ASK), ("<", 1, line), name=str(n)) for n, line in enumerate(lines)]
    assert played(tapes, ASK)[0][0]["hotword_uid"] == "d3609c2758b7aa6b9"
    kept = played(tapes[:1], ASK, wire=Wire(kept=frozenset(["memory_uid"])))[0][0]
    assert kept["memory_uid"] == "memory1AbCdEf99"
    assert kept["hotword_uid"] != "d3609c2758b7aa6b9"


def test_what_the_client_gives_is_given_back_wherever_it_stood() -> None:
    line = {"room_uid": "ROOM0001", "url": "https://h/ROOM0001/x", "user": {"user_id": 7}, "note": "7 of ROOM0001x"}
    ask = {**ASK, "user_id": 7}
    ((answer,),) = played([tape((">", 0, ask), ("<", 1, line))], {**ASK, "user_id": 'anna "b"', "room_uid": "OTHER\\1"})
    assert answer == {
        "room_uid": "OTHER\\1",
        "url": "https://h/OTHER\\1/x",
        "user": {"user_id": 'anna "b"'},
        "note": "7 of ROOM0001x",
    }


def test_what_the_url_gave_is_given_back_if_no_request_says_otherwise() -> None:
    lines = (("<", 0.5, {"room_uid": "ROOM0001"}), (">", 1, {"say": "hi"}), ("<", 2, {"room_uid": "ROOM0001"}))
    library = TapeLibrary([tape(*lines)], Wire())
    known = Known({"room_uid": "FROMTHEURL"})
    for script in map(library.reels[0].cutter.script, (0, 1)):
        assert values_of(script, {}, known, Ids.seeded(1), 0.0) == ['"FROMTHEURL"']


def test_times_are_as_long_after_the_request_as_they_were() -> None:
    line = {
        "cAt": "1700000001.500000",
        "created": 1700000002,
        "when": "2023-11-14T22:13:23Z",
        "total_time": 3,
        "msg": "1700000001",
    }
    ((answer,),) = played([tape((">", 1, ASK), ("<", 2, line))], ASK, now=STARTED + 1001)
    assert answer == {
        "cAt": "1700001001.500000",
        "created": 1700001002,
        "when": "2023-11-14T22:30:03Z",
        "total_time": 3,
        "msg": "1700000001",
    }


def test_without_a_start_times_count_from_the_first() -> None:
    line = {"cAt": "1700000005.5", "expires": 1700003605}
    ((answer,),) = played([tape((">", 1, ASK), ("<", 2, line), started=None)], ASK, now=1_800_000_000.0)
    assert answer == {"cAt": "1800000000.0", "expires": 1800003599}


def test_a_voice_on_the_tape_is_served_here_under_new_identifiers() -> None:
    line = {"sent_uid": "sent0000000000000001", "voice_url": URL}
    made = tape((">", 0, ASK), ("<", 1, line), files={URL: Path("a.mp3")})
    ((answer,),) = played([made], {**ASK, "room_uid": "OTHERROOM"})
    url = answer["voice_url"]
    assert url.startswith(f"http://here:1/v/OTHERROOM/{answer['sent_uid']}.mp3?Expires=1700004600&Signature=")
    assert len(url.partition("Signature=")[2].partition("&")[0]) == 344
    assert url.endswith("&Key-Pair-Id=KX12RGNKWPA4Y")
    ((elsewhere,),) = played([tape((">", 0, ASK), ("<", 1, line))], ASK)
    assert elsewhere["voice_url"].startswith("https://voice.example/v/ROOM0001/")


def test_every_other_character_stays() -> None:
    line = '{ "b" : 1.50 , "id":"abc123def456" ,"a":"\\u00e9\\/" , "e":1E2}'
    library = TapeLibrary([tape((">", 0, ASK), ("<", 1, line))], Wire())
    script = library.reels[0].cutter.script(1)
    message = script.lines[0].message
    assert isinstance(message, tuple)
    assert "".join(piece if isinstance(piece, str) else "abc123def456" for piece in message) == line


def test_a_message_with_nothing_to_renew_is_one_text() -> None:
    library = TapeLibrary([tape((">", 0, ASK), ("<", 1, {"text": "가"}), ("<", 2, "no JSON"), ("<", 3, b"\0"))], Wire())
    assert [line.message for line in library.reels[0].cutter.script(1).lines] == ['{"text": "가"}', "no JSON", b"\0"]


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from([URL, "ROOM0001"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "room_uid", "cAt", "url", "x"]) | st.text(max_size=3), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from(["id", "user_id", "cAt", "a"]), anything), max_size=3), anything)
def test_any_tape_is_replayed_as_valid_json_of_the_same_shape(lines: list[Json], given_now: Any) -> None:
    said = [("<", float(n), line) for n, line in enumerate(lines)]
    ask = {**ASK, "extra": {"user_id": given_now if isinstance(given_now, str | int) else "u"}}
    (answer,) = played([tape((">", 0, ask), *said)], {**ASK, "extra": {"user_id": given_now}})
    assert len(answer) == len(lines)
    assert [sorted(map(str, line)) for line in answer] == [sorted(map(str, line)) for line in lines]
