"""What several JSON Schemas ask for together, as far as one can be made of them. PURE.

A merged schema is for making values, not for judging them: of what cannot be merged one part is kept, and whoever makes
a value has the schemas themselves judge it. Its key `CHOICES` holds lists of schemas of each of which one must hold,
`PATTERNS` all expressions that must be found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import gcd, lcm
from typing import Any

from app.emulation.samples.references import Schema

Json = Any
Merged = dict[str, Json]

CHOICES = "choices"
PATTERNS = "patterns"
NOTHING: Merged = {"enum": []}
"""What no value satisfies."""

_LOW: dict[str, Callable[[Json, Json], Json]] = dict.fromkeys(
    ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"), max
)
_HIGH: dict[str, Callable[[Json, Json], Json]] = dict.fromkeys(
    ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"), min
)
_LIMITS = {**_LOW, **_HIGH}
_BOTH = ("additionalProperties", "contains", "items", "propertyNames", "unevaluatedItems", "unevaluatedProperties")
"""Keywords of one schema each: both hold."""

_NAMED = ("dependentSchemas", "patternProperties", "properties")


def flat(schema: Schema, at: Callable[[str], Schema]) -> Merged:
    """A schema with its references followed and its `allOf` merged. `at` gives what a reference leads to."""
    return _flat(schema, at, frozenset())


def both(first: Merged, second: Merged) -> Merged:
    """What two merged schemas ask for."""
    merged = {**second, **first}
    for key in first.keys() & second.keys():
        merged[key] = _joined(key, first[key], second[key])
    _close(merged, first, second)
    _close(merged, second, first)
    return merged


def _flat(schema: Schema, at: Callable[[str], Schema], seen: frozenset[str]) -> Merged:
    if schema is True:
        return {}
    if schema is False:
        return NOTHING
    merged = {key: value for key, value in schema.items() if key not in ("$ref", "allOf", "anyOf", "oneOf", "if")}
    merged[CHOICES] = [schema[key] for key in ("anyOf", "oneOf") if key in schema]
    if isinstance(merged.get("pattern"), str):
        merged[PATTERNS] = [merged.pop("pattern")]
    if "const" in merged:
        merged["enum"] = [merged.pop("const")]
    if "if" in schema:
        least = {"allOf": [schema["if"], schema.get("then", True)]}
        merged[CHOICES].append([least, {"allOf": [{"not": schema["if"]}, schema.get("else", True)]}])
    others = list(schema.get("allOf", ()))
    reference = schema.get("$ref")
    if reference is not None:
        if reference in seen:
            return NOTHING  # it asks for itself, and for nothing else
        merged = both(merged, _flat(at(reference), at, seen | {reference}))
    for other in others:
        merged = both(merged, _flat(other, at, seen))
    return merged


def _joined(key: str, first: Json, second: Json) -> Json:
    if key in _LIMITS:
        return _LIMITS[key](first, second)
    if key in (CHOICES, PATTERNS):
        return first + second
    if key == "type":
        return types_in_both(first, second)
    if key == "enum":
        return [value for value in first if value in second]
    if key == "required":
        return [*first, *(name for name in second if name not in first)]
    if key in _BOTH:
        return {"allOf": [first, second]}
    if key in _NAMED:
        return {
            name: _shared(name, first, second) for name in (*first, *(more for more in second if more not in first))
        }
    if key == "prefixItems":
        longer, shorter = (first, second) if len(first) >= len(second) else (second, first)
        return [{"allOf": [item, *shorter[number : number + 1]]} for number, item in enumerate(longer)]
    if key == "multipleOf":
        return common_multiple(first, second)
    if key == "dependentRequired":
        return {**first, **second}
    return first


def _shared(name: str, first: Mapping[str, Schema], second: Mapping[str, Schema]) -> Schema:
    if name in first and name in second:
        return {"allOf": [first[name], second[name]]}
    return first[name] if name in first else second[name]


def _close(merged: Merged, closed: Merged, other: Merged) -> None:
    """Properties that only `other` knows do not fit where `closed` takes none but its own."""
    if closed.get("additionalProperties") is not False or closed.get("patternProperties"):
        return
    strange = other.get("properties", {}).keys() - closed.get("properties", {}).keys()
    if strange:
        merged["properties"] = {name: part for name, part in merged["properties"].items() if name not in strange}


def types_in_both(first: Json, second: Json) -> list[str]:
    """The types that two values of `type` allow; whole numbers are numbers."""
    one, two = ([value] if isinstance(value, str) else value for value in (first, second))
    found = [kind for kind in one if kind in two or (kind == "integer" and "number" in two)]
    if "number" in one and "integer" in two and "integer" not in found:
        found.append("integer")
    return found


def common_multiple(first: float, second: float) -> float:
    """The least number that is a multiple of both."""
    one, two = Fraction(str(first)), Fraction(str(second))
    found = Fraction(lcm(one.numerator, two.numerator), gcd(one.denominator, two.denominator))
    return found.numerator if found.denominator == 1 else float(found)


def alone(merged: Merged) -> dict[str, Json]:
    """A merged schema as a validator reads it; its choices are left out."""
    found = {key: value for key, value in merged.items() if key not in (CHOICES, PATTERNS)}
    patterns = merged.get(PATTERNS)
    return {**found, "allOf": [{"pattern": pattern} for pattern in patterns]} if patterns else found
