"""JSON made for a schema, judged by another validator than the one it was made with."""

from __future__ import annotations

import json
import random
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.emulation.samples.draws import UnusableSchema
from app.emulation.samples.making import sample

Json = dict[str, Any]

DRAFT4, DRAFT7 = (f"http://json-schema.org/draft-0{number}/schema#" for number in (4, 7))
TREE: Json = {
    "type": "object",
    "properties": {"value": {"type": "integer"}, "children": {"type": "array", "items": {"$ref": "#"}}},
    "required": ["value", "children"],
    "additionalProperties": False,
}
LINKED: Json = {
    "$ref": "#/$defs/Link",
    "$defs": {
        "Link": {
            "type": "object",
            "properties": {
                "value": {"type": "string"},
                "next": {"anyOf": [{"$ref": "#/$defs/Link"}, {"type": "null"}]},
            },
            "required": ["value", "next"],
            "additionalProperties": False,
        }
    },
}
EXPRESSION: Json = {
    "type": "object",
    "properties": {"root": {"$ref": "#/$defs/expression"}},
    "required": ["root"],
    "$defs": {
        "expression": {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {
                        "op": {"enum": ["+", "-"]},
                        "left": {"$ref": "#/$defs/expression"},
                        "right": {"$ref": "#/$defs/expression"},
                    },
                    "required": ["op", "left", "right"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {"number": {"type": "number"}},
                    "required": ["number"],
                    "additionalProperties": False,
                },
            ]
        }
    },
}
KINDS: Json = {
    "oneOf": [
        {
            "type": "object",
            "properties": {"kind": {"const": "a"}, "x": {"type": "integer"}},
            "required": ["kind", "x"],
        },
        {"type": "object", "properties": {"kind": {"const": "b"}}, "required": ["kind"]},
    ]
}
NAMED: Json = {
    "$id": "https://example.com/root",
    "$defs": {"p": {"$id": "p", "type": "integer"}, "q": {"$anchor": "here", "type": "string"}},
    "type": "object",
    "properties": {"a": {"$ref": "p"}, "b": {"$ref": "https://example.com/p"}, "c": {"$ref": "#here"}},
    "required": ["a", "b", "c"],
}
CONDITION: Json = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
    "required": ["a"],
    "if": {"properties": {"a": {"minimum": 50}}, "required": ["a"]},
    "then": {"required": ["b"]},
    "else": {"not": {"required": ["b"]}},
}
EMAIL = r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$"
UUID = r"^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}|0{8}-0{4})$"


def nested(levels: int) -> Json:
    schema: Json = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"x": schema}, "required": ["x"], "additionalProperties": False}
    return schema


def text(**more: Any) -> Json:
    return {"type": "string", **more}


def items(items: Any, **more: Any) -> Json:
    return {"type": "array", "items": items, **more}


