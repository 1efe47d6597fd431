"""A JSON Schema of any draft, rewritten as one of 2020-12 all of whose references are pointers into itself. PURE.

`$ref` may lead to a pointer (`#/$defs/Node`), to an anchor or to the `$id` of a part. What leads out of the document is
refused: nothing is ever fetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote, urldefrag, urljoin

from app.emulation.samples.draws import UnusableSchema

Json = Any
Schema = bool | dict[str, Json]

ROOT = "urn:chldo:schema"
"""The address under which the whole schema is known to its parts."""

_PARTS = ("additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not")
_MORE_PARTS = ("propertyNames", "then", "unevaluatedItems", "unevaluatedProperties")
_LISTS = ("allOf", "anyOf", "items", "oneOf", "prefixItems")
_NAMED = ("$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties")
_NAMES = ("$anchor", "$dynamicAnchor", "$id", "$recursiveAnchor", "$schema", "id")


class Document:
    """A whole schema, rewritten: `root` has no names but pointers."""

    def __init__(self, schema: Schema) -> None:
        self._sent = schema
        self._places: dict[str, str] = {}
        self._index(schema, "", "")
        self.root: Schema = self._rewritten(schema, "")

    def at(self, reference: str) -> Schema:
        """The part that a rewritten reference leads to."""
        return self._follow(self.root, unquote(reference.partition("#")[2]))

    @property
    def recursive(self) -> bool:
        """Whether some part refers to itself, by whatever way."""
        led: dict[str, set[str]] = {}
        waiting = set(_references(self.root))
        while waiting:
            reference = waiting.pop()
            led[reference] = set(_references(self.at(reference)))
            waiting |= led[reference] - led.keys()
        while ends := [reference for reference, others in led.items() if not others & led.keys()]:
            for reference in ends:
                del led[reference]
        return bool(led)

    def _index(self, schema: Schema, base: str, pointer: str) -> None:
        """Notes where the parts with names are."""
        if not isinstance(schema, dict):
            return
        name = schema.get("$id")
        if isinstance(name, str):
            base = urldefrag(urljoin(base, name)).url
            self._places.setdefault(base, pointer)
        for key in ("$anchor", "$dynamicAnchor"):
            if isinstance(schema.get(key), str):
                self._places.setdefault(f"{base}#{schema[key]}", pointer)
        for step, part in parts_of(schema):
            self._index(part, base, f"{pointer}/{step}")

    def _rewritten(self, schema: Schema, base: str) -> Schema:
        if not isinstance(schema, dict):
            return schema
        if isinstance(schema.get("$id"), str):
            base = urldefrag(urljoin(base, schema["$id"])).url
        made: dict[str, Json] = {}
        for key, value in schema.items():
            if key in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(value, str):
                made["$ref"] = f"{ROOT}#{quote(self._pointer(value, base), safe='/~')}"
            elif key in _NAMED and isinstance(value, dict):
                made[key] = {name: self._rewritten(part, base) for name, part in value.items()}
            elif key in _LISTS and isinstance(value, list):
                made[key] = [self._rewritten(part, base) for part in value]
            elif key in _PARTS or key in _MORE_PARTS:
                made[key] = self._rewritten(value, base)
            elif key not in _NAMES:
                made[key] = value
        return _renewed(made)

    def _pointer(self, reference: str, base: str) -> str:
        """Where a reference leads, as a pointer from the root. Raises `UnusableSchema`."""
        url, fragment = urldefrag(urljoin(base, reference) if base else reference)
        within = "" if url in ("", ROOT) and url not in self._places else self._places.get(url)
        if within is None:
            raise UnusableSchema(f"$ref '{reference[:200]}' leads out of the schema")
        if not fragment or fragment.startswith("/"):
            pointer = within + unquote(fragment)
            self._follow(self._sent, pointer)
            return pointer
        found = self._places.get(f"{url}#{fragment}")
        if found is None:
            raise UnusableSchema(f"$ref '{reference[:200]}' leads nowhere")
        return found

    def _follow(self, schema: Json, pointer: str) -> Schema:
        found = schema
        for written in pointer.split("/")[1:]:
            step = written.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and step in found:
                found = found[step]
            elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
                found = found[int(step)]
            else:
                raise UnusableSchema(f"$ref '#{pointer[:200]}' leads nowhere")
        if not isinstance(found, bool | dict):
            raise UnusableSchema(f"$ref '#{pointer[:200]}' leads to something that is no schema")
        return found


def _references(schema: Schema) -> Iterator[str]:
    """All references in a schema."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"]
        for _, part in parts_of(schema):
            yield from _references(part)


def _renewed(schema: dict[str, Json]) -> dict[str, Json]:
    """What older drafts say in other words, as 2020-12 says it."""
    if isinstance(schema.get("items"), list):
        schema["prefixItems"] = schema.pop("items")
        if "additionalItems" in schema:
            schema["items"] = schema.pop("additionalItems")
    for key, value in schema.pop("dependencies", {}).items():
        kind = "dependentRequired" if isinstance(value, list) else "dependentSchemas"
        schema.setdefault(kind, {})[key] = value
    for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(schema.get(exclusive), bool) and schema.pop(exclusive) and limit in schema:
            schema[exclusive] = schema.pop(limit)
    return schema


def parts_of(schema: Mapping[str, Json]) -> Iterator[tuple[str, Schema]]:
    """The schemas directly within a schema, each with its pointer from there."""
    for key, value in schema.items():
        if key in _NAMED and isinstance(value, dict):
            found = [(f"{key}/{_escaped(name)}", part) for name, part in value.items()]
        elif key in _LISTS and isinstance(value, list):
            found = [(f"{key}/{number}", part) for number, part in enumerate(value)]
        elif key in _PARTS or key in _MORE_PARTS:
            found = [(key, value)]
        else:
            continue
        yield from ((step, part) for step, part in found if isinstance(part, bool | dict))


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
