"""Asks a server of the chldo wire everything its rules need, in as few turns as that takes.

status, greeting without a key            free; is it this wire at all?
one message with voices                   1 turn; which revision is it?
then at once:
  stream 0, then the room again           2 turns, one after the other, in the room of the first
  two messages at once, and a third       3 turns, on two sockets of another room
  greetings                               2, with and without voice
  refusals, Forbidden, large messages     free
  --say, --failing-key                    1 turn each
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from app.chat.address import Address, ChatMisuse, fresh_room
from app.contract.checks.rig import Line, Misuse, Plan, Rig
from app.contract.chldo.believing import believe
from app.contract.chldo.frames import TURN_KINDS, Frame
from app.contract.chldo.reading import frames_of
from app.contract.chldo.waiting import FirstFrame, FlatTurn, Kind, Turns, speaks
from app.contract.chldo.words import FRAME_LIMIT, MESSAGE_LIMIT, R4, R7, R9, REVISIONS, V1, VOICE_URL
from app.emulation.tapes import TapeFrame

USER: Final = "contract-check"
FIRST, WHOLE, AGAIN = "내 이름은 이세종이다", "안녕하세요", "안녕 반가워요"
"""What is said; the first and the last are the documents' own examples, whose replies have several sentences."""
FLAT_PAUSE: Final = 1.0
"""Seconds without a frame that end a turn of 2023-12-28."""
LULL: Final = 0.1
"""Seconds after the connect in which nothing may be pushed."""
MOST_VOICES: Final = 6
"""Voices that are fetched at the most."""
FAR_SCENE: Final = 3
PART: Final = 20_000
"""Bytes of one frame of a message that is sent in several."""

_TURN_FEEDS: Final = [
    "order",
    "keys",
    "texts",
    "ids",
    "echo",
    "times",
    "events",
    "tokens",
    "sentences",
    "quirks",
    "voices",
    "choices",
    "hotwords",
    "reconnection",
    "wire",
]


async def probe(rig: Rig, plan: Plan) -> None:
    """Asks; the recordings and downloads are in the rig afterwards. Raises `NoConnection` and `Misuse`."""
    try:
        address = Address.of(plan.url)
    except ChatMisuse as error:
        raise Misuse(str(error)) from None
    rig.local = address.local
    await _Probing(rig, plan, address).run()