SCHEMAS: list[Any] = [
    True,
    {},
    {"type": "object"},
    {"type": "null"},
    {"type": ["string", "null"]},
    TREE,
    LINKED,
    EXPRESSION,
    KINDS,
    NAMED,
    CONDITION,
    nested(40),
    {"$ref": "#/definitions/x~1y/~0", "definitions": {"x/y": {"~": {"type": "integer"}}}},
    {"$ref": "#/$defs/%EA%B0%80", "$defs": {"가": {"type": "integer"}}},
    {"enum": [1, "x", None, [1], {"a": 1}]},
    {"enum": [1, 5, 10], "minimum": 6},
    {"const": {"a": [1]}},
    {"oneOf": [{"type": "integer"}, {"type": "number"}]},
    {"anyOf": [{"type": "string"}, {"type": "integer"}], "oneOf": [{"type": "integer"}, {"type": "boolean"}]},
    {"anyOf": [{"type": "integer", "minimum": 5}, text(pattern="^a")], "maximum": 7},
    {"not": text()},
    {"allOf": [{"pattern": "^a"}, {"pattern": "b$"}], "type": "string"},
    {"allOf": [{"multipleOf": 4}, {"multipleOf": 6}], "type": "integer", "minimum": 1},
    {
        "type": "object",
        "allOf": [{"properties": {"a": text()}, "required": ["a"]}, {"properties": {"b": {"minimum": 5}}}],
    },
    {
        "type": "object",
        "allOf": [{"properties": {"a": {}}, "additionalProperties": False}, {"properties": {"b": {}}}],
    },
    {
        "type": "object",
        "properties": {"b": {"type": "integer"}},
        "allOf": [{"properties": {"a": text()}, "required": ["a"]}],
        "unevaluatedProperties": False,
    },
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1e-9},
    {"type": "number", "minimum": 5, "maximum": 5},
    {"type": "number", "multipleOf": 0.01, "minimum": 4.351, "maximum": 4.369},
    {"type": "integer", "multipleOf": 7, "exclusiveMinimum": 7, "maximum": 14},
    {"type": "integer", "multipleOf": 0.5, "minimum": 0.5, "maximum": 1.5},
    {"type": "integer", "minimum": 10**30},
    {"type": "integer", "maximum": -5},
    {"$schema": DRAFT4, "type": "integer", "minimum": 3, "exclusiveMinimum": True, "maximum": 4},
    text(minLength=50, maxLength=52),
    text(maxLength=0),
    text(maxLength=3),
    text(pattern=r"^[A-Z]{2}\d{4}$", minLength=6),
    text(pattern="^[가-힣]+$", minLength=10, maxLength=12),
    text(pattern=r"a+b", minLength=100),
    text(pattern=r"^[a-z]+\d{4}$", minLength=10, maxLength=10),
    text(pattern=EMAIL, format="email"),
    text(pattern=UUID, format="uuid"),
    text(pattern=r"^(?:[01]\d|2[0-3]):[0-5]\d$"),
    text(pattern=r"^[^a-z]+$"),
    text(pattern=r"^(a|b)\1$"),
    text(format="email", minLength=40),
    text(format="uri", minLength=60),
    *(text(format=name) for name in ("date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6")),
    *(text(format=name) for name in ("uuid", "uri", "uri-reference", "json-pointer", "regex", "unheard-of")),
    items({"enum": ["a", "b", "c"]}, minItems=3, uniqueItems=True),
    items({"type": "boolean"}, minItems=2, uniqueItems=True),
    items({"type": "integer", "minimum": 1, "maximum": 10}, minItems=10, uniqueItems=True),
    items({"enum": [1, 1.0, True]}, minItems=2, uniqueItems=True),
    items({"type": "integer", "maximum": 6}, contains={"type": "integer", "minimum": 5}, minContains=2),
    items(False, prefixItems=[{"const": 1}, text()]),
    items({}, prefixItems=[{"const": 1}, text()], minItems=4),
    items(text(), maxItems=0),
    items({"type": "integer"}, minItems=1000),
    {"$schema": DRAFT7, "type": "array", "items": [text(), {"type": "integer"}], "additionalItems": False},
    {"$schema": DRAFT7, "type": "object", "properties": {"a": {}}, "dependencies": {"a": ["b"]}},
    {"type": "object", "minProperties": 5},
    {"type": "object", "properties": {"a": {}, "b": {}}, "maxProperties": 1},
    {"type": "object", "additionalProperties": {"type": "integer"}, "required": ["k"]},
    {
        "type": "object",
        "patternProperties": {r"^x_\d+$": {"type": "integer"}},
        "additionalProperties": False,
        "minProperties": 3,
    },
    {
        "type": "object",
        "propertyNames": {"pattern": "^[a-z]{3}$"},
        "additionalProperties": {"type": "boolean"},
        "minProperties": 2,
    },
    {
        "type": "object",
        "properties": {"card": text()},
        "dependentRequired": {"card": ["address"]},
        "dependentSchemas": {"card": {"properties": {"address": {"type": "integer"}}}},
    },
    {"type": "object", "properties": {"$ref": text(), "enum": {"type": "integer"}}, "required": ["$ref", "enum"]},
    {
        "anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}],
        "$defs": {"a": items({"$ref": "#"}, minItems=2), "b": {"type": "number"}},
    },
]


def judge(schema: Any, value: Any) -> None:
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    kind(schema, format_checker=kind.FORMAT_CHECKER).validate(value)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: json.dumps(schema, ensure_ascii=False)[:60])
def test_what_is_made_satisfies_its_schema(schema: Any) -> None:
    for seed in range(10):
        value = sample(schema, random.Random(seed).random)
        judge(schema, value)
        assert sample(schema, random.Random(seed).random) == value


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (False, "no value satisfies it"),
        ({"enum": []}, "no value satisfies it"),
        ({"$ref": "#"}, "no value satisfies it"),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "no value satisfies it"),
        ({"allOf": [text(), {"type": "integer"}]}, "no value satisfies it"),
        ({"$ref": "http://127.0.0.1:9/schema"}, "leads out of the schema"),
        ({"$ref": "file:///etc/passwd"}, "leads out of the schema"),
        ({"$ref": "#/$defs/nope"}, "leads nowhere"),
        ({"$ref": "#nope"}, "leads nowhere"),
        ({"type": "strin"}, "type: "),
        ({"properties": {"a": {"minimum": "x"}}}, "properties.a.minimum: "),
        ({"$schema": "http://127.0.0.1:9/own", "required": True}, "required: "),
        (text(pattern="("), "pattern '('"),
        (text(minLength=5, maxLength=3), "minLength 5 is above maxLength 3"),
        (text(minLength=10**9), "are not made"),
        (text(pattern="^a$", minLength=2), "no text was found"),
        (text(pattern="(a{1000}){1000}"), "pattern"),
        (items({}, minItems=10**9), "are not made"),
        (items({"type": "boolean"}, minItems=3, uniqueItems=True), "not enough different items"),
        (items(text(minLength=2000), minItems=5000), "too large, or too hard to find"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "no number was found"),
        ({"not": {}}, "no value was found"),
        ({"const": "\ud800"}, "cannot be read"),
        ({"type": "number", "minimum": float("inf")}, "minimum: "),
    ],
    ids=str,
)
def test_what_cannot_be_satisfied_says_why(schema: Any, why: str) -> None:
    with pytest.raises(UnusableSchema) as unusable:
        sample(schema, random.Random(1).random)
    assert why in str(unusable.value)
    assert len(str(unusable.value)) < 700


