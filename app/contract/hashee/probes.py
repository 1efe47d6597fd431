"""Asks a server of the Hashee wire what its rules need.

nobody        wrong tokens, no token, another first frame, a frame that is too large      free
a person      logs in (--login): pings, frames that are not valid, a renewed token        free
an agent      with its token (--api-key): the same, and a stream that is none             free
both          one conversation: a message each, a stream, an artifact                     4 messages

What is said goes only between the two who were given. Where one of them is missing, what needs both is skipped.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from app.addresses import is_loopback
from app.contract.checks.recordings import Download
from app.contract.checks.rig import Line, Misuse, NoConnection, Plan, Rig
from app.contract.hashee.reading import (
    AGENT,
    GOOD,
    INVALID,
    LARGE,
    LARGEST,
    NEWER,
    NO_AUTH,
    NOT_AUTH,
    PERSON,
    REFUSED,
    RENEWAL,
    STREAMLESS,
    TOO_LARGE,
    Json,
    believe,
    object_of,
)
from app.contract.hashee.words import AUTH_LIMIT, FRAME_LIMIT, SECOND

SLACK: Final = 2.0
"""Seconds more than its limit that the end of a socket without `auth` is waited for."""

QUIET: Final = 0.3
"""Seconds without a frame after which nothing more is to come."""

MOST_PAGES: Final = 20
"""Pages of conversations that are looked through."""

EMOJI: Final = "thumbsup"
LEAVING: Final = "leaving"
"""Name of the socket whose session is ended."""

NO_TOKEN: Final = "nonsense"
NOWHERE: Final = "00000000-0000-4000-8000-000000000000"
_FEEDS = ("frames", "ids", "times", "messages", "reactions", "typing", "streams", "artifacts")
_ANSWERS = ("auth.ok", "auth.error", "error", "pong")


async def probe(rig: Rig, plan: Plan) -> None:
    """Asks; recordings and answers are in the rig afterwards. Raises `NoConnection` and `Misuse`."""
    parts = urlsplit(plan.url)
    if parts.scheme not in ("ws", "wss") or not parts.netloc:
        raise Misuse(f"{plan.url!r} is no address of a server: expected ws://host:port")
    if plan.api_key and not plan.api_key.startswith("hsk_"):
        raise Misuse("the key of an agent begins with hsk_; give one with --api-key, or none")
    rig.local = is_loopback(parts.hostname or "")
    await _Probing(rig, plan).run()


class _Party:
    """A person or an agent: its token, and its socket once it is open."""

    def __init__(self, name: str, token: str, uid: str = "") -> None:
        self.name = name
        self.token = token
        self.uid = uid
        self.line: Line | None = None

    @property
    def auth(self) -> Json:
        named = {"agent_id": self.uid} if self.name == AGENT else {}
        return {"type": "auth", "token": self.token, **named}


class _Probing:
    """One check under way."""

    def __init__(self, rig: Rig, plan: Plan) -> None:
        self._rig = rig
        self._plan = plan
        self._address = urlsplit(plan.url)
        self._person: _Party | None = None
        self._agent: _Party | None = None
        self._asked = 0

    async def run(self) -> None:
        silent = await self._rig.line(NO_AUTH, self._socket())
        await self._enter()
        place = await self._conversation()
        async with asyncio.TaskGroup() as group:
            if self._plan.wants("auth", "frames"):
                group.create_task(self._outlast(silent))
                group.create_task(self._unknown())
            if self._plan.wants("limits"):
                group.create_task(self._too_large())
            if self._plan.wants("http"):
                group.create_task(self._refusals())
            group.create_task(self._talk(place))

    # -- who it is -----------------------------------------------------------------------------------------------------

    async def _enter(self) -> None:
        plan = self._plan
        if not plan.login and not plan.api_key:
            self._rig.notes.append(
                "nobody was let in: give a person with --login EMAIL:PASSWORD and an agent with --api-key hsk_…"
            )
        if plan.login:
            self._person = await self._log_in(PERSON)
        if plan.api_key:
            self._agent = _Party(AGENT, plan.api_key)

    async def _log_in(self, name: str) -> _Party:
        """A session of its own where there is a password."""
        email, _, password = self._plan.login.partition(":")
        if not password:
            return _Party(name, self._plan.login)
        told = {"email": email, "account_password": password}
        answer = await self._rig.call("log in", name, "POST", self._http("/auth/login"), told, told=False)
        token = _data(answer).get("access_token")
        if answer.problem:
            raise NoConnection(answer.problem)
        if not isinstance(token, str):
            raise Misuse(f"--login is refused: {_code(answer)}")
        self._rig.secrets.append(token)
        return _Party(name, token, str(_data(answer).get("user_id", "")))

    async def _conversation(self) -> str:
        """The conversation of the person and the agent, "" if there is none; the agent's id comes with it."""
        agent, person = self._agent, self._person
        if agent is None:
            return ""
        theirs = await self._conversations(agent)
        for one in theirs.values():
            ids = [member["id"] for member in one.get("members", ()) if member.get("type") == "agent"]
            if one.get("conversation_type") == "h2a" and len(ids) == 1:
                agent.uid = str(ids[0])
                break
        if not agent.uid:
            self._agent = None
            self._rig.notes.append("the agent has no conversation that would tell its id; it was left out")
            return ""
        if person is None:
            return ""
        shared = theirs.keys() & (await self._conversations(person)).keys()
        found = sorted(place for place in shared if theirs[place].get("conversation_type") == "h2a")
        if not found:
            self._rig.notes.append("the person does not use the agent, so nothing was said")
        return found[0] if found else ""

    async def _conversations(self, who: _Party) -> dict[str, Json]:
        found: dict[str, Json] = {}
        cursor: str | None = ""
        for number in range(MOST_PAGES):
            more = f"&cursor={cursor}" if cursor else ""
            answer = await self._call(who, f"conversations {number + 1}", "GET", f"/conversations?limit=100{more}")
            body = object_of(answer.body.decode("utf-8", "replace")) or {}
            if answer.problem:
                raise NoConnection(answer.problem)
            if not isinstance(body.get("data"), list):
                option = "--login" if who.name == PERSON else "--api-key"
                raise Misuse(f"{option} is refused: {_code(answer)}")
            found |= {str(one.get("conversation_id")): one for one in body["data"] if isinstance(one, dict)}
            cursor = body.get("next_cursor")
            if not cursor:
                break
        return found

    async def _let_in(self, who: _Party, name: str) -> Line:
        line = await self._rig.another(name, self._socket(who))
        await line.send(_text(who.auth), GOOD)
        await line.until(_of("auth.ok", "auth.error"))
        return line

    # -- without a token -----------------------------------------------------------------------------------------------

    async def _outlast(self, silent: Line) -> None:
        await silent.lull(AUTH_LIMIT + SLACK)
        await silent.until(lambda text: False, quiet=lambda: QUIET) if silent.open else None

    async def _unknown(self) -> None:
        nobody = _Party(AGENT, f"hsk_{self._rig.ids.base62(40)}", NOWHERE)
        await self._first("a wrong token", self._socket(), {"type": "auth", "token": NO_TOKEN}, "invalid_token")
        await self._first("a wrong agent token", self._socket(nobody), nobody.auth, "invalid_token")
        if self._agent is not None:
            other = {**self._agent.auth, "agent_id": NOWHERE}
            await self._first("another agent's token", self._socket(self._agent), other, "agent_mismatch")
        for name, text in (("ping first", _text({"type": "ping"})), ("no JSON first", "{")):
            line = await self._rig.another(name, self._socket())
            await line.send(text, NOT_AUTH)
            await line.until(lambda text: False, quiet=lambda: QUIET)

    async def _first(self, name: str, url: str, auth: Json, reason: str) -> None:
        line = await self._rig.another(name, url)
        await line.send(_text(auth), f"{REFUSED}{reason}")
        await line.until(_of("auth.ok", "auth.error"))
        await line.until(lambda text: False, quiet=lambda: QUIET)

    async def _too_large(self) -> None:
        line = await self._rig.another(LARGE, self._socket())
        await line.send(_padded(FRAME_LIMIT + 1), TOO_LARGE)
        await line.until(lambda text: False)

    # -- over HTTP -----------------------------------------------------------------------------------------------------

    async def _refusals(self) -> None:
        nobody = _Party("nobody", "")
        await self._call(nobody, "refusal UNAUTHENTICATED", "GET", "/conversations")
        await self._call(_Party("nobody", NO_TOKEN), "refusal INVALID_TOKEN", "GET", "/conversations")
        await self._call(nobody, "refusal INVALID_REQUEST", "POST", "/auth/login", {})
        if self._person is not None:
            path = f"/messages/{NOWHERE}/reactions"
            await self._call(self._person, "refusal NOT_FOUND", "POST", path, {"emoji": EMOJI})

    async def _call(self, who: _Party, name: str, method: str, path: str, body: Any = None) -> Download:
        return await self._rig.call(name, who.name, method, self._http(path), body, token=who.token)

    # -- on the sockets ------------------------------------------------------------------------------------------------

    async def _talk(self, place: str) -> None:
        person, agent = self._person, self._agent
        for who in (person, agent):
            if who is not None:
                who.line = await self._let_in(who, who.name)
        there = [who for who in (person, agent) if who is not None and who.line is not None and who.line.open]
        if person in there and agent in there and place and self._plan.wants("messages", *_FEEDS):
            assert person is not None
            assert agent is not None
            await _Conversing(self._rig, self._call, person, agent, place).run()
        for who in there:
            await self._odd_frames(who)
        if self._plan.wants("sockets"):
            for who in there:
                await self._let_in(who, NEWER[who.name])
                assert who.line is not None
                await who.line.until(lambda text: False, quiet=lambda: 4 * QUIET)
            if person is not None and ":" in self._plan.login:
                await self._leave()

    async def _odd_frames(self, who: _Party) -> None:
        line = who.line
        assert line is not None
        for text in ("{", "[]", _text({"type": "surprise"})):
            await line.send(text, INVALID)
            await line.until(_of(*_ANSWERS))
        if who.name == AGENT:
            told = {"stream_id": _ulid(self._rig), "conversation_id": NOWHERE, "encrypted_payload": _payload("x")}
            await line.send(_text({"type": "stream.delta", **told}), STREAMLESS)
            await line.until(_of(*_ANSWERS))
        await line.send(_text(who.auth), f"{REFUSED}already_authenticated")
        await line.until(_of(*_ANSWERS))
        if who.name == PERSON:
            await line.send(_text({"type": "auth.renew", "access_token": NO_TOKEN}), f"{REFUSED}invalid_token")
            await line.until(_of(*_ANSWERS))
            await line.send(_text({"type": "auth.renew", "access_token": who.token}), RENEWAL)
            await line.until(_of(*_ANSWERS))
        if self._plan.wants("limits"):
            await line.send(_padded(FRAME_LIMIT), LARGEST)
            await line.until(_of(*_ANSWERS))
        await line.send(_text({"type": "ping"}))
        await line.until(_of("pong"), quiet=lambda: 4 * QUIET)

    async def _leave(self) -> None:
        """A session of its own is ended; its socket hears why."""
        leaving = await self._log_in(LEAVING)
        line = await self._let_in(leaving, LEAVING)
        await self._call(leaving, "log out", "POST", "/auth/logout")
        await line.until(_of("session.invalidated"))
        await line.until(lambda text: False, quiet=lambda: 4 * QUIET)

    # -- addresses -----------------------------------------------------------------------------------------------------

    def _socket(self, who: _Party | None = None) -> str:
        """The socket of people, or that of an agent."""
        of_agent = who is not None and who.name == AGENT
        query = parse_qsl(self._address.query)
        if of_agent and who is not None:
            query = [("agent_id", who.uid), *query]
        path = "/ws/agent" if of_agent else "/ws/human"
        return urlunsplit((self._address.scheme, self._address.netloc, path, urlencode(query), ""))

    def _http(self, path: str) -> str:
        scheme = "https" if self._address.scheme == "wss" else "http"
        return f"{scheme}://{self._address.netloc}{path}"


