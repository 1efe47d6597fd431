"""An edition as a Python module: pydantic models of all messages that need nothing but pydantic. PURE.

The models hold the same rules as the JSON Schemas, and `x-multiple-of`, too.
"""

from __future__ import annotations

import json
import keyword
from collections.abc import Iterable, Iterator

from pydantic import BaseModel

from app.contract.schema.layout import Bracketed, Joined, flat, laid_out
from app.contract.schema.preamble import BASE, CHOOSING, EXACTLY, NOT_NULL, STEPS
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
    parts_of,
)
from app.contract.schema.wire import Edition, Message
from app.contract.schema.wording import GENERATED, pascal, sentence, wrapped

WIDTH = 110
_TAKEN = {*dir(BaseModel), "encode"}
Expression = str | Bracketed | Joined


def python_module(edition: Edition) -> str:
    """The whole module."""
    writer = _Writer(edition)
    parts = [*writer.aliases(), *(part for message in edition.messages for part in writer.model(message))]
    unions = [
        *_union("Frame", "Everything that the server sends.", edition.frames),
        *_union("ClientRequest", "Everything that a client may ask.", edition.requests),
    ]
    parsers = [
        _parser("frame", "Frame", "The frame that a text from the server holds."),
        _parser("request", "ClientRequest", "The request that a text from a client holds."),
    ]
    sections = [_head(edition, parts), BASE, *parts, CHOOSING, *unions, *parsers]
    return "\n\n\n".join(section.rstrip("\n") for section in sections) + "\n"


def _head(edition: Edition, parts: Iterable[str]) -> str:
    """Docstring, imports (only what is used), constants."""
    lines = [*_docstring(f"{edition.title}.\n\n{edition.told}\n\n{GENERATED}", 0), ""]
    names = ["BaseModel", "ConfigDict", "Discriminator", "Field", "Tag", "TypeAdapter"]
    if any("BeforeValidator" in part for part in parts):
        names.insert(1, "BeforeValidator")
    if any("AfterValidator" in part for part in parts):
        names.insert(0, "AfterValidator")
    lines += [
        "# ruff: noqa: E501",
        "",
        "from typing import Annotated, Any, Literal, get_args, get_origin",
        "",
    ]
    lines += [f"from pydantic import {', '.join(names)}", ""]
    if edition.id:
        lines += [f'REVISION = "{edition.id}"', '"""What these models describe."""', ""]
    lines.append(f"_MARKS = {flat(Bracketed('', tuple(map(_literal, edition.marks)), '()'))}")
    return "\n".join(lines)


class _Writer:
    """Writes the models of one edition; gives every object inside a message a class of its own."""

    def __init__(self, edition: Edition) -> None:
        self._edition = edition

    def aliases(self) -> Iterator[str]:
        """Named shapes, inner ones first, each once."""
        known: dict[str, Named] = {}
        for message in self._edition.messages:
            for named in named_in(message.record):
                known.setdefault(named.name, named)
        shapes = [shape for message in self._edition.messages for shape in parts_of(message.record)]
        if any(isinstance(shape, Number) and shape.step for shape in shapes):
            yield STEPS
        if any(_needs_exactness(shape) for shape in shapes):
            yield EXACTLY
        keys = [key for shape in shapes if isinstance(shape, Record) for key in shape.keys]
        if any(not key.required and not _takes_null(key.shape) for key in keys):
            yield NOT_NULL
        for named in known.values():
            if isinstance(named.shape, Record) and named.shape.keys:
                yield from self._class(named.name, sentence(named.meaning), named.shape)
            else:
                expression = self._type(named.shape, named.name)
                yield "\n".join([*laid_out(expression, 0, f"{named.name} = "), f'"""{sentence(named.meaning)}"""'])

    def model(self, message: Message) -> Iterator[str]:
        """The class of a message, after those of the objects within it."""
        told = f"`{message.title}`: {message.told}"
        yield from self._class(message.type_name, sentence(told), message.record)

    def _class(self, name: str, told: str, record: Record) -> Iterator[str]:
        for key in record.keys:
            yield from self._inner(f"{name}{pascal(key.name)}", key.shape, name)
        lines = [f"class {name}(_Message):", *_docstring(told, 4), ""]
        if record.open:
            lines += ['    model_config = ConfigDict(extra="allow")', ""]
        for key in record.keys:
            lines += self._field(name, key)
        yield "\n".join(lines)

    def _inner(self, name: str, shape: Shape, owner: str) -> Iterator[str]:
        """Classes for the unnamed objects in a value."""
        match shape:
            case Record() if shape.keys:
                yield from self._class(name, f"Within `{owner}`.", shape)
            case Items():
                yield from self._inner(f"{name}Item", shape.of, owner)
            case Either():
                for number, choice in enumerate(shape.choices, 1):
                    yield from self._inner(f"{name}{number}", choice, owner)
            case _:
                return

    def _field(self, owner: str, key: Key) -> list[str]:
        name, default = _attribute(key.name), "" if key.required else " = None"
        if name != key.name:
            default = f" = Field({'' if key.required else 'None, '}alias={_literal(key.name)})"
        kind = self._type(key.shape, f"{owner}{pascal(key.name)}")
        if not key.required and not _takes_null(key.shape):
            kind = Bracketed("Annotated", (Joined((kind, "None")), "BeforeValidator(_not_null)"))
        told = _docstring(sentence(key.meaning), 4) if key.meaning else []
        return [*laid_out(kind, 4, f"{name}: ", default), *told]

    def _type(self, shape: Shape, name: str) -> Expression:
        """A shape as a type expression; `name`: that of the class if it is an object without a name."""
        match shape:
            case Named():
                return shape.name
            case Text():
                return _annotated("str", pattern=shape.pattern, min_length=shape.least or None, max_length=shape.most)
            case Phrase():
                return _annotated("str", pattern=shape.pattern)
            case OneOf():
                return _one_of(shape)
            case Whole():
                return _annotated("int", ge=shape.least, le=shape.most)
            case Number():
                return _number(shape)
            case Flag():
                return "bool"
            case Items():
                inner = Bracketed("list", (self._type(shape.of, f"{name}Item"),))
                return _annotated(inner, min_length=shape.least or None, max_length=shape.most)
            case Record():
                if shape.keys:
                    return name
                return _annotated("dict[str, Any]", max_length=None if shape.open else 0)
            case Either():
                return Joined(tuple(self._type(choice, f"{name}{n}") for n, choice in enumerate(shape.choices, 1)))
            case Anything():
                return "Any"
            case _:
                raise TypeError(f"no Python type for {shape!r}")


