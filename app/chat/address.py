"""Where the client talks to, and what it sends there."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from http.client import HTTPException
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import ProxyHandler, build_opener

from app.addresses import is_loopback

ROOM_TIMEOUT: Final = 5.0
"""Seconds the server has for a new room_uid, before the client makes one up."""
SERVICE: Final = ("ws.api.chldo.com", "info.api.chldo.com")
"""The real service hands out room ids on another host than the one it talks on."""

_FLAT = "2023-12-28"
_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
_VERSIONED = re.compile(r"(?P<prefix>.*)/(?P<version>v\d+)/?")


class ChatMisuse(ValueError):
    """The command cannot do what it was asked to; the text is one line without the key."""


@dataclass(frozen=True, slots=True)
class Address:
    """A server, as a URL names it.

    `socket`: the WebSocket URL without its query. `http`: the base of plain requests, no slash at its end.
    `revision`: the one that is spoken there, "" if the server chooses. `local`: on this machine, so no proxy leads to
    it.
    """

    socket: str
    query: str
    http: str
    revision: str
    local: bool

    @classmethod
    def of(cls, url: str, revision: str | None = None) -> Address:
        """Reads a ws, wss, http or https URL; without a path it means /v3/. Raises ChatMisuse.

        `revision` takes the place of the one that the URL asks for.
        """
        try:
            parts = urlsplit(url.strip())
            host, port = parts.hostname or "", parts.port
        except ValueError:  # whose text may quote a password
            raise ChatMisuse("the URL cannot be read: expected ws://HOST:PORT/PATH") from None
        scheme = _SCHEMES.get(parts.scheme)
        if scheme is None or not host:
            raise ChatMisuse("the URL must begin with ws:// or wss://, like ws://127.0.0.1:8765/v3/")
        path = parts.path if parts.path.strip("/") else "/v3/"
        prefix, version = "", ""
        if versioned := _VERSIONED.fullmatch(path):
            prefix, version = versioned.group("prefix", "version")
            path = f"{prefix}/{version}/"
        query = _revised(parts.query, revision) if revision else parts.query
        asked = parse_qs(query).get("revision", [""])[-1]
        info = SERVICE[1] if host == SERVICE[0] and port is None else parts.netloc
        return cls(
            socket=f"{scheme}://{parts.netloc}{path}",
            query=query,
            http=f"{'https' if scheme == 'wss' else 'http'}://{info}{prefix}",
            revision=asked or (_FLAT if version == "v1" else ""),
            local=is_loopback(host),
        )

    @property
    def flat(self) -> bool:
        """Whether revision 2023-12-28 is spoken there."""
        return self.revision == _FLAT

    def given(self, key: str) -> str | None:
        """A value of the URL's own query."""
        return parse_qs(self.query).get(key, [None])[0]

    def joined(self, room_uid: str, user: str) -> str:
        """The URL to connect to. What its query has already stays as it is."""
        there = parse_qs(self.query, keep_blank_values=True)
        missing = {key: value for key, value in (("room_uid", room_uid), ("user_uid", user)) if key not in there}
        return f"{self.socket}?{'&'.join(filter(None, (self.query, urlencode(missing))))}"

    def __str__(self) -> str:
        """For people: no query and no password."""
        return re.sub(r"//[^/]*@", "//", self.socket)


def _revised(query: str, revision: str) -> str:
    others = [part for part in query.split("&") if part and part.partition("=")[0] != "revision"]
    return "&".join((*others, urlencode({"revision": revision})))


def fresh_room(address: Address) -> str | None:
    """A new room_uid from the server's info endpoint; None if it has none to give within `ROOM_TIMEOUT`."""
    opener = build_opener(ProxyHandler({})) if address.local else build_opener()
    try:
        with opener.open(f"{address.http}/{'v1' if address.flat else 'v3'}/room/uid/", timeout=ROOM_TIMEOUT) as answer:
            room = json.loads(answer.read(4096))["room_uid"]
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return None
    return room if isinstance(room, str) and room else None


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and how: the fields that every request has. None leaves the choice to the server.

    `filename`: an uploaded image that every message is about. `choices`: how many to ask for after every answer.
    """

    room_uid: str
    user: str
    api_key: str = ""
    org_id: str = ""
    return_voice: int | None = None
    scene: int | None = None
    language: str | None = None
    choices: int | None = None
    filename: str | None = None
    flat: bool = False

    def request(self, msg: str) -> str:
        """The text message that asks `msg`."""
        said = msg.encode("utf-8", "replace").decode()
        return self._body(
            "sendmessage" if self.flat else "sendmsg", msg=said, filename=self.filename, use_choices=self.choices
        )

    def greeting(self, number: int) -> str:
        """The text message that asks for a greeting of the space."""
        return self._body("greeting", greeting_number=number)

    def _body(self, action: str, **own: object) -> str:
        body: dict[str, object] = {"action": action, "room_uid": self.room_uid}
        body["user_uid" if self.flat else "user_id"] = self.user
        body |= {key: value for key, value in own.items() if value is not None}
        if self.api_key and not self.flat:
            body["api_key"] = self.api_key
        if self.org_id:
            body["org_id"] = self.org_id
        manner = {"return_voice": self.return_voice, "scene_number": self.scene, "language": self.language}
        body |= {key: value for key, value in manner.items() if value is not None}
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
