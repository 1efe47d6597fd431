"""Which recorded request is the one a client makes. PURE.

Requests are the same if they say the same: the same names and values, in whatever order and spacing. Who asks, with
what key and when does not count (`identifiers.names_identity`, and what stands on a tape as a placeholder), except to
choose among several that say the same.

Of those, in a conversation the nth such request gets the nth recorded answer, and the last one again when there are no
more. What the same one asked comes first, then what follows on the tape that the connection is on.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from unicodedata import normalize

from app.emulation.placeholders import PLACEHOLDER, Placeholders
from app.emulation.replay.exchanges import Exchange
from app.emulation.replay.identifiers import Scalar, names_identity
from app.emulation.replay.leaves import leaves
from app.emulation.replies import Mismatch, Miss

MOST_COMPARED = 5_000
"""Recorded requests that an explanation looks at: it is made while others wait for the loop."""

_ANYONE = "*"
_LONGEST_SHOWN = 60

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as far as it is compared. `key`: what it says; `fields`: the same, by name, for explanations;
    `identity`: who asks.
    """

    key: str
    fields: Mapping[str, str]
    identity: Mapping[Path, Scalar]

    def named(self, name: str) -> Scalar:
        """The identity that a field of this name gives, wherever it stands."""
        return next((value for path, value in self.identity.items() if path and path[-1] == name), None)


def asked(message: str | bytes, identities: Collection[str] = ()) -> Asked:
    """What a message asks. `identities`: further names of fields that only say who asks."""
    if isinstance(message, bytes):
        digest = hashlib.sha256(message).hexdigest()
        return Asked(f"data {digest}", {"data": f"{len(message)} bytes, sha256 {digest[:12]}…"}, {})
    found = leaves(message)
    if found is None:
        said = PLACEHOLDER.sub("redacted", Placeholders().text(normalize("NFC", message)))
        return Asked(f"text {said}", {"text": _shown(said)}, {})
    identity = {
        leaf.path: leaf.value
        for leaf in found
        if names_identity(leaf.key, leaf.value)
        or (leaf.key in identities and leaf.value not in (None, ""))
        or (isinstance(leaf.value, str) and PLACEHOLDER.fullmatch(leaf.value))
    }
    fields: dict[str, str] = {}
    said = _canonical(json.loads(message), (), identity, fields)
    return Asked(f"json {json.dumps(said, ensure_ascii=False, sort_keys=True)}", fields, identity)


def secret_names(messages: Iterable[str]) -> set[str]:
    """The names of fields that a recording has hidden."""
    return {
        leaf.key
        for message in messages
        for leaf in leaves(message) or ()
        if leaf.key and isinstance(leaf.value, str) and PLACEHOLDER.fullmatch(leaf.value)
    }