def _attribute(key: str) -> str:
    """A key as the name of an attribute: one that Python or pydantic has a use for gets an underscore at its end."""
    if key.isidentifier() and not keyword.iskeyword(key) and not key.startswith(("_", "model_")) and key not in _TAKEN:
        return key
    name = "".join(letter if letter.isalnum() else "_" for letter in key).strip("_")
    if not name[:1].isalpha():
        return f"key_{name}"
    return name if name != key and name not in _TAKEN and not keyword.iskeyword(name) else f"{name}_"


def _takes_null(shape: Shape) -> bool:
    match shape:
        case Named():
            return _takes_null(shape.shape)
        case Either():
            return any(_takes_null(choice) for choice in shape.choices)
        case OneOf():
            return None in shape.values
        case _:
            return isinstance(shape, Anything)


def _literal(value: object) -> str:
    """A constant as Python writes it, in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _needs_exactness(shape: Shape) -> bool:
    return isinstance(shape, OneOf) and any(isinstance(value, int) for value in shape.values)


def _one_of(shape: OneOf) -> Expression:
    if shape.values == (None,):
        return "None"
    literal = Bracketed("Literal", tuple(map(_literal, shape.values)))
    if not _needs_exactness(shape):
        return literal
    types = dict.fromkeys("type(None)" if value is None else type(value).__name__ for value in shape.values)
    return Bracketed("Annotated", (literal, Bracketed("_exactly", tuple(types), "()")))


def _raw(pattern: str) -> str:
    if '"' not in pattern:
        return f'r"{pattern}"'
    return f"r'{pattern}'" if "'" not in pattern else _literal(pattern)


def _annotated(kind: Expression, **rules: object) -> Expression:
    given = [
        f"{rule}={_raw(value) if rule == 'pattern' and isinstance(value, str) else value}"
        for rule, value in rules.items()
        if value is not None
    ]
    return Bracketed("Annotated", (kind, Bracketed("Field", tuple(given), "()"))) if given else kind


def _number(number: Number) -> Expression:
    bounds = {"ge": number.least, "le": number.most}
    given = tuple(f"{rule}={value}" for rule, value in bounds.items() if value is not None)
    rules = (Bracketed("Field", given, "()"),) if given else ()
    steps = (f"_in_steps_of({number.step})",) if number.step is not None else ()
    return Bracketed("Annotated", ("int | float", *rules, *steps)) if rules or steps else "int | float"


def _docstring(text: str, indent: int) -> list[str]:
    lines = wrapped(text.replace("\\", "\\\\").replace('"""', "'''"), WIDTH - indent)
    before = " " * indent
    if len(lines) == 1:
        return [f'{before}"""{lines[0]}"""']
    return [f'{before}"""{lines[0]}', *(f"{before}{line}".rstrip() for line in lines[1:]), f'{before}"""']


def _union(name: str, told: str, messages: Iterable[Message]) -> Iterator[str]:
    """The tuple of the models, then the type that picks among them."""
    names = [message.type_name for message in messages]
    models = f"_{name.removeprefix('Client').upper()}S"
    listed = laid_out(Bracketed("", tuple(names), "()"), 0, f"{models}: tuple[type[BaseModel], ...] = ")
    yield "\n".join(listed)
    tagged = tuple(Bracketed("Annotated", (each, f'Tag("{each}")')) for each in names)
    chosen = f"Discriminator(lambda message: _kind_of(message, {models}))"
    union = laid_out(Bracketed("Annotated", (Joined(tagged), chosen)), 0, f"{name} = ")
    yield "\n".join([*union, f'"""{told}"""', "", f"_{name}: TypeAdapter[{name}] = TypeAdapter({name})"])


def _parser(what: str, name: str, told: str) -> str:
    return f'''\
def parse_{what}(text: str | bytes) -> {name}:
    """{told} Raises `pydantic.ValidationError`, a ValueError that says what is wrong."""
    return _{name}.validate_json(text)'''
