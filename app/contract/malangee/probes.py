"""Asks a server of the MaLangEE wire what its rules need: one guest's chat with a turn, a malformed frame, a path that
is none. Speech is left to recordings: what a server hears is no matter of rules.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from app.addresses import is_loopback
from app.contract.checks.rig import Misuse, Plan, Rig
from app.contract.malangee.reading import MALFORMED, NOWHERE

CHAT = "/api/v1/chat/ws/guest-chat"
FEEDS = ("keys", "order", "audio", "end", "errors")
SAID = "Hello, how are you?"
QUIET = 1.0
"""Seconds without a frame after the last one, in which something more would have come."""


async def probe(rig: Rig, plan: Plan) -> None:
    """Asks; the recordings are in the rig afterwards. Raises `NoConnection` and `Misuse`."""
    parts = urlsplit(plan.url)
    if parts.scheme not in ("ws", "wss") or not parts.netloc:
        raise Misuse(f"{plan.url!r} is no address of a server: expected ws://host:port")
    rig.local = is_loopback(parts.hostname or "")

    def at(path: str) -> str:
        return urlunsplit((parts.scheme, parts.netloc, path, "", ""))

    if plan.wants("errors", *FEEDS):
        line = await rig.line("a turn", at(f"{CHAT}/check-{rig.ids.base62(8)}"))
        for text in plan.say or (SAID,):
            rig.turns += 1
            await line.send(json.dumps({"type": "text", "text": text}))
            await line.until(_all("audio.done", "transcript.done"))
        await line.send(json.dumps({"type": "disconnect"}))
        await line.until(lambda text: False, quiet=lambda: QUIET)
    if plan.wants("errors"):
        other = await rig.another("a malformed frame", at(f"{CHAT}/check-{rig.ids.base62(8)}"))
        await other.until(lambda text: True)
        await other.send("{", MALFORMED)
        await other.until(_any("error", "disconnected"))
    if plan.wants("sockets"):
        await rig.another(NOWHERE, at("/api/v1/nowhere"))


def _any(*types: str) -> Callable[[str | None], bool]:
    return lambda text: text is not None and any(f'"{one}"' in text[:80] for one in types)


def _all(*types: str) -> Callable[[str | None], bool]:
    left = set(types)

    def done(text: str | None) -> bool:
        left.difference_update(one for one in types if text is not None and f'"{one}"' in text[:80])
        return not left

    return done
