"""JSON that satisfies a JSON Schema, made from a source of randomness that is given. PURE.

    schema -> Document (references) -> flat (merged) -> value -> judged by jsonschema-rs

What is made is judged by a validator wherever a schema asks for more than making it right can promise, and at the end
as a whole; what is wrong is made again a few times. So an answer satisfies its schema, or there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import chain
from math import ceil, floor
from typing import Any

import jsonschema_rs

from app.emulation.samples.draws import Draws, Exhausted, UnusableSchema
from app.emulation.samples.merging import CHOICES, PATTERNS, Merged, alone, both, common_multiple, flat
from app.emulation.samples.patterns import UnknownPattern, text_of
from app.emulation.samples.references import ROOT, Document, Schema
from app.emulation.samples.texts import text_for, words

Json = Any

MAX_ITEMS = 10_000
"""Items of an array, and properties of an object."""

_WORK = 20
"""What it costs to make a value, in draws."""

ENOUGH = 500
"""Values after which only what must be there is made."""

MAX_DEPTH = 60
"""Levels of arrays and objects."""

RECURSIVE_DEPTH = 4
"""Levels after which a recursive schema has only what must be there."""

_SPREAD = 100
"""How far a number goes beyond the least one, or below the greatest."""

_TRIES = 8
_TRIES_FOR_ITEM = 100
_DRAFTS = frozenset(
    f"{scheme}://json-schema.org/{draft}/schema"
    for scheme in ("http", "https")
    for draft in ("draft-04", "draft-06", "draft-07", "draft/2019-09", "draft/2020-12")
)
_REMARKS = frozenset((CHOICES, "title", "description", "default", "$defs", "definitions", "$comment"))
_TYPES = {
    "object": ("properties", "required", "additionalProperties", "minProperties", "patternProperties", "propertyNames"),
    "array": ("items", "prefixItems", "minItems", "contains", "uniqueItems", "maxItems"),
    "string": (PATTERNS, "minLength", "maxLength", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
"""The keywords by which a schema without `type` tells what it is about."""

_HARD = frozenset(
    (
        *("not", PATTERNS, "format", "enum", "multipleOf", "contains", "uniqueItems", "maxProperties"),
        *("patternProperties", "propertyNames", "dependentRequired", "dependentSchemas"),
        *("unevaluatedProperties", "unevaluatedItems"),
    )
)
"""Keywords for whose sake a value is judged at once, not only as a part of the whole."""


def sample(schema: Schema, fraction: Callable[[], float]) -> Json:
    """A value that satisfies `schema`. `fraction` gives at least 0 and less than 1; the same ones give the same value.

    Optional properties are given, and null only where nothing else will do; what is recursive ends soon. Raises
    `UnusableSchema` where the schema is none, leads out of itself, or no value was found. Blocks for up to a second.
    """
    try:
        check(schema)
        return _Maker(Document(schema), Draws(fraction)).whole()
    except UnusableSchema:
        raise
    except (ValueError, OverflowError, RecursionError) as error:  # infinite numbers, halves of surrogate pairs
        raise UnusableSchema(f"it cannot be read ({str(error)[:200]})") from None


def check(schema: Schema) -> None:
    """Raises `UnusableSchema` where something is no JSON Schema."""
    if isinstance(schema, dict) and str(schema.get("$schema", "")).rstrip("#") not in _DRAFTS:
        schema = {key: value for key, value in schema.items() if key != "$schema"}  # it would be fetched
    try:
        jsonschema_rs.meta.validate(schema)
    except jsonschema_rs.ValidationError as error:
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
        raise UnusableSchema(f"{path[1:] or 'schema'}: {error.message[:300]}") from None


class _Maker:
    """Makes one value. `_lean`: only what must be there."""

    def __init__(self, document: Document, draws: Draws) -> None:
        self._document = document
        self._draws = draws
        self._registry = jsonschema_rs.Registry([(ROOT, document.root)])
        self._soft_depth = RECURSIVE_DEPTH if document.recursive else MAX_DEPTH
        self._made = 0
        self._kept: dict[int, tuple[Schema, Merged]] = {}
        self._fits: dict[tuple[int, int], bool] = {}

    def whole(self) -> Json:
        """The value."""
        root = self._document.root
        if self._height(root) is None:
            raise UnusableSchema("no value satisfies it")
        problem = UnusableSchema("no value was found that satisfies it")
        for number in range(_TRIES):
            try:
                value = self._make(root, 0, number >= _TRIES // 2)
            except Exhausted:
                raise
            except UnusableSchema as error:
                problem = error
                continue
            if self._valid(root, value):
                return value
        raise problem

    def _make(self, schema: Schema, depth: int, lean: bool) -> Json:
        """A value for a part of the schema."""
        self._made += 1
        self._draws.spend(_WORK)
        if depth > MAX_DEPTH:
            raise UnusableSchema(f"more than {MAX_DEPTH} levels are needed")
        lean = lean or self._made > ENOUGH or depth > self._soft_depth
        merged = self._flat(schema)
        if not merged.get(CHOICES) and _HARD.isdisjoint(merged):
            return self._of(merged, depth, lean)
        problem = UnusableSchema(f"no value was found for {_told(merged)}")
        for chosen in self._chosen(merged, lean):
            try:
                value = self._of(chosen, depth, lean)
            except Exhausted:
                raise
            except UnusableSchema as error:
                problem = error
                continue
            if self._valid(schema, value):
                return value
        raise problem

    def _chosen(self, merged: Merged, lean: bool) -> Iterator[Merged]:
        """The schema with a choice made from each of its `anyOf` and the like, another one each time."""
        groups: list[list[Schema]] = merged.get(CHOICES, [])
        rest = {key: value for key, value in merged.items() if key != CHOICES}
        if not groups:
            yield from (rest for _ in range(_TRIES))
            return
        orders = [self._ordered(group, lean) for group in groups]
        for number in range(max(_TRIES, *(2 * len(order) for order in orders))):
            chosen = rest
            for order in orders:
                if order:
                    chosen = both(chosen, self._flat(order[number % len(order)]))
            if chosen.get(CHOICES):
                yield from self._chosen(chosen, lean)
            else:
                yield chosen
        if len(orders) > 1:  # combinations that did not come up
            for first in orders[0]:
                for second in orders[1]:
                    yield both(both(rest, self._flat(first)), self._flat(second))

    def _ordered(self, group: Sequence[Schema], lean: bool) -> list[Schema]:
        """Schemas that can be satisfied at all, the ones to try first in front: those that say something, then null,
        then those that take anything.
        """
        heights = [(self._height(schema), schema) for schema in group]
        possible = [(height, schema) for height, schema in heights if height is not None]
        if lean:
            return [schema for _, schema in sorted(possible, key=lambda one: one[0])]
        order = [schema for _, schema in self._draws.shuffled(possible)]
        return sorted(order, key=lambda schema: _vagueness(self._flat(schema)))

    def _of(self, merged: Merged, depth: int, lean: bool) -> Json:
        if "enum" in merged:
            fitting = [value for value in merged["enum"] if self._valid(alone(merged), value)]
            if not fitting:
                raise UnusableSchema(f"no value satisfies {_told(merged)}")
            return self._draws.one_of(fitting)
        examples = merged.get("examples")
        if isinstance(examples, list) and examples:
            fitting = [value for value in examples if self._valid(alone(merged), value)]
            if fitting:
                return self._draws.one_of(fitting)
        match self._type(merged):
            case "object":
                return self._object(merged, depth, lean)
            case "array":
                return self._array(merged, depth, lean)
            case "string":
                return text_for(merged, self._draws, lambda text: self._valid(alone(merged), text))
            case "integer":
                return self._number(merged, whole=True)
            case "number":
                return self._number(merged, whole=False)
            case "boolean":
                return self._draws.one_of((True, False))
        return None

    def _type(self, merged: Merged) -> str:
        kinds: str | list[str] | None = merged.get("type")
        if kinds is None:
            about = [kind for kind, keys in _TYPES.items() if any(key in merged for key in keys)]
            return about[0] if about else self._draws.one_of(("string", "string", "integer", "boolean"))
        if isinstance(kinds, str):
            return kinds
        if not kinds:
            raise UnusableSchema("no type satisfies it")
        return self._draws.one_of([kind for kind in kinds if kind != "null"] or ["null"])

    def _number(self, merged: Merged, *, whole: bool) -> Json:
        low, high = _bounds(merged)
        step = merged.get("multipleOf", 1 if whole else None)
        if step is None:
            return self._between(low, high)
        step = Fraction(str(common_multiple(step, 1) if whole else step))
        first = None if low is None else ceil(low / step)
        last = None if high is None else floor(high / step)
        if first is None:
            first = 0 if last is None else min(0, last - _SPREAD)
        last = first + _SPREAD if last is None else min(last, first + _SPREAD)
        if first > last:
            raise UnusableSchema(f"no number was found for {_told(merged)}")
        value = self._draws.between(first, last) * step
        return value.numerator if value.denominator == 1 else float(value)

    def _between(self, low: Fraction | None, high: Fraction | None) -> float:
        """A number that is no end of its range, if it has more than one."""
        spread = Fraction(_SPREAD) if low is None or high is None else min(Fraction(_SPREAD), high - low)
        start = low if low is not None else Fraction(0) if high is None else min(Fraction(0), high - spread)
        value = start + spread * self._draws.between(1, 9_999) / 10_000
        for digits in (2, 6):
            short = round(float(value), digits)
            if start < Fraction(str(short)) < start + spread:
                return short
        return float(value)

    def _array(self, merged: Merged, depth: int, lean: bool) -> list[Json]:
        first: list[Schema] = merged.get("prefixItems", [])
        rest = _other(merged, "items", "unevaluatedItems")
        low, high = merged.get("minItems", 0), merged.get("maxItems", MAX_ITEMS)
        contained = merged.get("minContains", 1) if "contains" in merged else 0
        low = max(low, contained)
        if low > MAX_ITEMS:
            raise UnusableSchema(f"minItems: arrays of more than {MAX_ITEMS} values are not made")
        wanted = low if lean else max(low, min(len(first) or self._draws.between(1, 3), high))
        if wanted > len(first) and self._height(rest) is None:
            wanted = max(low, len(first))
        unique = merged.get("uniqueItems") is True
        made: list[Json] = []
        for number in range(int(wanted)):
            item = first[number] if number < len(first) else rest
            if number >= wanted - contained:
                item = {"allOf": [item, merged["contains"]]}
            try:
                made.append(self._item(item, made if unique else (), depth, lean))
            except Exhausted:
                raise
            except UnusableSchema:
                if number < low:
                    raise
                break
        return made

    def _item(self, schema: Schema, others: Sequence[Json], depth: int, lean: bool) -> Json:
        """An item that is none of the others."""
        for _ in range(_TRIES_FOR_ITEM):
            value = self._make(schema, depth + 1, lean)
            if not any(same(value, other) for other in others):
                return value
        raise UnusableSchema("not enough different items were found")

    def _object(self, merged: Merged, depth: int, lean: bool) -> dict[str, Json]:
        merged = self._with_dependents(merged, lean)
        known: Mapping[str, Schema] = merged.get("properties", {})
        required: list[str] = merged.get("required", [])
        low, high = merged.get("minProperties", 0), merged.get("maxProperties", MAX_ITEMS)
        names = [name for name in known if name in required or (not lean and self._is_possible(known[name]))]
        names += [name for name in required if name not in known]
        for name in reversed(names):
            if len(names) > high and name not in required:
                names.remove(name)
        made: dict[str, Json] = {}
        for name in names:
            try:
                made[name] = self._make(self._property(merged, name), depth + 1, lean)
            except Exhausted:
                raise
            except UnusableSchema:
                if name in required:
                    raise
        others = chain((name for name in known if self._is_possible(known[name])), self._names(merged))
        while len(made) < low:
            name = next(others)
            if name not in made:
                made[name] = self._make(self._property(merged, name), depth + 1, lean)
        return made

    def _with_dependents(self, merged: Merged, lean: bool) -> Merged:
        """The schema with what the properties that it will have ask for."""
        more, asked = merged.get("dependentRequired", {}), merged.get("dependentSchemas", {})
        names = merged.get("required", []) if lean else [*merged.get("properties", {}), *merged.get("required", [])]
        seen: set[str] = set()
        for name in names:
            if name in seen:
                continue
            seen.add(name)
            if name in more:
                merged = {**merged, "required": [*merged.get("required", ()), *more[name]]}
            if name in asked:
                merged = both(merged, self._flat(asked[name]))
        return next(self._chosen(merged, lean)) if merged.get(CHOICES) else merged

    def _property(self, merged: Merged, name: str) -> Schema:
        """What a property has to be."""
        asked = [merged["properties"][name]] if name in merged.get("properties", {}) else []
        for pattern, schema in merged.get("patternProperties", {}).items():
            if self._valid({"pattern": pattern}, name):
                asked.append(schema)
        if not asked:
            return _other(merged, "additionalProperties", "unevaluatedProperties")
        return asked[0] if len(asked) == 1 else {"allOf": asked}

    def _names(self, merged: Merged) -> Iterator[str]:
        """Names for properties that have none."""
        patterns = list(merged.get("patternProperties", {}))
        named = merged.get("propertyNames")
        for number in range(10 * _TRIES_FOR_ITEM):
            if named is not None:
                name = self._make({"allOf": [{"type": "string"}, named]}, 1, False)
            elif patterns:
                try:
                    name = text_of(patterns[number % len(patterns)], self._draws, high=16)
                except UnknownPattern as unknown:
                    raise UnusableSchema(f"patternProperties: {unknown}") from None
            else:
                name = words(self._draws, 3, 30).replace(" ", "_")
            if self._is_possible(self._property(merged, name)):
                yield name
        raise UnusableSchema("no more names of properties were found")

    def _flat(self, schema: Schema) -> Merged:
        known = self._kept.get(id(schema))
        if known is None:  # the schema is kept, so that its id stays its own
            known = self._kept[id(schema)] = schema, flat(schema, self._document.at)
        return known[1]

    def _valid(self, schema: Schema, value: Json) -> bool:
        judge = jsonschema_rs.Draft202012Validator(schema, registry=self._registry, offline=True, validate_formats=True)
        return judge.is_valid(value)

    def _is_possible(self, schema: Schema) -> bool:
        return self._height(schema) is not None

    def _height(self, schema: Schema) -> int | None:
        """The least number of levels that a value has; None where it would have no end, or there is none."""
        return next((levels for levels in range(MAX_DEPTH) if self._within(schema, levels, ())), None)

    def _within(self, schema: Schema, levels: int, seen: tuple[int, ...]) -> bool:
        """Whether a value with that many levels is conceivable."""
        if schema is False or id(schema) in seen:
            return False
        key = id(schema), levels
        merged = self._flat(schema)
        if key not in self._fits:
            seen = (*seen, id(schema))
            found = all(any(self._within(one, levels, seen) for one in group) for group in merged.get(CHOICES, ()))
            found = found and merged.get("enum") != [] and merged.get("type") != []
            if found and "enum" not in merged:
                needed = list(self._needed(merged))
                found = not needed or (levels > 0 and all(self._within(one, levels - 1, ()) for one in needed))
            if seen[1:] and not found:
                return False  # only as a part of a choice, perhaps
            self._fits[key] = found
        return self._fits[key]

    def _needed(self, merged: Merged) -> Iterator[Schema]:
        """The schemas of which each value has one within itself."""
        kinds = merged.get("type", ("object", "array"))
        kinds = (kinds,) if isinstance(kinds, str) else kinds
        if any(kind not in ("object", "array") for kind in kinds):
            return
        if "object" in kinds:
            known = merged.get("properties", {})
            for name in merged.get("required", ()):
                yield known.get(name, merged.get("additionalProperties", True))
        if "array" in kinds and merged.get("minItems", 0) > 0:
            yield from merged.get("prefixItems", [])[: merged["minItems"]]
            if merged["minItems"] > len(merged.get("prefixItems", [])):
                yield merged.get("items", True)


def same(one: Json, other: Json) -> bool:
    """Whether JSON Schema takes two values for the same: 1 is 1.0, and true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def _vagueness(merged: Merged) -> int:
    """0 for a schema that says something, 1 for null, 2 for one that takes anything."""
    if merged.get("type") in ("null", ["null"]) or merged.get("enum") == [None]:
        return 1
    return 0 if merged.get(CHOICES) or merged.keys() - _REMARKS else 2


def _other(merged: Merged, *keys: str) -> Schema:
    """What holds for members that are not named: the first of `keys` that is there."""
    found: Schema = next((merged[key] for key in keys if key in merged), True)
    return found


def _bounds(merged: Merged) -> tuple[Fraction | None, Fraction | None]:
    """The least and the greatest number, as far as there are any. Of an open end of numbers without a step the end."""
    step = merged.get("multipleOf", 1 if merged.get("type") == "integer" else None)
    by = None if step is None else Fraction(str(step))
    low, high = (None if key not in merged else Fraction(str(merged[key])) for key in ("minimum", "maximum"))
    if "exclusiveMinimum" in merged:
        above = Fraction(str(merged["exclusiveMinimum"]))
        least = above if by is None else (floor(above / by) + 1) * by
        low = least if low is None else max(low, least)
    if "exclusiveMaximum" in merged:
        below = Fraction(str(merged["exclusiveMaximum"]))
        most = below if by is None else (ceil(below / by) - 1) * by
        high = most if high is None else min(high, most)
    return low, high


def _told(merged: Merged) -> str:
    shown = {key: value for key, value in merged.items() if key not in _REMARKS}
    return f"{shown!r:.200}"
