"""What is said in conversations: messages, reactions, streams, artifacts, and who hears of them. PURE.

A probe does things over HTTP and over the sockets of a person and an agent; both ends are held against that. Numbers,
streams and reactions are also judged where somebody only listened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from app.contract.checks.rules import Breach, Sights
from app.contract.hashee.reading import AGENT, PERSON, STREAMLESS, Deed, Evidence, Talk, Told

ENDS = ("stream.done", "stream.abort", "stream.error")
STATES = ("delivered", "read")


def _says(frame: Told, wanted: Mapping[str, Any]) -> bool:
    return all(frame.inner.get(key) == value for key, value in wanted.items())


def _once(talk: Talk, kind: str, which: Mapping[str, Any], wanted: Mapping[str, Any]) -> Breach | None:
    """None where just one frame of the kind is of `which`, and it says what is wanted."""
    found = [frame for frame in talk.of(kind) if _says(frame, which)]
    if len(found) != 1:
        return talk.breach(found[-1] if found else None, f"{kind}, once", f"{len(found)} times")
    wrong = {key: found[0].inner.get(key) for key, value in wanted.items() if found[0].inner.get(key) != value}
    shown = ", ".join(f"{key} {wanted[key]!r}" for key in wrong)
    return talk.breach(found[0], f"{kind} with {shown}"[:300], str(wrong)[:300]) if wrong else None


def _sent(seen: Evidence) -> Iterator[Deed]:
    """Messages that were sent for the first time."""
    return (deed for deed in seen.did("send") if deed.name != "send again")


def numbers_go_up_by_one(seen: Evidence) -> Sights:
    for talk in seen.talks:
        frames = talk.of("message.new", "message.ack", "stream.done")
        # Where it is not known to which conversation an acknowledgment belongs, numbers may seem to be left out.
        whole = all(_place(seen, frame) for frame in frames)
        last: dict[str, int] = {}
        for frame in frames:
            place, number = _place(seen, frame), frame.inner.get("conversation_seq")
            if not place or type(number) is not int:
                continue
            before = last.get(place)
            last[place] = number
            if before is not None:
                right = number == before + 1 if whole else number > before
                yield None if right else talk.breach(frame, f"conversation_seq {before + 1}", str(number))


def _place(seen: Evidence, frame: Told) -> str:
    told = frame.inner.get("conversation_id") or seen.places.get(str(frame.inner.get("message_id")), "")
    return str(told)


def senders_get_an_ack(seen: Evidence) -> Sights:
    for deed in _sent(seen):
        talk = seen.talk(deed.who)
        if talk is not None:
            wanted = {
                "client_message_id": deed.asked.get("client_message_id"),
                "conversation_seq": deed.data.get("conversation_seq"),
            }
            yield _once(talk, "message.ack", {"message_id": deed.data.get("message_id")}, wanted)


def others_get_the_message(seen: Evidence) -> Sights:
    for deed in _sent(seen):
        message = {"message_id": deed.data.get("message_id")}
        for name, talk in seen.both():
            if name == deed.who:
                own = next((frame for frame in talk.of("message.new") if _says(frame, message)), None)
                yield None if own is None else talk.breach(own, "no message.new to its sender", "message.new")
            else:
                wanted = {key: deed.asked[key] for key in ("content_type", "encrypted_payload")}
                wanted |= {"sender_type": "agent" if deed.who == AGENT else "human"}
                wanted |= {"conversation_seq": deed.data.get("conversation_seq")}
                yield _once(talk, "message.new", message, wanted)


def again_changes_nothing(seen: Evidence) -> Sights:
    first = {(deed.who, deed.asked.get("client_message_id")): deed for deed in _sent(seen)}
    for deed in seen.did("send again"):
        before = first.get((deed.who, deed.asked.get("client_message_id")))
        if before is not None:
            yield None if deed.data == before.data else deed.breach(str(before.data), str(deed.data))


def states_go_forward(seen: Evidence) -> Sights:
    for talk in seen.talks:
        states: dict[object, int] = {}
        for frame in talk.of("message.status_updated"):
            message, status = frame.inner.get("message_id"), frame.inner.get("status")
            if not isinstance(message, str) or status not in STATES:
                continue
            before, now = states.get(message, -1), STATES.index(str(status))
            states[message] = now
            told = STATES[before] if before >= 0 else "sent"
            yield None if now > before else talk.breach(frame, f"a state after {told}", str(status))


def senders_hear_of_delivery(seen: Evidence) -> Sights:
    for deed in _sent(seen):
        talk = seen.talk(deed.who)
        if talk is not None and len(seen.both()) == 2:
            which = {"message_id": deed.data.get("message_id"), "status": "delivered"}
            yield _once(talk, "message.status_updated", which, {"conversation_seq": deed.data.get("conversation_seq")})


def reading_is_told(seen: Evidence) -> Sights:
    for deed in seen.did("read"):
        for _, talk in seen.both():
            yield _once(talk, "message.read", deed.data, {})


def recalls_are_told(seen: Evidence) -> Sights:
    for deed in seen.did("recall"):
        message = deed.data.get("message_id")
        about = {"conversation_id": seen.places.get(str(message)), "recalled_by": _sender(seen, str(message))}
        wanted = {key: value for key, value in about.items() if value is not None}
        for _, talk in seen.both():
            yield _once(talk, "message.recalled", {"message_id": message}, wanted)


def _sender(seen: Evidence, message: str) -> object:
    """Who has sent a message, by the frame that told of it."""
    told = (
        frame.inner.get("sender_id") for _, frame in seen.frames("message.new") if _says(frame, {"message_id": message})
    )
    return next(told, None)


def reactions_are_whole(seen: Evidence) -> Sights:
    for talk, frame in seen.frames("reaction.update"):
        found = frame.inner.get("reactions")
        entries = found if isinstance(found, list) else []
        names = [one.get("emoji") for one in entries if isinstance(one, dict)]
        right = isinstance(found, list) and len(set(map(str, names))) == len(entries) and all(map(_is_whole, entries))
        yield None if right else talk.breach(frame, "each emoji once, with all who gave it", str(found)[:300])


def _is_whole(entry: object) -> bool:
    if not isinstance(entry, dict) or tuple(entry) != ("emoji", "count", "user_ids"):
        return False
    ids = entry["user_ids"]
    return isinstance(ids, list) and bool(ids) and len(set(map(str, ids))) == len(ids) == entry["count"]


def reactions_are_told(seen: Evidence) -> Sights:
    """Each change of a message's reactions to everybody, in order, as the one who made it is answered."""
    deeds = seen.did("react")
    for _, talk in seen.both():
        told = [frame for frame in talk.of("reaction.update") if frame.inner.get("message_id") in _ids(deeds)]
        for number, deed in enumerate(deeds):
            frame = told[number] if number < len(told) else None
            wanted = deed.data.get("reactions")
            got = None if frame is None else frame.inner.get("reactions")
            yield None if got == wanted else talk.breach(frame, str(wanted)[:300], str(got or "nothing")[:300])


