"""The emulator as a test sees it: script it, break it, wait for it, look into it.

Every method asks the server over HTTP, waits for the answer and may be called from any thread; none needs a running
event loop. An async test that waits for what its own loop has to do hands the wait to a thread:
`await asyncio.to_thread(emulator.wait_for, type="END")`.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from pytest_chldo.clock import Clock
from pytest_chldo.conditions import Condition, plain, plain_all
from pytest_chldo.control import PATIENCE, Control, EmulatorError
from pytest_chldo.entries import Entry, listing, nearest
from pytest_chldo.handles import Fault, Handle, Profile, Reply, Snapshot
from pytest_chldo.server import Server

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

MOST = 10_000
"""Entries that the control plane gives at a time."""

LOOKED_AT = 500
"""Newest entries that a failed wait is explained with."""

H = TypeVar("H", bound=Handle)


class _Anything:
    """Stands for: not asked."""


ANYTHING = _Anything()


@dataclass(frozen=True, slots=True)
class Connection:
    """An open socket. `id`: the wire's own name for it; `opened`: emulated time in epoch seconds; `exchanges`: how many
    requests were accepted.
    """

    id: str
    wire: str
    room: str
    user: str
    path: str
    opened: float
    frames_in: int
    frames_out: int
    exchanges: int


class Emulator:
    """What the fixture `emulator` gives. `server`: where it runs. `control`: its control plane, for everything that has
    no helper here. `name`: what rooms are named after.
    """

    def __init__(self, server: Server, *, name: str = "") -> None:
        self.server = server
        self.control: Control = server.control
        self.clock = Clock(server.control)
        self._name = f"{name} {uuid.uuid4()}" if server.shared else name  # noqa: TID251 - others may use the same names
        self._rooms = 0
        self._after = 0
        self._handles: list[Handle] = []
        self._log_size = 0

    def begin(self) -> None:
        """Makes it as new: everything is reset, or, where others use the server too, only what is new is looked at."""
        self._log_size = self.server.log_size
        if self.server.shared:
            self._after = int(self.control.get("journal", limit=1)["last"])
        else:
            self.reset()

    def end(self) -> None:
        """Takes out what was put in, the last first."""
        while self._handles:
            self._handles.pop().remove()

    # -- where it is ---------------------------------------------------------------------------------------------------

    @property
    def http_url(self) -> str:
        """Where it answers over HTTP, without a slash at the end."""
        return self.server.http_url

    def ws_url(self, room: str | None = None, *, user: str = "tester", path: str = "/v3/", **query: str) -> str:
        """An address to connect to; more `query` parameters as the wire knows them (`revision="2024-10-06"`)."""
        named = {"room_uid": room, "user_uid": user, **query}
        asked = urlencode({key: value for key, value in named.items() if value is not None})
        return f"ws{self.http_url.removeprefix('http')}{path}?{asked}"

    @property
    def space(self) -> str:
        """The uid of the default space."""
        return str(self._default_space()["uid"])

    @property
    def api_key(self) -> str:
        """A usable key of the default space."""
        space = self._default_space()
        key = next((key["key"] for key in space["api_keys"] if key["usable"]), None)
        if key is None:
            raise EmulatorError(f"space {space['uid']} has no usable key")
        return str(key)

    def room(self) -> str:
        """A room that nobody has been in: another one at every call, the same ones whenever the test runs again."""
        self._rooms += 1
        number = int.from_bytes(hashlib.sha256(f"{self._name} {self._rooms}".encode()).digest()[:12], "big")
        letters = []
        for _ in range(12):
            number, digit = divmod(number, 62)
            letters.append(BASE62[digit])
        return "".join(letters)

    # -- what it says --------------------------------------------------------------------------------------------------

    def reply(
        self,
        msg: Condition | _Anything = ANYTHING,
        text: str | None = None,
        *,
        tokens: Sequence[str] | None = None,
        error: int | Mapping[str, Any] | None = None,
        choices: Sequence[Mapping[str, str]] | None = None,
        tool_calls: Sequence[Mapping[str, Any]] | None = None,
        pace: float | Mapping[str, float] | None = None,
        room: Condition | _Anything = ANYTHING,
        **when: Condition,
    ) -> Reply:
        """Scripts an answer: to the message `msg` (None: there is none), where the other conditions hold as well
        (`space`, `user_id`, `language`, `turn`, …, as in reply files); without any, to everything.

        Exactly one of `text`, `tokens` (exact ones) and `error` (the HTTP status of a failing model, or
        `{"status": …, "body": …}`). `choices`: `{"text": …, "tone": …}` each. `pace`: tokens a second, or
        `{"first": seconds, "per_second": …}`. Raises `EmulatorError` if the emulator does not take it.
        """
        asked = {"msg": msg, "room_uid": room, **when}
        conditions = {key: plain(value) for key, value in asked.items() if not isinstance(value, _Anything)}
        if isinstance(error, int):
            error = {"status": error, "body": {"error": {"message": "scripted by a test"}}}
        if isinstance(pace, int | float):
            pace = {"per_second": pace}
        told = {"reply": text, "tokens": tokens, "error": error, "choices": choices, "tool_calls": tool_calls}
        body = {key: value for key, value in {**told, "pace": pace}.items() if value is not None}
        (added,) = self._list("POST", "replies", {"when": conditions or {"space": {"regex": "."}}, **body})
        return self._keep(Reply(self.control, added))

    # -- what goes wrong -----------------------------------------------------------------------------------------------

    def fault(
        self,
        kind: str,
        *,
        when: Mapping[str, Condition] | None = None,
        probability: float | None = None,
        count: int | None = None,
        skip: int | None = None,
        wire: Condition | _Anything = ANYTHING,
        room: Condition | _Anything = ANYTHING,
        user: Condition | _Anything = ANYTHING,
        key: Condition | _Anything = ANYTHING,
        message: Condition | _Anything = ANYTHING,
        action: Condition | _Anything = ANYTHING,
        turn: int | _Anything = ANYTHING,
        frame: Condition | _Anything = ANYTHING,
        **params: Any,
    ) -> Fault:
        """Breaks something: `emulator.fault("drop", frame="voice_ready", room=room, count=1)`.

        `kind` and `params` as docs/faults.md lists them (`as_` for `as`); `wire` to `frame` say when it strikes, or
        `when`, which holds them all in one. Raises `EmulatorError` if the emulator does not take it.
        """
        asked = {"wire": wire, "room": room, "user": user, "key": key, "message": message}
        asked |= {"action": action, "turn": turn, "frame": frame}
        conditions = {name: plain(value) for name, value in asked.items() if not isinstance(value, _Anything)}
        conditions = {**plain_all(when or {}), **conditions}
        rule: dict[str, Any] = {"fault": kind, **({"when": conditions} if conditions else {})}
        dice = {"probability": probability, "count": count, "skip": skip}
        rule |= {name: value for name, value in dice.items() if value is not None}
        rule |= {name.removesuffix("_"): value for name, value in params.items()}
        (added,) = self._list("POST", "faults", rule)
        return self._keep(Fault(self.control, added))

    def profile(self, name: str) -> Profile:
        """Puts a fault profile of the fixtures in force (`flaky-mobile`)."""
        self.control.ask("POST", "profiles", name)
        return self._keep(Profile(self.control, name))

    # -- what happened -------------------------------------------------------------------------------------------------

    def journal(
        self,
        *,
        kind: str | Sequence[str] | None = None,
        type: str | None = None,
        room: str | None = None,
        text: str | None = None,
        connection: str | None = None,
        wire: str | None = None,
        turn: int | None = None,
        after: Entry | int | None = None,
    ) -> list[Entry]:
        """What happened in this test, oldest first: all entries for which all that is given holds.

        `text`: somewhere in the frame or the details. `after`: only what came later than this entry.
        """
        asked = _query(kind, type, room, text, connection, wire, turn)
        found: list[Entry] = []
        since = self._since(after)
        while True:
            some = self._entries(**asked, after=since, limit=MOST)
            found += some
            if len(some) < MOST:
                return found
            since = some[-1].seq

    def frames(
        self,
        *,
        type: str | None = None,
        room: str | None = None,
        text: str | None = None,
        connection: str | None = None,
        turn: int | None = None,
        kind: str | Sequence[str] = "out",
        after: Entry | int | None = None,
    ) -> list[Entry]:
        """The frames that the server has sent in this test; those of the client with `kind="in"`."""
        return self.journal(kind=kind, type=type, room=room, text=text, connection=connection, turn=turn, after=after)

    def wait_for(
        self,
        *,
        type: str | None = None,
        room: str | None = None,
        text: str | None = None,
        count: int = 1,
        timeout: float = 5.0,
        kind: str | Sequence[str] | None = None,
        connection: str | None = None,
        wire: str | None = None,
        turn: int | None = None,
        after: Entry | int | None = None,
    ) -> list[Entry]:
        """Waits until so many entries are there, those that are there already included, and gives them.

        Conditions as of `journal`; `timeout` in seconds of the machine. Raises AssertionError if they do not come: it
        tells what came nearest, and the last frames.
        """
        __tracebackhide__ = True
        asked = _query(kind, type, room, text, connection, wire, turn)
        since = self._since(after)
        patience = timeout + PATIENCE
        answer = self.control.get(
            "journal", "wait", patience=patience, **asked, after=since, count=count, timeout=timeout
        )
        found = [Entry.of(told) for told in answer["entries"]]
        if answer["complete"]:
            return found
        raise AssertionError(self._missed(asked, found, count, timeout, since))

    def connections(self, room: str | None = None) -> list[Connection]:
        """The sockets that are open now, all or those of a room."""
        told = self._list("GET", "connections")
        names = Connection.__dataclass_fields__
        found = [Connection(**{name: one[name] for name in names}) for one in told]
        return [one for one in found if room is None or one.room == room]

    # -- what it does by hand ------------------------------------------------------------------------------------------

    def push(self, frame: Mapping[str, Any] | str, *, room: str | None = None, connection: str | None = None) -> None:
        """Sends a frame (an object, or any text) to the sockets of a room, to one, or to all that are open."""
        body = {"text": frame} if isinstance(frame, str) else {"frame": dict(frame)}
        for one in self._meant(room, connection):
            self.control.ask("POST", "connections", one, "push", body=body)

    def close(
        self, *, room: str | None = None, connection: str | None = None, code: int = 1000, reason: str = ""
    ) -> None:
        """Closes the sockets of a room, one, or all that are open."""
        for one in self._meant(room, connection):
            self.control.ask("POST", "connections", one, "close", body={"code": code, "reason": reason})

    def credit(self, space: str, won: int) -> None:
        """Sets the balance of a space."""
        self.control.ask("PUT", "spaces", space, "credit", body={"credit": won})

    def reset(self, *, room: str | None = None, space: str | None = None) -> None:
        """Makes everything as new, or one room, or one space."""
        named = {key: value for key, value in {"room": room, "space": space}.items() if value is not None}
        self.control.ask("POST", "reset", body=named or None)

    def snapshot(self, name: str | None = None) -> Snapshot:
        """Keeps the state as it is now, until the end of the test."""
        told = self.control.ask("POST", "snapshots", body={} if name is None else {"name": name})
        return self._keep(Snapshot(self.control, told))

    def restore(self, snapshot: Snapshot) -> None:
        """Brings a state back."""
        snapshot.restore()

    # -- for failed tests ----------------------------------------------------------------------------------------------

    def last_frames(self, most: int = 25) -> list[str]:
        """The end of the journal of this test, for people."""
        try:
            return listing(self._entries(limit=LOOKED_AT, newest=True, after=self._after, patience=5.0), most)
        except EmulatorError as error:
            return [f"(the journal cannot be read: {error})"]

    def log(self) -> str:
        """What the server has logged in this test; "" of one that was not started by the plugin."""
        return self.server.log_since(self._log_size)

    # ------------------------------------------------------------------------------------------------------------------

    def _keep(self, handle: H) -> H:
        self._handles.append(handle)
        return handle

    def _since(self, after: Entry | int | None) -> int:
        return self._after if after is None else after.seq if isinstance(after, Entry) else after

    def _list(self, method: str, place: str, body: Any = None) -> list[dict[str, Any]]:
        """The list that stands in an answer under the name of its place."""
        told = self.control.ask(method, place, body=body)
        return list(told[place])

    def _entries(self, *, patience: float = PATIENCE, **query: Any) -> list[Entry]:
        told = self.control.get("journal", patience=patience, **query)
        return [Entry.of(entry) for entry in told["entries"]]

    def _default_space(self) -> dict[str, Any]:
        return next(space for space in self._list("GET", "spaces") if space["default"])

    def _meant(self, room: str | None, connection: str | None) -> list[str]:
        if connection is not None:
            return [connection]
        found = [one.id for one in self.connections(room)]
        if not found:
            raise EmulatorError("no socket is open" if room is None else f"no socket is open in room {room}")
        return found

    def _missed(self, asked: Mapping[str, Any], found: Sequence[Entry], count: int, timeout: float, since: int) -> str:
        """Why a wait was in vain."""
        conditions = ", ".join(f"{name} {value!r}" for name, value in asked.items()) or "anything"
        what = "an entry" if count == 1 else f"{count} entries"
        came = f"; {len(found)} came" if found else ""
        lines = [f"waited {timeout:g} s for {what} of the journal with {conditions}{came}"]
        entries = self._entries(limit=LOOKED_AT, newest=True, after=since)
        if not found:
            lines += ["nearest:", *(f"  {line}" for line in nearest(entries, asked) or ["(nothing)"])]
        lines += ["last frames:", *listing(entries)]
        if _in_loop():
            lines.append(
                "hint: the test's event loop stood still meanwhile; where it has to act, use "
                "await asyncio.to_thread(emulator.wait_for, …)"
            )
        return "\n".join(lines)


def _query(
    kind: str | Sequence[str] | None,
    name: str | None,
    room: str | None,
    text: str | None,
    connection: str | None,
    wire: str | None,
    turn: int | None,
) -> dict[str, Any]:
    kinds = kind if kind is None or isinstance(kind, str) else list(kind)
    asked = {"kind": kinds, "type": name, "room": room, "text": text, "connection": connection, "wire": wire}
    return {key: value for key, value in {**asked, "turn": turn}.items() if value is not None}


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
