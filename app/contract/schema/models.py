"""An edition as a Python module: pydantic models of all messages that need nothing but pydantic. PURE.

The models hold the same rules as the JSON Schemas, and `x-multiple-of`, too.
"""

from __future__ import annotations

import json
import keyword
from collections.abc import Iterable, Iterator

from app.contract.schema.layout import Bracketed, Joined, flat, laid_out
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
Expression = str | Bracketed | Joined

_BASE = '''\
class _Message(BaseModel):
    """Exactly these keys, with values of exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    def encode(self) -> str:
        """The message as compact JSON text, keys in the order of the wire; those that were left out stay out."""
        return self.model_dump_json(by_alias=True, exclude_unset=True)
'''

_STEPS = '''\
def _in_steps_of(step: float) -> AfterValidator:
    """A check that a number is a whole multiple of `step`."""

    def check(value: float) -> float:
        if abs(value / step - round(value / step)) > 1e-6:
            raise ValueError(f"must be a multiple of {step}")
        return value

    return AfterValidator(check)
'''

_EXACTLY = '''\
def _exactly(*types: type) -> BeforeValidator:
    """A check of the type itself: to Python, `True` is 1, to JSON it is not."""

    def check(value: object) -> object:
        if type(value) not in types:
            raise ValueError(f"must not be of type {type(value).__name__}")
        return value

    return BeforeValidator(check)
'''

_CHOOSING = '''\
def _constants(annotation: Any) -> tuple[Any, ...]:
    """The values that a field may have, if there are only some."""
    if annotation is type(None):
        return (None,)
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _likeness(model: type[BaseModel], body: dict[str, Any]) -> tuple[int, int]:
    """How well a message fits a model: by the keys that tell messages apart, then by all keys."""
    marks = 0
    for key in _MARKS:
        field = model.model_fields.get(key)
        if (field is None) != (key not in body):
            marks -= 1
        elif field is not None and (wanted := _constants(field.annotation)):
            marks += 1 if body[key] in wanted else -1
    return marks, -len(model.model_fields.keys() ^ body.keys())


def _kind_of(message: Any, models: tuple[type[BaseModel], ...]) -> str:
    """The name of the model that a message is meant for."""
    body = message if isinstance(message, dict) else getattr(message, "__dict__", {})
    return max(models, key=lambda model: _likeness(model, body)).__name__
'''


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
    sections = [_head(edition, parts), _BASE, *parts, _CHOOSING, *unions, *parsers]
    return "\n\n\n".join(section.rstrip("\n") for section in sections) + "\n"


def _head(edition: Edition, parts: Iterable[str]) -> str:
    """Docstring, imports (only what is used), constants."""
    lines = [f'"""{edition.title}.', "", *wrapped(edition.told, WIDTH), "", *wrapped(GENERATED, WIDTH), '"""', ""]
    names = ["BaseModel", "ConfigDict", "Discriminator", "Field", "Tag", "TypeAdapter"]
    if any("BeforeValidator" in part for part in parts):
        names.insert(1, "BeforeValidator")
    if any("AfterValidator" in part for part in parts):
        names.insert(0, "AfterValidator")
    lines += ["# ruff: noqa: E501, N815", "", "from typing import Annotated, Any, Literal, get_args, get_origin", ""]
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
        if any(isinstance(named.shape, Number) and named.shape.step for named in known.values()):
            yield _STEPS
        if any(_needs_exactness(shape) for message in self._edition.messages for shape in parts_of(message.record)):
            yield _EXACTLY
        for named in known.values():
            if isinstance(named.shape, Record) and named.shape.keys and not named.shape.open:
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
            yield from self._inner(f"{name}{pascal(key.name)}", key.shape)
        lines = [f"class {name}(_Message):", *_docstring(told, 4), ""]
        for key in record.keys:
            lines += self._field(name, key)
        yield "\n".join(lines)

    def _inner(self, name: str, shape: Shape) -> Iterator[str]:
        """Classes for the unnamed objects in a value."""
        match shape:
            case Record() if shape.keys and not shape.open:
                yield from self._class(name, f"Within `{name}`.", shape)
            case Items():
                yield from self._inner(f"{name}Item", shape.of)
            case Either():
                for number, choice in enumerate(shape.choices, 1):
                    yield from self._inner(f"{name}{number}", choice)
            case _:
                return

    def _field(self, owner: str, key: Key) -> list[str]:
        name = f"{key.name}_" if keyword.iskeyword(key.name) or not key.name.isidentifier() else key.name
        default = "" if key.required else " = None"
        if name != key.name:
            name = "".join(letter if letter.isalnum() else "_" for letter in name)
            default = f" = Field({'' if key.required else 'None, '}alias={_literal(key.name)})"
        told = _docstring(sentence(key.meaning), 4) if key.meaning else []
        return [*laid_out(self._type(key.shape, f"{owner}{pascal(key.name)}"), 4, f"{name}: ", default), *told]

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
                if shape.keys and not shape.open:
                    return name
                return _annotated("dict[str, Any]", max_length=None if shape.open else 0)
            case Either():
                return Joined(tuple(self._type(choice, f"{name}{n}") for n, choice in enumerate(shape.choices, 1)))
            case Anything():
                return "Any"
            case _:
                raise TypeError(f"no Python type for {shape!r}")


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
    lines = wrapped(text.replace("\\", "\\\\"), WIDTH - indent)
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