class _Probing:
    """One check under way."""

    def __init__(self, rig: Rig, plan: Plan, address: Address) -> None:
        self._rig = rig
        self._plan = plan
        self._address = address
        self._org_id = plan.org_id
        self._pushes = False  # whether frames come that nobody asked for
        self._fenced = True  # whether status is answered, so that it marks the end of what came before
        self._revision = REVISIONS[plan.revision or (V1 if address.flat else R9)]

    async def run(self) -> None:
        hello, room = await self._hello()
        plan = self._plan
        turns = plan.wanted & {*_TURN_FEEDS, "concurrency"}
        taken = True
        if turns or not plan.revision:
            taken = await self._first(hello, room)
        if not any(speaks(frame.text) for one in self._rig.recordings for frame in one.tape.frames if _heard(frame)):
            self._rig.notes.append("nothing that came back is of the chldo wire, so no more was tried")
            return
        if not taken:
            self._rig.notes.append("no turn came of the first message, so no more were tried")
        async with asyncio.TaskGroup() as group:
            if self._plan.wants("refusal", "forbidden", "keys", "wire", "ids"):
                group.create_task(self._refusals())
            if self._plan.wants("limits"):
                group.create_task(self._limits())
            if taken:
                self._turns(group, hello, room)
        if self._plan.wants("voices"):
            await self._fetch()

    def _turns(self, group: asyncio.TaskGroup, hello: Line, room: str) -> None:
        plan, revision = self._plan, self._revision
        if plan.wants("concurrency") and not revision.flat:
            group.create_task(self._together())
        if plan.wants("greeting", "keys", "texts", "ids", "echo", "times", "voices") and revision.id >= R4:
            group.create_task(self._greetings())
        if not plan.wanted & set(_TURN_FEEDS):
            return
        group.create_task(self._again(hello, room))
        for text in plan.say:
            group.create_task(self._said(text))
        for key in plan.failing_keys if "api_key" in revision.requires else ():
            group.create_task(self._failing(key))

    # -- one after the other ------------------------------------------------------------------------------------------

    async def _hello(self) -> tuple[Line, str]:
        room = await self._room()
        line = await self._rig.line("first", self._url(room))
        self._pushes = await line.lull(LULL)
        await line.send(_text({"action": "status"}))
        await line.until(FirstFrame())
        self._fenced = any(frame.kind == "status" for frame in frames_of(line.recording()))
        if line.open and self._fenced and not self._address.flat:
            await line.send(_text({"action": "greeting"}))  # refused or forbidden: which of the two tells the revision
            await line.until(FirstFrame())
        return line, room

    async def _first(self, line: Line, room: str) -> bool:
        """The first message; whether a turn came of it."""
        for _ in range(3):
            ask = self._message(FIRST, room, return_voice=self._voice)
            frames = await self._ask(line, ask, "good", "fresh")
            told = next((frame for frame in frames if frame.kind in ("error", "Forbidden")), None)
            began = any(frame.kind in TURN_KINDS for frame in frames)
            if not self._plan.revision:
                belief = believe(self._rig.recordings)
                self._revision = REVISIONS[belief.revision or self._revision.id]
            if began or told is None or not line.open:
                return began
            if told.kind == "Forbidden" and self._revision.action != ask["action"]:
                continue
            if told.get("msg") == "org_id is required" and "org_id" not in ask:
                self._org_id = self._org_id or "org_contract_check"
                continue
            if told.get("msg") == "api_key is required" and not self._plan.api_key:
                raise Misuse("the server asks for an api_key; give one with --api-key or CHLDO_API_KEY")
            return False
        return False

    async def _again(self, line: Line, room: str) -> None:
        """The room of the first turn: a whole reply that leaves no trace, then back on a new socket."""
        plan, revision = self._plan, self._revision
        if plan.wants("tokens", "echo") and not revision.flat and line.open:
            whole = self._message(WHOLE, room, stream=0, no_save=1, no_history=1, return_voice=0)
            await self._ask(line, whole, "good")
        comes_back = plan.wants("reconnection", *_TURN_FEEDS)
        if comes_back:
            await line.close()
            line = await self._line("again", self._url(room))
        elif not line.open:
            return
        more: dict[str, Any] = {"return_voice": 0}
        if revision.id >= R7:
            more["scene_number"] = FAR_SCENE
        if revision.id >= R9 and "choices" not in plan.skipped:
            more["use_choices"] = 2
        await self._ask(line, self._message(AGAIN, room, **more), "good", *(["again"] if comes_back else []))
        await line.close()

    async def _together(self) -> None:
        """Two messages at once on one socket, and one on another socket of the same room."""
        room = await self._room()
        one = await self._line("together", self._url(room))
        two = await self._line("beside", self._url(room))
        silent = self._revision.id >= R4
        second = self._message(None if silent else WHOLE, room, return_voice="0")
        await one.send(_text(self._message(AGAIN, room, return_voice="0")), "good", "at-once")
        await one.send(_text(second), "good", "at-once")
        await two.send(_text(self._message(WHOLE, room)), "good")
        self._rig.turns += 3
        await asyncio.gather(one.until(Turns(2)), two.until(Turns()))
        await asyncio.gather(self._fence(one), self._fence(two))

    async def _greetings(self) -> None:
        room = await self._room()
        line = await self._line("greeting", self._url(room))
        voice = {"return_voice": 1} if self._voice else {}
        for fields in ({"greeting_number": 1, "questioner": "김철수", **voice}, {}):
            ask = {"action": "greeting", "room_uid": room, "user_id": USER, "api_key": self._plan.api_key, **fields}
            if line.open:
                await self._ask(line, ask)

    async def _said(self, text: str) -> None:
        room = await self._room()
        line = await self._line(f"say {text[:20]}", self._url(room))
        await self._ask(line, self._message(text, room, return_voice=self._voice), "good", "fresh")

    async def _failing(self, key: str) -> None:
        room = await self._room()
        line = await self._line("failing", self._url(room))
        await self._ask(line, self._message(WHOLE, room, api_key=key, return_voice=0), "failing")

    # -- free ---------------------------------------------------------------------------------------------------------

    async def _refusals(self) -> None:
        """What is wrong, each on a socket that should have stayed open."""
        room = await self._room()
        asks: list[tuple[str, tuple[str, ...]]] = [
            (text, ()) for text in ("안녕", "[]", "5", '{"action":"dance"}', '{"msg":"안녕"}')
        ]
        if not self._revision.flat:
            asks += [(_text(ask), marks) for ask, marks in self._wrong(room)]
        line = await self._line("refusals", self._url(room))
        again = 0
        for text, marks in asks:
            if not line.open:
                again += 1
                line = await self._line(f"refusals {again + 1}", self._url(room))
            await line.send(text, *marks)
            await line.until(Turns() if "action" in text else FirstFrame())
            await self._fence(line)  # a second answer, too, comes before the next request

    def _wrong(self, room: str) -> list[tuple[dict[str, Any], tuple[str, ...]]]:
        """Requests with one fault each, then with two."""
        revision = self._revision
        good = self._message(WHOLE, room, return_voice=0)
        keyed = "api_key" in revision.requires

        def without(*keys: str, **more: Any) -> dict[str, Any]:
            return {key: value for key, value in good.items() if key not in keys} | more

        nobody = {"api_key": self._rig.ids.hexadecimal(22)}
        found: list[tuple[dict[str, Any], tuple[str, ...]]] = [(without(key), ()) for key in revision.requires]
        first, last = revision.requires[0], revision.requires[-1]
        found += [({"action": revision.action}, ()), (without(first, last), ()), (without(*revision.requires[1:]), ())]
        if keyed:
            found += [(without(return_voice=2), ()), (without(**nobody), ("unknown-key",))]
            found += [(without(last, return_voice=2), ()), (without(**nobody, return_voice=2), ("unknown-key",))]
            found += [(without(last, **nobody), ("unknown-key",))]
            if self._plan.unusable_key:
                unusable = {"api_key": self._plan.unusable_key}
                found += [(without(**unusable), ("unusable-key",))]
                found += [(without(**unusable, return_voice=2), ("unusable-key",))]
        return found

    async def _limits(self) -> None:
        frame, above = "x" * FRAME_LIMIT, "x" * (FRAME_LIMIT + 1024)
        parts = ["x" * PART] * (MESSAGE_LIMIT // PART)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._limit("frame limit", "one-frame", frame, above))
            group.create_task(self._limit("message limit", "fragments", parts, [*parts, "x" * PART]))

    async def _limit(self, name: str, mark: str, most: str | list[str], above: str | list[str]) -> None:
        line = await self._line(name, self._url(await self._room()))
        await line.send(most, mark)
        await line.until(FirstFrame())
        if line.open:
            await line.send(above, mark)
            await line.until(FirstFrame())

    # -- words --------------------------------------------------------------------------------------------------------

    @property
    def _voice(self) -> int:
        """Whether the probes ask for voices."""
        return int(self._plan.wants("voices", "sentences", "keys", "ids", "echo", "quirks"))

    async def _room(self) -> str:
        room = await asyncio.to_thread(fresh_room, self._address)
        return room or self._rig.ids.base62(12)

    async def _line(self, name: str, url: str) -> Line:
        """One more socket; where frames come unasked, the first of them is waited for, lest it pass for an answer."""
        line = await self._rig.another(name, url)
        if self._pushes:
            await line.lull(LULL)
        return line

    def _url(self, room: str) -> str:
        return self._address.joined(room, USER)

    def _message(self, msg: str | None, room: str, **fields: Any) -> dict[str, Any]:
        """A complete request of the revision in force."""
        revision, plan = self._revision, self._plan
        ask: dict[str, Any] = {"action": revision.action, "room_uid": room}
        ask["user_uid" if revision.flat else "user_id"] = USER
        if msg is not None:
            ask["msg"] = msg
        if plan.api_key and not revision.flat and "org_id" not in revision.requires:
            ask["api_key"] = plan.api_key
        if self._org_id and not revision.flat and (plan.org_id or "org_id" in revision.requires):
            ask["org_id"] = self._org_id
        return ask | fields

    async def _ask(self, line: Line, ask: Mapping[str, Any], *marks: str) -> list[Frame]:
        """One turn or greeting, waited for; the frames that came."""
        before = len(line.recording().tape.frames)
        self._rig.turns += 1
        await line.send(_text(ask), *marks)
        if self._revision.flat and ask["action"] == self._revision.action:
            await self._flat(line, bool(ask.get("return_voice")))
        else:
            await line.until(Turns())
        await self._fence(line)
        return [frame for frame in frames_of(line.recording()) if frame.number > before]

    async def _flat(self, line: Line, voices: bool) -> None:
        turn = FlatTurn(voices)
        await line.until(turn, quiet=lambda: None if turn.waits else FLAT_PAUSE)

    async def _fence(self, line: Line) -> None:
        """Waits for the answer to status: what still comes for the turn before comes before that."""
        if line.open and self._fenced:
            await line.send(_text({"action": "status"}))
            await line.until(Kind("status"))

    async def _fetch(self) -> None:
        """Fetches voices, and tries the first of each kind without what its URL is signed with."""
        frames = [frame for recording in self._rig.recordings for frame in frames_of(recording)]
        urls = [str(frame.get("voice_url")) for frame in frames if isinstance(frame.get("voice_url"), str)]
        greetings = [url for url in urls if "/greeting_" in url]
        chosen = list(dict.fromkeys((*urls[:1], *greetings[:1], *urls)))[:MOST_VOICES]
        wanted = [(url, "plain", url) for url in chosen]
        for url in dict.fromkeys((*urls[:1], *greetings[:1])):
            wanted += [(url, variant, asked) for variant, asked in spoilt(url).items()]
        await self._rig.fetch(wanted)


def spoilt(url: str) -> dict[str, str]:
    """A voice URL without its signature, with another, and with a later time; nothing if it has no such form."""
    found = VOICE_URL.fullmatch(url)
    if found is None:
        return {}
    parts, signature, expires = urlsplit(url), found["signature"], found["expires"]
    other = ("A" if signature[0] != "A" else "B") + signature[1:]
    return {
        "unsigned": urlunsplit(parts._replace(query="")),
        "altered": url.replace(f"Signature={signature}", f"Signature={other}"),
        "extended": url.replace(f"Expires={expires}", f"Expires={int(expires) + 3600}"),
    }


def _text(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _heard(frame: TapeFrame) -> bool:
    return frame.direction == "server"