def test_optional_properties_are_given_and_null_only_where_nothing_else_will_do() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": ["null", "integer"]}, "b": {"anyOf": [text(), {"const": None}]}},
    }
    for seed in range(20):
        made = sample(schema, random.Random(seed).random)
        assert list(made) == ["a", "b"]
        assert None not in made.values()


def test_null_is_better_than_anything_at_all() -> None:
    anything = {"description": "what a client makes of a reference that it cannot follow"}
    for seed in range(20):
        assert sample({"anyOf": [anything, {"type": "null"}]}, random.Random(seed).random) is None


def test_examples_of_a_schema_are_taken_where_they_satisfy_it() -> None:
    schema = text(minLength=3, examples=["바", "김치찌개", 5])
    assert {sample(schema, random.Random(seed).random) for seed in range(20)} == {"김치찌개"}


def test_what_is_recursive_ends_soon() -> None:
    for seed in range(20):
        assert len(json.dumps(sample(TREE, random.Random(seed).random))) < 5_000
        assert json.dumps(sample(LINKED, random.Random(seed).random)).count("value") < 10


whole = st.integers(-5, 5)
few = st.integers(0, 3)
leaves = st.one_of(
    st.fixed_dictionaries({"type": st.just("string")}, optional={"minLength": few, "maxLength": st.integers(3, 9)}),
    st.sampled_from([text(pattern="^[a-c]+$"), text(format="date"), {"type": "boolean"}, {"type": "null"}, {}]),
    st.fixed_dictionaries({"type": st.sampled_from(["integer", "number"])}, optional={"minimum": whole}),
    st.builds(lambda values: {"enum": values}, st.lists(st.integers() | st.text(max_size=3), min_size=1, max_size=3)),
    st.just({"$ref": "#/$defs/shared"}),
)


def inner(schemas: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    properties = st.dictionaries(st.sampled_from(["a", "b", "c", "$ref", "한글"]), schemas, max_size=3)
    objects = st.builds(
        lambda known, closed: {
            "type": "object",
            "properties": known,
            "required": sorted(known)[:2],
            **({"additionalProperties": False} if closed else {}),
        },
        properties,
        st.booleans(),
    )
    arrays = st.builds(lambda part, low: items(part, minItems=low), schemas, few)
    choices = st.builds(lambda parts: {"anyOf": parts}, st.lists(schemas, min_size=1, max_size=3))
    return objects | arrays | choices


@given(st.recursive(leaves, inner, max_leaves=12), st.integers(0, 1000))
def test_any_schema_that_can_be_satisfied_is(schema: Any, seed: int) -> None:
    whole_schema = {"$defs": {"shared": text(minLength=2)}, **schema}
    judge(whole_schema, sample(whole_schema, random.Random(seed).random))


odd = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.text(max_size=3)
    | st.sampled_from(["#", "#/$defs/a", "string"]),
    lambda value: (
        st.lists(value, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "type",
                        "properties",
                        "required",
                        "items",
                        "anyOf",
                        "allOf",
                        "oneOf",
                        "not",
                        "$ref",
                        "$defs",
                        "enum",
                    ),
                    *(
                        "minItems",
                        "uniqueItems",
                        "if",
                        "then",
                        "contains",
                        "pattern",
                        "minimum",
                        "multipleOf",
                        "$id",
                        "a",
                    ),
                ]
            ),
            value,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(odd)
def test_any_json_as_a_schema_is_satisfied_or_refused(schema: Any) -> None:
    try:
        value = sample(schema, random.Random(1).random)
    except UnusableSchema:
        return
    judge(schema, value)