class _Conversing:
    """What a person and an agent say to each other."""

    def __init__(self, rig: Rig, call: Callable[..., Any], person: _Party, agent: _Party, place: str) -> None:
        self._rig = rig
        self._call = call
        self._person = person
        self._agent = agent
        self._place = place
        assert person.line is not None
        assert agent.line is not None
        self._ears = (person.line, agent.line)

    async def run(self) -> None:
        said = await self._say(self._person, "send 1", "hello")
        await self._say(self._person, "send again", "hello", said["client_message_id"])
        answer = await self._say(self._agent, "send 2", "good day")
        if not said.get("message_id") or not answer.get("message_id"):
            self._rig.notes.append("what was said is not kept, so no more was tried")
            return
        await self._mark(said, answer)
        await self._type()
        await self._stream()
        await self._artifact()
        for ear in self._ears:
            await ear.send(_text({"type": "ping"}))
            await ear.until(lambda text: False, quiet=lambda: QUIET)

    async def _say(self, who: _Party, name: str, text: str, client_id: str = "", **more: Any) -> Json:
        """Says something, and waits for who hears of it; what the server answers, and the id it was given."""
        body = {"client_message_id": client_id or _ulid(self._rig), "content_type": "text", **more}
        body["encrypted_payload"] = _payload(text)
        path = f"/conversations/{self._place}/messages"
        if who.name == AGENT:
            path, body["conversation_id"] = f"/agents/{who.uid}/messages", self._place
        answer = _data(await self._call(who, name, "POST", path, body))
        if answer and not client_id:
            self._rig.turns += 1
            sender, other = self._ears if who.name == PERSON else self._ears[::-1]
            await sender.until(_all_of("message.ack", "message.status_updated"))
            await other.until(_of("message.new"))
        return {**answer, "client_message_id": body["client_message_id"]}

    async def _mark(self, said: Json, answer: Json) -> None:
        """The person reads and reacts to the answer, and takes back what they said."""
        person, agent = self._person, self._agent
        read = {"seq": answer.get("conversation_seq")}
        await self._both(person, "read", f"/conversations/{self._place}/read", read, "message.read")
        reactions = f"/messages/{answer['message_id']}/reactions"
        for number, who in enumerate((person, agent, person), 1):
            await self._both(who, f"react {number}", reactions, {"emoji": EMOJI}, "reaction.update")
        await self._both(person, "recall", f"/messages/{said['message_id']}/recall", None, "message.recalled")

    async def _both(self, who: _Party, name: str, path: str, body: Any, kind: str) -> None:
        answer = await self._call(who, name, "POST", path, body)
        for ear in self._ears if _data(answer) else ():
            await ear.until(_of(kind))

    async def _type(self) -> None:
        ear, mouth = self._ears
        for typing in (True, False):
            await mouth.send(_text({"type": "typing", "conversation_id": self._place, "typing": typing}))
            await ear.until(_of("agent.typing"))

    async def _stream(self) -> None:
        """One stream that is kept, and one that is not."""
        ear, mouth = self._ears
        for end in ("stream.done", "stream.abort"):
            about = {"stream_id": _ulid(self._rig), "conversation_id": self._place}
            pieces: list[Json] = [{"type": "stream.start", **about}]
            for text in ("good ", "day"):
                pieces.append({"type": "stream.delta", **about, "encrypted_payload": _payload(text)})
            whole = {"encrypted_payload": _payload("good day"), "client_message_id": _ulid(self._rig)}
            pieces.append({"type": end, **about, **(whole if end == "stream.done" else {})})
            for piece in pieces:
                await mouth.send(_text(piece))
                await ear.until(_of(piece["type"], "stream.error"))
            if end == "stream.done":
                self._rig.turns += 1
                await mouth.until(_all_of("message.ack", "message.status_updated"))

    async def _artifact(self) -> None:
        """The agent shows a form, the person answers it, the agent changes it."""
        person, agent = self._person, self._agent
        sent = await self._say(agent, "send 3", "form", content_type="artifact", artifact={"subtype": "form"})
        artifact_id = sent.get("artifact_id")
        if not artifact_id:
            return
        told = {"ref_action": "submit", "based_on_revision": 0, "values": {"name": "x"}}
        path = f"/messages/{sent['message_id']}/artifact-response"
        if _data(await self._call(person, "artifact answer", "POST", path, told)):
            await self._ears[1].until(_of("artifact_response"))
        later = believe(self._rig.recordings).revision == SECOND
        number = {"based_on_revision": 0} if later else {"revision": 1}
        path = f"/agents/{agent.uid}/artifacts/{artifact_id}"
        told = {"encrypted_payload": _payload("form, changed"), **number}
        if _data(await self._call(agent, "artifact update", "PATCH", path, told)):
            await self._ears[0].until(_of("artifact_update"))


