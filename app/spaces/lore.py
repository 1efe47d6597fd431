"""What a space says and knows, in the form in which the database keeps it: one JSON text and its digest.

Memories may be thousands. Whoever knows the digest need not read, send or parse the text again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, Final

import orjson

from app.spaces.models import Greeting, Memory, Scene, Space
from app.spaces.text import storable

FIELDS = ("greetings", "scenes", "memories")
"""What of `Space` is lore."""


@dataclass(frozen=True, slots=True)
class Lore:
    """A space's greetings, scenes and memories. `known`: its memories by uid."""

    greetings: tuple[Greeting, ...] = ()
    scenes: tuple[Scene, ...] = ()
    memories: tuple[Memory, ...] = ()
    known: dict[str, Memory] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", {memory.uid: memory for memory in self.memories})

    def of(self, space: Space) -> Space:
        """The space with this lore. The tuples are the same objects for as long as the lore is cached."""
        return replace(space, greetings=self.greetings, scenes=self.scenes, memories=self.memories)


NONE: Final = Lore()


@dataclass(frozen=True, slots=True)
class Sealed:
    """Lore as it is stored. `digest` is 32 hexadecimal digits, "" without lore; `content` is JSON."""

    lore: Lore
    digest: str
    content: str


def seal(space: Space) -> Sealed:
    """The lore of a space; in texts that no database takes, the same is replaced as everywhere (`storable`)."""
    plain = {name: getattr(space, name) for name in FIELDS}
    if not any(plain.values()):
        return Sealed(NONE, "", "")
    try:
        content = orjson.dumps(plain)
    except orjson.JSONEncodeError:
        content = b""  # half a surrogate pair
    if not content or b"\\u0000" in content:
        plain = {name: tuple(_storable(item) for item in items) for name, items in plain.items()}
        content = orjson.dumps(plain)
    return Sealed(Lore(**plain), blake2b(content, digest_size=16).hexdigest(), content.decode())


def unseal(content: str) -> Lore:
    """The lore of a stored text."""
    plain = orjson.loads(content)
    return Lore(
        tuple(Greeting(**item) for item in plain["greetings"]),
        tuple(Scene(**item) for item in plain["scenes"]),
        tuple(_memory(**item) for item in plain["memories"]),
    )


def _memory(variants: list[str], entries: list[list[str]] | None, **rest: Any) -> Memory:
    return Memory(
        variants=tuple(variants), entries=None if entries is None else tuple((k, v) for k, v in entries), **rest
    )


def _storable(item: Any) -> Any:
    """The item with every text in it as both databases can hold it."""
    changed = {name: _clean(getattr(item, name)) for name in item.__slots__}
    return replace(item, **changed)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    return tuple(_clean(member) for member in value) if isinstance(value, tuple) else value
