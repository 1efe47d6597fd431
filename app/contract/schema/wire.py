"""What a wire says of itself: the one interface between a wire and the documents. PURE.

To bring a wire, write a module (or a folder) here that makes a `Wire`, and add its line to `registry`. Nothing else
knows which wires there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.contract.schema.shapes import Named, OneOf, Record, Shape

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """A kind of message.

    `name`: in PascalCase, each once among the frames of an edition and once among its requests.
    `kind`: `Frame` (the server sends it) or `Request` (a client does).
    `title`: what the wire calls it. `told`: when it is sent or what it asks, in whole sentences.
    `examples`: messages as they go over the wire, at least one.
    """

    name: str
    kind: str
    title: str
    told: str
    record: Record
    examples: tuple[Json, ...]

    @property
    def type_name(self) -> str:
        """What its type is called: `StartFrame`, `SendmsgRequest`."""
        return f"{self.name}{self.kind}"


@dataclass(frozen=True, slots=True)
class Server:
    """Where the wire is spoken. `host` may have gaps, `{port}`, that `variables` fill with a default."""

    name: str
    host: str
    protocol: str
    told: str
    variables: tuple[tuple[str, str, str], ...] = ()
    """(name, default, meaning) each."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A WebSocket endpoint. `address` may have gaps, `{session_id}`, that `parameters` explain: (name, meaning)."""

    name: str
    address: str
    told: str
    query: Record
    parameters: tuple[tuple[str, str], ...] = ()
    frames: tuple[str, ...] | None = None
    """Names of the frames that are sent here; None: all."""
    requests: tuple[str, ...] | None = None
    """Names of the requests that are taken here; None: all."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What may answer a request: names of frames, in the order in which they are first met."""

    request: str
    frames: tuple[str, ...]
    told: str


@dataclass(frozen=True, slots=True)
class Edition:
    """One state of a wire that a client can choose: a dated revision, a dialect, a profile.

    `id`: as users type it; "" for a wire that has one state only. `marks`: the keys whose constant values tell kinds of
    frames apart, the most telling first. `license`: (name, address or "") of the description.
    """

    wire: str
    id: str
    title: str
    told: str
    frames: tuple[Message, ...]
    requests: tuple[Message, ...]
    marks: tuple[str, ...]
    servers: tuple[Server, ...]
    channels: tuple[Channel, ...]
    exchanges: tuple[Exchange, ...]
    default: bool = False

    @property
    def folder(self) -> str:
        """Where its documents stand: `chldo/2024-11-13`."""
        return f"{self.wire}/{self.id}" if self.id else self.wire

    @property
    def module(self) -> str:
        """The name of its modules: `chldo_2024_11_13`."""
        return self.folder.replace("/", "_").replace("-", "_").replace(".", "_")

    @property
    def messages(self) -> tuple[Message, ...]:
        """Frames, then requests."""
        return (*self.frames, *self.requests)


@dataclass(frozen=True, slots=True)
class Wire:
    """An emulated service. `editions` may take a moment; it is called off the event loop."""

    name: str
    title: str
    editions: Callable[[], Sequence[Edition]]


def constants(record: Record, key: str) -> tuple[object, ...]:
    """The values that `key` may have, if it is there and only has some fixed ones; else none."""
    shape: Shape | None = next((known.shape for known in record.keys if known.name == key), None)
    while isinstance(shape, Named):
        shape = shape.shape
    return shape.values if isinstance(shape, OneOf) else ()