def _text(frame: Json) -> str:
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":"))


def _padded(size: int) -> str:
    """A ping of that many bytes."""
    bare = _text({"type": "ping", "x": ""})
    return _text({"type": "ping", "x": "x" * (size - len(bare))})


def _payload(text: str) -> str:
    """Opaque to the server: the text in base64 stands for what would be encrypted."""
    return base64.b64encode(text.encode()).decode()


def _ulid(rig: Rig) -> str:
    """A ULID of no particular time."""
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    number = int(rig.ids.hexadecimal(26), 16)
    return "01" + "".join(alphabet[number >> shift & 31] for shift in range(0, 24 * 4, 4))


def _data(answer: Download) -> Json:
    body = object_of(answer.body.decode("utf-8", "replace")) or {}
    told = body.get("data")
    return told if answer.status < 300 and isinstance(told, dict) else {}


def _code(answer: Download) -> str:
    """What a refusal says, in a word."""
    error = (object_of(answer.body.decode("utf-8", "replace")) or {}).get("error")
    return str(error.get("code")) if isinstance(error, dict) else answer.problem or f"HTTP {answer.status}"


def _of(*types: str) -> Callable[[str | None], bool]:
    return lambda text: (object_of(text) or {}).get("type") in types


def _all_of(*types: str) -> Callable[[str | None], bool]:
    left = set(types)

    def done(text: str | None) -> bool:
        left.discard(str((object_of(text) or {}).get("type")))
        return not left

    return done
