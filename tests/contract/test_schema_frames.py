"""The descriptions of the chldo wire against its frame classes, and the AsyncAPI documents against its paths."""

from __future__ import annotations

import dataclasses
import inspect
import json
from typing import Any

import pytest

from app.chldo import frames as classes
from app.chldo.revisions import DEFAULT, REVISIONS
from app.contract.examples import all_frames
from app.contract.schema.chldo import keys
from app.contract.schema.chldo.frames import frames_of
from app.contract.schema.chldo.wire import editions
from app.contract.schema.json_schema import schema_of
from app.contract.schema.shapes import Record
from tests.contract.judges import TREE, judge_of

Json = dict[str, Any]

JSON_TYPES = {
    "str": {"string"},
    "str | None": {"string", "null"},
    "int": {"integer"},
    "int | None": {"integer", "null"},
    "int | float": {"integer", "number"},
    "int | float | None": {"integer", "number", "null"},
    "bool": {"boolean"},
    "dict[str, Any]": {"object"},
    "list[str]": {"array"},
    "list[dict[str, str]]": {"array"},
}
CLASSES = [kind for _, kind in inspect.getmembers(classes, inspect.isclass) if dataclasses.is_dataclass(kind)]
KINDS = {tuple(field.name for field in dataclasses.fields(kind)): kind for kind in CLASSES}
"""The frame classes by their keys; classes with the same keys have the same types."""


def allowed_types(schema: Json) -> set[str]:
    """The JSON types of what a schema accepts."""
    if "anyOf" in schema:
        return {name for choice in schema["anyOf"] for name in allowed_types(choice)}
    kind = schema["type"]
    return {kind} if isinstance(kind, str) else set(kind)


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_schema_has_the_keys_of_its_frame_class_in_order_and_no_type_that_the_class_has_not(revision: str) -> None:
    for name, schema in judge_of(revision).schemas.items():
        order = tuple(schema["x-key-order"])
        assert order in KINDS, name
        assert order == tuple(schema["properties"]) == tuple(schema["required"])
        assert schema["additionalProperties"] is False
        for field in dataclasses.fields(KINDS[order]):
            assert allowed_types(schema["properties"][field.name]) <= JSON_TYPES[str(field.type)], (name, field.name)


def test_every_frame_class_has_a_schema_in_the_revisions_that_send_it() -> None:
    everywhere = set()
    for revision in REVISIONS:
        sent = {tuple(shown.body) for shown in all_frames(REVISIONS[revision])}
        described = {tuple(schema["x-key-order"]) for schema in judge_of(revision).schemas.values()}
        assert sent <= described
        everywhere |= described
    assert everywhere == set(KINDS)


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_example_is_accepted_by_its_own_schema_alone(revision: str) -> None:
    for kind in ("Frame", "Request"):
        judge = judge_of(revision, kind)
        for name, schema in judge.schemas.items():
            assert schema["examples"]
            for example in schema["examples"]:
                assert judge.names(example) == [name], judge.why(example)
                assert judge.accepts(example)


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_schema_of_a_message_is_the_one_in_the_union(revision: str) -> None:
    for kind in ("Frame", "Request"):
        for name, schema in judge_of(revision, kind).schemas.items():
            file = TREE / "chldo" / revision / f"{kind.lower()}s" / f"{name.removesuffix(kind)}.schema.json"
            alone = json.loads(file.read_text(encoding="utf-8"))
            assert alone.pop("$schema") == "https://json-schema.org/draft/2020-12/schema"
            assert alone.pop("$id") == f"urn:chldo-emulator:schema:chldo:{revision}:{name}"
            assert alone == schema


def test_a_key_that_nobody_described_stops_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "SHAPES", {})
    monkeypatch.setattr("app.contract.schema.chldo.frames.SHAPES", {})
    with pytest.raises(KeyError, match="connection_id"):
        frames_of(REVISIONS[DEFAULT])


def test_sent_uids_and_scenes_are_those_of_the_revision() -> None:
    lengths = {
        revision: schema["properties"]["sent_uid"]["maxLength"]
        for revision in REVISIONS
        for schema in judge_of(revision).schemas.values()
        if "sent_uid" in schema["properties"]
    }
    assert lengths == {
        revision: known.sent_uid_length for revision, known in REVISIONS.items() if known.sent_uid_length is not None
    }


@pytest.mark.parametrize("edition", editions(), ids=lambda edition: edition.id)
def test_an_asyncapi_document_names_its_revision_paths_and_answers(edition: Any) -> None:
    document = json.loads((TREE / edition.folder / "asyncapi.json").read_text(encoding="utf-8"))
    assert document["info"]["version"] == edition.id
    assert edition.id in document["info"]["title"]
    assert document["servers"]["chldo"]["host"] == "ws.api.chldo.com"
    paths = [channel["address"] for channel in document["channels"].values()]
    assert paths == (["/v1/"] if edition.id == "2023-12-28" else ["/v3/", "/v4/"])
    for channel in document["channels"].values():
        query = channel["bindings"]["ws"]["query"]
        assert list(query["properties"]) == ["room_uid", "user_uid", "revision"]
        assert query["properties"]["revision"]["const"] == edition.id
        assert query["required"] == []
    received = [operation for operation in document["operations"].values() if operation["action"] == "receive"]
    assert len(received) == len(edition.requests) * len(paths)
    answering = {reference["$ref"].rpartition("/")[2] for o in received for reference in o["reply"]["messages"]}
    assert answering == {frame.type_name for frame in edition.frames} - {"ForbiddenFrame"}
    sent = [operation for operation in document["operations"].values() if operation["action"] == "send"]
    assert all(len(operation["messages"]) == len(edition.frames) for operation in sent)


def test_closed_objects_are_closed_all_the_way_down() -> None:
    def objects(schema: Json) -> list[Json]:
        inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
        inner += [schema["items"]] if "items" in schema else []
        found = [deeper for part in inner for deeper in objects(part)]
        return [schema, *found] if schema.get("type") == "object" else found

    for edition in editions():
        for message in edition.messages:
            for found in objects(schema_of(message.record)):
                assert found["additionalProperties"] is False or not found["properties"], message.name


def test_an_empty_object_takes_nothing() -> None:
    assert schema_of(Record()) == {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