def _ids(deeds: list[Deed]) -> set[object]:
    return {deed.data.get("message_id") for deed in deeds}


def _streams(talk: Talk, *, client: bool = False) -> dict[str, list[Told]]:
    """The frames of each stream on a connection, from one side."""
    found: dict[str, list[Told]] = {}
    for frame in talk.frames:
        stream = frame.inner.get("stream_id")
        if (
            frame.client == client
            and frame.type.startswith("stream.")
            and isinstance(stream, str)
            and STREAMLESS not in frame.marks
        ):
            found.setdefault(stream, []).append(frame)
    return found


def streams_have_an_order(seen: Evidence) -> Sights:
    """start, deltas, one end. Streams that had begun before are left out, and the agent's own sockets."""
    begun = {stream for talk in seen.talks for stream in _streams(talk, client=True)}
    for talk in seen.talks:
        own = _streams(talk, client=True)
        for stream, frames in _streams(talk).items():
            kinds = [frame.type for frame in frames]
            if stream in own or (stream not in begun and kinds[0] != "stream.start"):
                continue
            between = kinds[1:-1] if kinds[-1] in ENDS else kinds[1:]
            right = kinds[0] == "stream.start" and set(between) <= {"stream.delta"}
            right = right and (kinds[-1] in ENDS or stream not in begun)
            yield None if right else talk.breach(frames[-1], "start, deltas, one end", ", ".join(kinds)[:300])


def streams_come_whole(seen: Evidence) -> Sights:
    """What an agent says piece by piece is what people hear, of the same conversation."""
    agent, person = seen.talk(AGENT), seen.talk(PERSON)
    if agent is None or person is None or not agent.watched:
        return
    heard = _streams(person)
    for stream, asked in _streams(agent, client=True).items():
        wanted = [_piece(frame) for frame in asked]
        got = [_piece(frame) for frame in heard.get(stream, [])]
        yield None if got == wanted else person.breach(None, str(wanted)[:300], str(got)[:300])


def _piece(frame: Told) -> tuple[object, ...]:
    return frame.type, frame.inner.get("conversation_id"), frame.inner.get("encrypted_payload")


def streams_are_kept(seen: Evidence) -> Sights:
    """`stream.done` is a message with the id and the number of the agent's `message.ack`."""
    agent, person = seen.talk(AGENT), seen.talk(PERSON)
    if agent is None or person is None or not agent.watched:
        return
    for frames in _streams(agent, client=True).values():
        done = frames[-1]
        client_id = done.inner.get("client_message_id")
        if done.type != "stream.done" or client_id is None:
            continue
        ack = next((one for one in agent.of("message.ack") if one.inner.get("client_message_id") == client_id), None)
        if ack is None:
            yield agent.breach(done, "message.ack", "nothing")
            continue
        which = {"stream_id": done.inner.get("stream_id")}
        wanted = {key: ack.inner.get(key) for key in ("message_id", "conversation_seq")}
        yield _once(person, "stream.done", which, wanted)


def answers_reach_the_agent(seen: Evidence) -> Sights:
    agent = seen.talk(AGENT)
    for deed in seen.did("artifact answer") if agent is not None else ():
        assert agent is not None
        wanted = {key: deed.asked.get(key) for key in ("ref_action", "based_on_revision", "values")}
        wanted["ref_artifact"] = deed.data.get("artifact_id")
        yield _once(agent, "artifact_response", {"message_id": deed.data.get("message_id")}, wanted)


def updates_reach_people(seen: Evidence) -> Sights:
    person = seen.talk(PERSON)
    for deed in seen.did("artifact update") if person is not None else ():
        assert person is not None
        which = {"ref_artifact": deed.data.get("artifact_id")}
        yield _once(person, "artifact_update", which, {"encrypted_payload": deed.asked.get("encrypted_payload")})
