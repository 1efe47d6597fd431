"""The checked-in schemas of a revision as judges of frames: the JSON Schema and the Python models, which must agree."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
from jsonschema.protocols import Validator
from pydantic import ValidationError

TREE = Path(__file__).parent.parent.parent / "docs" / "schema"

Json = dict[str, Any]


def multiple_of(validator: Validator, step: float, value: object, schema: Json) -> Iterator[jsonschema.ValidationError]:
    """The keyword `x-multiple-of`, as docs/schemas.md tells users to add it."""
    if isinstance(value, int | float) and abs(value / step - round(value / step)) > 1e-6:
        yield jsonschema.ValidationError(f"{value} is no multiple of {step}")


Strict = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator, {"x-multiple-of": multiple_of}
)


def load(module: Path) -> ModuleType:
    """A generated module, imported from its file."""
    spec = importlib.util.spec_from_file_location(module.stem, module)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[module.stem] = found
    spec.loader.exec_module(found)
    return found


class Judge:
    """What the documents of one revision say of messages. `kind`: `Frame` or `Request`."""

    def __init__(self, revision: str, kind: str = "Frame") -> None:
        folder = TREE / "chldo" / revision
        schema = json.loads((folder / f"{kind.lower()}s.schema.json").read_text(encoding="utf-8"))
        Strict.check_schema(schema)
        self.schemas: dict[str, Json] = schema["$defs"]
        self._validator = Strict(schema)
        self._parts = {name: Strict(part) for name, part in self.schemas.items()}
        self.models = load(folder / f"chldo_{revision.replace('-', '_')}.py")
        self._kind = kind
        self._parse = getattr(self.models, f"parse_{kind.lower()}")

    def names(self, frame: Json) -> list[str]:
        """The kinds of messages that the frame is one of, by their schemas: one, or none."""
        return [name for name, part in self._parts.items() if part.is_valid(frame)]

    def parsed(self, frame: Json) -> Any:
        """The frame as a model; None if it is refused."""
        try:
            return self._parse(compact(frame))
        except ValidationError:
            return None

    def accepts(self, frame: Json) -> bool:
        """Whether the frame is as documented. Fails if the schema and the models do not say the same."""
        names, parsed = self.names(frame), self.parsed(frame)
        told = [] if parsed is None else [type(parsed).__name__]
        assert names == told, f"the schemas say {names}, the models {parsed!r} of {compact(frame)}"
        if names:
            assert self._validator.is_valid(frame), compact(frame)
            assert json.loads(parsed.encode()) == frame
            assert self._kind == "Request" or parsed.encode() == compact(frame)
        return bool(names)

    def why(self, frame: Json) -> str:
        """What is wrong with a frame, for messages of failing tests."""
        error = jsonschema.exceptions.best_match(self._validator.iter_errors(frame))
        return f"{compact(frame)}: {error.message if error else 'nothing'}"


judge_of = cache(Judge)


@cache
def _documents(wire: str, edition: str, kind: str) -> tuple[Validator, Callable[[str], Any]]:
    folder = TREE / wire / edition
    schema = json.loads((folder / f"{kind.lower()}s.schema.json").read_text(encoding="utf-8"))
    Strict.check_schema(schema)
    models = load(folder / f"{wire}_{edition.replace('-', '_')}.py")
    return Strict(schema), getattr(models, f"parse_{kind.lower()}")


def judge(wire: str, edition: str, kind: str, messages: list[Json]) -> set[str]:
    """The types of the messages, all of which are as the checked-in documents say. `kind`: `Frame` or `Request`."""
    validator, read = _documents(wire, edition, kind)
    for message in messages:
        try:
            validator.validate(message)
        except jsonschema.ValidationError as error:
            raise AssertionError(f"{message}: {error.message}") from error
        if kind == "Frame":
            assert read(compact(message)).encode() == compact(message), "the same keys in the same order"
        else:
            read(compact(message))
    return {message["type"] for message in messages}


def compact(frame: Json) -> str:
    """A frame as the wire writes it."""
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":"))
