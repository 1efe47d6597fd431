"""An edition as a TypeScript module: types of all messages, and unions that `switch` narrows. PURE.

What TypeScript's types cannot say (patterns, bounds) stands in the comments. A frame without one of the keys that tell
frames apart declares it as `never`, so that the key can be asked of any frame.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from app.contract.schema.shapes import (
    Anything,
    Either,
    Flag,
    Items,
    Key,
    Named,
    Number,
    OneOf,
    Phrase,
    Record,
    Shape,
    Text,
    Whole,
    named_in,
)
from app.contract.schema.wire import Edition, Message, constants
from app.contract.schema.wording import GENERATED, sentence, wrapped

WIDTH = 110
_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


def typescript_module(edition: Edition) -> str:
    """The whole module."""
    lines = [*_comment(f"{edition.title}.\n\n{edition.told}\n\n{GENERATED}")]
    if edition.id:
        lines += ["", *_comment("What these types describe."), f"export const REVISION = {_literal(edition.id)};"]
    known: dict[str, Named] = {}
    for message in edition.messages:
        for named in named_in(message.record):
            if known.setdefault(named.name, named) != named:
                raise ValueError(f"{edition.folder}: two shapes are named {named.name}")
    for named in known.values():
        lines += ["", *_named(named)]
    telling = [key for key in edition.marks if sum(bool(constants(f.record, key)) for f in edition.frames) > 1]
    for message in edition.messages:
        there = {key.name for key in message.record.keys}
        absent = [key for key in telling if key not in there and message.kind == "Frame"]
        lines += ["", *_interface(message, absent)]
    lines += ["", *_union("Frame", "Everything that the server sends.", edition.frames)]
    lines += ["", *_union("ClientRequest", "Everything that a client may ask.", edition.requests)]
    return "\n".join(lines) + "\n"


def type_of(shape: Shape) -> str:
    """A shape as a type expression."""
    match shape:
        case Named():
            return shape.name
        case Text():
            return "string"
        case Phrase():
            return f"`{''.join(_part(part) for part in shape.parts)}`"
        case OneOf():
            return " | ".join(_literal(value) for value in shape.values)
        case Whole() | Number():
            return "number"
        case Flag():
            return "boolean"
        case Items():
            return _array(shape)
        case Record():
            return _object(shape)
        case Either():
            return " | ".join(dict.fromkeys(type_of(choice) for choice in shape.choices))
        case Anything():
            return "unknown"
        case _:
            raise TypeError(f"no TypeScript type for {shape!r}")


def _literal(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _part(part: str | type) -> str:
    if isinstance(part, str):
        return re.sub(r"[`\\]|\$\{", r"\\\g<0>", part)
    return "${number}" if part is int else "${string}"


def _array(items: Items) -> str:
    if items.most == 0:
        return "[]"
    inner = type_of(items.of)
    if items.least == items.most == 1:
        return f"[{inner}]"
    return f"({inner})[]" if " | " in inner else f"{inner}[]"


def _object(record: Record) -> str:
    if not record.keys:
        return f"Record<string, {'unknown' if record.open else 'never'}>"
    rest = ["[key: string]: unknown"] if record.open else []
    return f"{{ {'; '.join([*(_member(key) for key in record.keys), *rest])} }}"


def _member(key: Key) -> str:
    name = key.name if _PLAIN_KEY.fullmatch(key.name) else _literal(key.name)
    return f"{name}{'' if key.required else '?'}: {type_of(key.shape)}"


def _comment(text: str, indent: str = "") -> list[str]:
    lines = wrapped(text.replace("*/", "*\\/"), WIDTH - len(indent))
    if len(lines) == 1:
        return [f"{indent}/** {lines[0]} */"]
    return [f"{indent}/**", *(f"{indent} * {line}".rstrip() for line in lines), f"{indent} */"]


def _named(named: Named) -> Iterator[str]:
    if isinstance(named.shape, Record) and named.shape.keys:
        yield from _comment(sentence(named.meaning))
        yield from _body(named.name, named.shape)
        return
    pattern = f"\n\n@pattern {named.shape.pattern}" if isinstance(named.shape, Text) and named.shape.pattern else ""
    yield from _comment(f"{sentence(named.meaning)}{pattern}")
    yield f"export type {named.name} = {type_of(named.shape)};"


def _interface(message: Message, absent: list[str]) -> Iterator[str]:
    yield from _comment(sentence(f"`{message.title}`: {message.told}"))
    yield from _body(message.type_name, message.record, absent)


def _body(name: str, record: Record, absent: Iterable[str] = ()) -> Iterator[str]:
    yield f"export interface {name} {{"
    for key in record.keys:
        if key.meaning:
            yield from _comment(sentence(key.meaning), "  ")
        yield f"  {_member(key)};"
    for missing in absent:
        yield "  /** Not there; declared so that it can be asked of any frame. */"
        yield f"  {missing}?: never;"
    if record.open:
        yield "  [key: string]: unknown;"
    yield "}"


def _union(name: str, told: str, messages: Iterable[Message]) -> Iterator[str]:
    yield from _comment(told)
    yield f"export type {name} ="
    names = [message.type_name for message in messages]
    for type_name in names:
        yield f"  | {type_name}{';' if type_name == names[-1] else ''}"
