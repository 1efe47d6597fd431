"""Spaces, credit and keys: `/_emulator/spaces`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from app.control.bodies import body_of, read_body
from app.control.plane import Body, Plane, Removed, router
from app.control.refusals import Refused
from app.emulation.fixtures import KEYS, LARGEST_WHOLE, read_space, space_defaults
from app.emulation.lore import written
from app.emulation.report import Item
from app.engine import Engine
from app.spaces.models import ApiKey, Space

if TYPE_CHECKING:
    from app.emulation.replies import LiveBook
    from app.spaces.registry import Listed

KEY_LENGTH = 22
"""Hexadecimal digits of a key that is made here."""

EXAMPLE = {"uid": "second", "api_keys": ["11112222333344445555aa"], "credit": 500, "credit_per_turn": 10}
_FIELDS: dict[str, Any] = {
    "type": "object",
    "description": "The keys of a space in spaces.yaml (docs/fixtures.md).",
    "properties": {name: {} for name in KEYS["space"]},
    "additionalProperties": False,
}


class Key(BaseModel):
    """A key that opens the space. One that is not usable is known, and refused."""

    key: str = Field(examples=["11112222333344445555aa"])
    usable: bool


class SpaceAsItIs(BaseModel):
    """A space, by the keys of spaces.yaml, with its balance as it is now."""

    uid: str = Field(examples=["second"])
    org_id: str
    name: str
    credit: int = Field(description="The balance, in won.", examples=[500])
    credit_per_turn: int
    return_voice: int
    sentence_mode: bool
    language: str
    model: str
    graph: str
    prompt: str
    default: bool = Field(description="Whether it answers where a request names no space.")
    strict: bool
    uploads: Literal["strict", "lenient"] = Field(description="What a name of no uploaded image gets.")
    api_keys: list[Key]
    greetings: dict[str, str]
    scenes: dict[str, Any]
    memories: list[dict[str, Any]]


class Spaces(BaseModel):
    """Every space, by uid."""

    spaces: list[SpaceAsItIs]


class Credit(Body):
    credit: int = Field(ge=0, le=LARGEST_WHOLE, description="The balance, in won.", examples=[1000])


class NewKey(Body):
    key: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="One is made if none is given.",
        examples=["11112222333344445555bb"],
    )
    usable: bool = True


class Usable(Body):
    usable: bool = Field(description="false: it is refused from now on.")


Uid = Annotated[str, Path(description="The space's uid.", examples=["demo"])]
KeyInPath = Annotated[str, Path(description="The key.", examples=["d4a3653a4ba72d6e04a293"])]


def space_routes(plane: Plane) -> APIRouter:
    """The routes."""
    routes = router(plane, "spaces", 404, 409, 413, 503)
    ids = plane.stage.world.ids.branch("control", "keys")

    @routes.get("/spaces", summary="Every space")
    async def all_of_them() -> Spaces:
        engine = await plane.engine()
        return Spaces(spaces=[_shown(one, engine.book) for one in await engine.registry.all()])

    @routes.post(
        "/spaces",
        summary="Add a space",
        status_code=201,
        openapi_extra=body_of({**_FIELDS, "required": ["uid"]}, EXAMPLE),
    )
    async def create(request: Request) -> SpaceAsItIs:
        """The body is a space as in spaces.yaml. It lasts until a reset of everything, or until it is deleted."""
        engine = await plane.engine()
        values = await read_body(request, lambda item: read_space(_given(item, ("uid",)), {}))
        await _check_graph(engine, values)
        strict, keys = values.pop("strict", None), values.pop("api_keys", ())
        space = Space(**{**space_defaults(values["uid"]), **values})
        with _Told():
            made = await engine.registry.create(space, keys)
        engine.book.decide(space.uid, strict)
        plane.note("spaces create", space=space.uid)
        return _shown(made, engine.book)

    @routes.get("/spaces/{uid}", summary="One space")
    async def one(uid: Uid) -> SpaceAsItIs:
        engine = await plane.engine()
        with _Told():
            return _shown(await engine.registry.get(uid), engine.book)

    @routes.patch("/spaces/{uid}", summary="Change a space", openapi_extra=body_of(_FIELDS, {"language": "en"}))
    async def change(uid: Uid, request: Request) -> SpaceAsItIs:
        """What the body has of the keys of a space is set, the rest stays; `api_keys` are all its keys from then on. A
        uid cannot be changed.
        """
        engine = await plane.engine()
        values = await read_body(request, lambda item: read_space(_given(item, ()), {}, uid))
        if values.pop("uid", uid) != uid:
            raise Refused(400, "uid: a space keeps its uid")
        await _check_graph(engine, values)
        strict, keys = values.pop("strict", None), values.pop("api_keys", None)
        with _Told():
            changed = await engine.registry.change(uid, values, keys)
        if strict is not None:
            engine.book.decide(uid, strict)
        plane.note("spaces change", space=uid, keys=sorted(values))
        return _shown(changed, engine.book)

    @routes.delete("/spaces/{uid}", summary="Delete a space")
    async def delete(uid: Uid) -> Removed:
        """With its keys. What was said in it stays until a reset. One that the fixtures declare comes back with a reset
        or a change of the files. The default space cannot be deleted.
        """
        engine = await plane.engine()
        with _Told():
            await engine.registry.delete(uid)
        engine.book.decide(uid, None)
        plane.note("spaces delete", space=uid)
        return Removed(removed=1)

    @routes.put("/spaces/{uid}/credit", summary="Set a balance")
    async def put_credit(uid: Uid, body: Credit) -> SpaceAsItIs:
        engine = await plane.engine()
        with _Told():
            changed = await engine.registry.set_credit(uid, body.credit)
        plane.note("credit", space=uid, credit=body.credit)
        return _shown(changed, engine.book)

    @routes.post("/spaces/{uid}/keys", summary="Give a space one more key", status_code=201)
    async def add_key(uid: Uid, body: NewKey | None = None) -> Key:
        engine = await plane.engine()
        asked = body or NewKey(key=None)
        key = ApiKey(asked.key or ids.hexadecimal(KEY_LENGTH), asked.usable)
        with _Told():
            await engine.registry.add_key(uid, key)
        plane.note("keys add", space=uid)
        return Key(key=key.key, usable=key.usable)

    @routes.patch("/spaces/{uid}/keys/{key}", summary="Revoke a key, or make it usable again")
    async def change_key(uid: Uid, key: KeyInPath, body: Usable) -> Key:
        engine = await plane.engine()
        with _Told():
            await engine.registry.set_usable(uid, key, body.usable)
        plane.note("keys change", space=uid, usable=body.usable)
        return Key(key=key, usable=body.usable)

    @routes.delete("/spaces/{uid}/keys/{key}", summary="Take a key away")
    async def remove_key(uid: Uid, key: KeyInPath) -> Removed:
        engine = await plane.engine()
        with _Told():
            await engine.registry.remove_key(uid, key)
        plane.note("keys remove", space=uid)
        return Removed(removed=1)

    return routes


class _Told:
    """Says of what the store refuses what the caller may know."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from app.spaces.registry import NoSuch, Taken

        if isinstance(error, NoSuch):
            raise Refused(404, f"uid: {error}") from None
        if isinstance(error, Taken):
            raise Refused(409, str(error)) from None


def _given(item: Item, required: tuple[str, ...]) -> Mapping[str, Item]:
    return item.fields(KEYS["space"], required)


async def _check_graph(engine: Engine, values: Mapping[str, Any]) -> None:
    """Raises `Refused` for a graph that cannot be had."""
    from app.agent.graphs import GraphError

    if "graph" in values:
        try:
            await asyncio.to_thread(engine.graphs.get, values["graph"])
        except GraphError as error:
            raise Refused(400, f"graph: {error}") from None


def _shown(listed: Listed, book: LiveBook) -> SpaceAsItIs:
    space = listed.space
    plain: dict[str, Any] = {field.name: getattr(space, field.name) for field in fields(Space)}
    plain |= written(space)
    return SpaceAsItIs(
        **plain,
        strict=book.current.is_strict(space.uid),
        api_keys=[Key(key=key.key, usable=key.usable) for key in listed.keys],
    )