def _canonical(value: Any, path: Path, identity: Mapping[Path, Scalar], fields: dict[str, str]) -> Any:
    """`value` with identities masked and equal things written the same; names and values go into `fields`."""
    if isinstance(value, dict):
        return {name: _canonical(member, (*path, name), identity, fields) for name, member in value.items()}
    if isinstance(value, list):
        return [_canonical(member, (*path, number), identity, fields) for number, member in enumerate(value)]
    if path in identity:
        fields[".".join(map(str, path))] = "…"
        return _ANYONE
    if isinstance(value, str):
        value = PLACEHOLDER.sub("redacted", Placeholders().text(normalize("NFC", value)))
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    fields[".".join(map(str, path))] = _shown(value)
    return value


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded request. `tape` and `place` order them all."""

    asked: Asked
    exchange: Exchange
    tape: int
    place: int


@dataclass(slots=True)
class Conversation:
    """What has been asked in a conversation."""

    used: set[tuple[int, int]] = field(default_factory=set)
    last: dict[str, Recorded] = field(default_factory=dict)


@dataclass(slots=True)
class Thread:
    """The tape that a connection is on, and how far."""

    tape: int = -1
    place: int = -1


class RequestBook:
    """All recorded requests, by what they say."""

    def __init__(self, recorded: Iterable[Recorded]) -> None:
        self.recorded = tuple(recorded)
        self._by_key: dict[str, list[Recorded]] = {}
        self._binary: list[Recorded] = []
        for one in self.recorded:
            self._by_key.setdefault(one.asked.key, []).append(one)
            if one.exchange.request is not None and one.exchange.request.data is not None:
                self._binary.append(one)

    def find(self, asks: Asked, conversation: Conversation, thread: Thread) -> Recorded | None:
        """The recorded request that answers, which then counts as used; None if there is none.

        A binary message that is not on the tapes stands for the next binary one that is: sound and pictures are never
        the same twice.
        """
        candidates = self._by_key.get(asks.key)
        if candidates is not None:
            unused = [one for one in candidates if (one.tape, one.place) not in conversation.used]
            found = min(unused, key=lambda one: self._distance(one, asks, thread)) if unused else None
        elif asks.key.startswith("data ") and self._binary:
            candidates = self._binary
            found = self._next_binary(conversation, thread)
        else:
            return None
        if found is None:
            found = conversation.last.get(asks.key, candidates[-1])
        conversation.used.add((found.tape, found.place))
        conversation.last[asks.key] = found
        thread.tape, thread.place = found.tape, found.place
        return found

    def _next_binary(self, conversation: Conversation, thread: Thread) -> Recorded | None:
        at = bisect_right(self._binary, (thread.tape, thread.place), key=lambda one: (one.tape, one.place))
        if at < len(self._binary) and self._binary[at].tape == thread.tape:
            return self._binary[at]
        return next((one for one in self._binary if (one.tape, one.place) not in conversation.used), None)

    @staticmethod
    def _distance(one: Recorded, asks: Asked, thread: Thread) -> tuple[int, bool, int, int]:
        follows = one.tape == thread.tape and one.place > thread.place
        same = sum(asks.identity.get(path) == value for path, value in one.asked.identity.items())
        return -same, not follows, one.tape, one.place

    def nearest(self, asks: Asked, count: int = 3) -> tuple[Miss, ...]:
        """The recorded requests that come nearest, and the fields in which they differ."""
        ranked = []
        seen: set[str] = set()
        for number, one in enumerate(self.recorded[:MOST_COMPARED]):
            if one.asked.key in seen:
                continue
            seen.add(one.asked.key)
            differing = _differing(one.asked.fields, asks.fields)
            likeness = sum(_likeness(wanted, got) for _, wanted, got in differing)
            ranked.append((len(differing) - likeness, number, differing))
        ranked.sort(key=lambda rank: rank[:2])
        return tuple(
            Miss(self.recorded[number].exchange.source, tuple(Mismatch(*one) for one in differing[:5]))
            for _, number, differing in ranked[:count]
        )


def _differing(recorded: Mapping[str, str], fields: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Name, recorded value and value of what is not the same."""
    names = dict.fromkeys((*recorded, *fields))
    return [
        (name or "message", recorded.get(name, "nothing"), fields.get(name, "nothing"))
        for name in names
        if recorded.get(name) != fields.get(name)
    ]


def _likeness(one: str, other: str) -> float:
    """How alike two shown values are: 0 (not at all) to 1."""
    pairs, others = ({text[at : at + 2] for at in range(len(text) - 1)} for text in (one, other))
    return 2 * len(pairs & others) / (len(pairs) + len(others)) if pairs and others else 0.0


def _shown(value: object) -> str:
    if isinstance(value, str) and len(value) > _LONGEST_SHOWN:
        digest = hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[:6]
        return json.dumps(f"{value[:_LONGEST_SHOWN]}…", ensure_ascii=False) + f" ({len(value)} characters, {digest})"
    return json.dumps(value, ensure_ascii=False)
