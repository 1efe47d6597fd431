"""Shapes as JSON Schema, draft 2020-12. PURE.

What is written means the same in draft 07, which AsyncAPI documents speak: no `$defs` in a message, no `prefixItems`,
no keyword beside `$ref`. Two keywords are our own: `x-key-order`, the keys in the order in which they go over the wire,
and `x-multiple-of` for fractions: with `multipleOf` most validators divide binary floating-point numbers, and refuse
one good length in seven.
"""

from __future__ import annotations

from typing import Any

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
    Value,
    Whole,
)
from app.contract.schema.wire import Edition, Json, Message

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TYPES: dict[type, str] = {str: "string", int: "integer", bool: "boolean", type(None): "null"}


def schema_of(shape: Shape) -> Json:
    """The schema that accepts what the shape allows, and nothing else."""
    match shape:
        case Named():
            return schema_of(shape.shape)
        case Text():
            return _text(shape)
        case Phrase():
            return {"type": "string", "pattern": shape.pattern}
        case OneOf():
            return _one_of(shape.values)
        case Whole():
            return _given(type="integer", minimum=shape.least, maximum=shape.most)
        case Number():
            step = {} if shape.step is None else {"x-multiple-of": shape.step}
            return _given(type="number", minimum=shape.least, maximum=shape.most) | step
        case Flag():
            return {"type": "boolean"}
        case Items():
            bounds = _given(minItems=shape.least or None, maxItems=shape.most)
            return {"type": "array", "items": schema_of(shape.of), **bounds}
        case Record():
            return _record(shape)
        case Either():
            return _either(shape.choices)
        case Anything():
            return {}
        case _:
            raise TypeError(f"no JSON Schema for {shape!r}")


def message_schema(message: Message) -> Json:
    """The schema of a message, with its title, its story and its examples; no `$schema` and no `$id`."""
    body = schema_of(message.record)
    return {"title": message.title, "description": message.told, **body, "examples": list(message.examples)}


def message_document(edition: Edition, message: Message) -> Json:
    """One message as a document of its own."""
    return {"$schema": DIALECT, "$id": _id(edition, message.type_name), **message_schema(message)}


def union_document(edition: Edition, kind: str) -> Json:
    """All frames, or all requests: a message fits exactly one."""
    messages = edition.frames if kind == "Frame" else edition.requests
    told = "Everything that the server sends" if kind == "Frame" else "Everything that a client may ask"
    return {
        "$schema": DIALECT,
        "$id": _id(edition, f"{kind}s"),
        "title": f"{edition.title}: {kind.lower()}s",
        "description": f"{told}.",
        "oneOf": [{"$ref": f"#/$defs/{message.type_name}"} for message in messages],
        "$defs": {message.type_name: message_schema(message) for message in messages},
    }


def _id(edition: Edition, name: str) -> str:
    return f"urn:chldo-emulator:schema:{edition.folder.replace('/', ':')}:{name}"


def _given(**keywords: Any) -> Json:
    return {key: value for key, value in keywords.items() if value is not None}


def _text(text: Text) -> Json:
    lengths = _given(minLength=text.least or None, maxLength=text.most)
    rest = _given(pattern=text.pattern, contentMediaType=text.media, examples=list(text.examples) or None)
    return {"type": "string", **lengths, **rest}


def _one_of(values: tuple[Value, ...]) -> Json:
    types = list(dict.fromkeys(TYPES[type(value)] for value in values))
    kind: Json = {"type": types[0] if len(types) == 1 else types}
    return {**kind, "const": values[0]} if len(values) == 1 else {**kind, "enum": list(values)}


def _either(choices: tuple[Shape, ...]) -> Json:
    """`null` goes into the `type` of a single other choice; everything else is `anyOf`."""
    schemas = [schema_of(choice) for choice in choices]
    others = [schema for schema in schemas if schema != {"type": "null", "const": None}]
    if len(others) == 1 and len(schemas) == 2:
        other = others[0]
        if isinstance(other.get("type"), str) and not other.keys() & {"const", "enum"}:
            return {**other, "type": [other["type"], "null"]}
    return {"anyOf": schemas}


def _key(key: Key) -> Json:
    told = {"description": key.meaning} if key.meaning else {}
    return {**told, **schema_of(key.shape)}


def _record(record: Record) -> Json:
    names = [key.name for key in record.keys]
    body: Json = {
        "type": "object",
        "properties": {key.name: _key(key) for key in record.keys},
        "required": [key.name for key in record.keys if key.required],
        "additionalProperties": record.open,
    }
    return {**body, "x-key-order": names} if record.ordered and len(names) > 1 else body
