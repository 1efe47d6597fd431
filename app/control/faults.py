"""Faults while the program runs: `/_emulator/faults` and `/_emulator/profiles`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from app.control.bodies import body_of, read_body
from app.control.plane import Plane, Removed, router
from app.control.refusals import Refused
from app.emulation.faults.kinds import KINDS, MOST
from app.emulation.faults.live import PROFILE, Faults, LiveRule, TooManyFaults
from app.emulation.faults.rules import WHEN, Rule, read_rule, read_rules
from app.emulation.report import Item

SOURCE = "control"
EXAMPLE = {"fault": "drop", "when": {"frame": "END", "room": "r1"}, "count": 1}


class Fault(BaseModel):
    """A rule in force: its keys as it was written, and what has become of it. `strikes`: in all rooms."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(examples=["f1"])
    strikes: int = Field(examples=[0])
    source: str = Field(
        description="`control`, or `profile:NAME:` or `fixtures:` and the place in the files.", examples=["control"]
    )
    fault: str = Field(description="The kind.", examples=["drop"])


class Faulty(BaseModel):
    """Rules in force."""

    faults: list[Fault]


class Takes(BaseModel):
    """A parameter of a kind."""

    about: str
    required: bool
    default: Any = None


class KindOfFault(BaseModel):
    """A way of breaking things. `one_of`: parameters of which at most one may be given."""

    name: str = Field(examples=["delay"])
    place: str = Field(description="Where in the flow it strikes.", examples=["frame"])
    about: str
    takes: dict[str, Takes]
    one_of: list[str]


class Kinds(BaseModel):
    """All kinds, and what a rule can ask of an occasion (`when`)."""

    kinds: list[KindOfFault]
    when: list[str]


class Profile(BaseModel):
    """A named set of rules in the fixtures."""

    name: str = Field(examples=["flaky-mobile"])
    about: str = Field(description="What it is for, in words; empty where its file does not say.")
    rules: int = Field(examples=[4])
    in_force: bool


class Profiles(BaseModel):
    """Every profile that the fixtures have."""

    profiles: list[Profile]


_CONDITION = {
    "description": "Exact text, or `contains` or `regex`.",
    "anyOf": [
        {"type": "string", "minLength": 1},
        *(
            {
                "type": "object",
                "properties": {key: {"type": "string", "minLength": 1}},
                "required": [key],
                "additionalProperties": False,
            }
            for key in ("contains", "regex")
        ),
    ],
}
_RULE: dict[str, Any] = {
    "type": "object",
    "required": ["fault"],
    "description": "Beside these keys, those that the kind takes (GET /_emulator/faults/kinds).",
    "properties": {
        "fault": {"type": "string", "enum": list(KINDS)},
        "when": {
            "type": "object",
            "properties": {
                **dict.fromkeys(WHEN, _CONDITION),
                "turn": {"type": "integer", "minimum": 1, "maximum": MOST},
                "message": {"anyOf": [_CONDITION, {"type": "null"}]},
            },
            "additionalProperties": False,
        },
        "probability": {"type": "number", "minimum": 0, "maximum": 1},
        "count": {"type": "integer", "minimum": 1, "maximum": MOST, "description": "Strikes in a room."},
        "skip": {"type": "integer", "minimum": 0, "maximum": MOST, "description": "Occasions let pass first."},
    },
}
_SEVERAL = {
    "type": "object",
    "required": ["faults"],
    "properties": {"faults": {"type": "array", "items": _RULE}},
    "additionalProperties": False,
}


def fault_routes(plane: Plane) -> APIRouter:
    """The routes."""
    routes = router(plane, "faults", 404, 409, 413)
    faults = plane.stage.faults

    @routes.get("/faults", summary="The rules in force")
    async def all_of_them() -> Faulty:
        """In the order in which they strike."""
        return Faulty(faults=[_shown(live) for live in faults])

    @routes.post(
        "/faults",
        summary="Add one rule, or several",
        status_code=201,
        openapi_extra=body_of({"anyOf": [_RULE, _SEVERAL]}, EXAMPLE),
    )
    async def add(request: Request) -> Faulty:
        """The body is one rule or `{"faults": [rule, …]}`, read as `faults.yaml` is. All of them are added, or none."""
        rules = await read_body(request, read_faults_body)
        try:
            added = faults.add(rules, source=SOURCE)
        except TooManyFaults as many:
            raise Refused(409, f"faults: {many}") from None
        plane.note("faults add", ids=[live.id for live in added])
        return Faulty(faults=[_shown(live) for live in added])

    @routes.delete("/faults", summary="Remove what was added at runtime")
    async def clear(
        source: Annotated[
            str | None,
            Query(
                description="Only those of this source: `control`, `fixtures`, `profile`, or `profile:NAME`. "
                "Without it all but those of the fixtures. What is removed of the fixtures comes back with a reset."
            ),
        ] = None,
    ) -> Removed:
        removed = faults.keep("fixtures") if source is None else faults.clear(source)
        plane.note("faults clear", removed=removed)
        return Removed(removed=removed)

    @routes.get("/faults/kinds", summary="Every kind of fault and what it takes")
    async def kinds() -> Kinds:
        found = [
            KindOfFault(
                name=kind.name,
                place=kind.place.value,
                about=kind.about,
                one_of=list(kind.one_of),
                takes={
                    name: Takes(about=taken.about, required=taken.required, default=taken.default)
                    for name, taken in kind.takes.items()
                },
            )
            for kind in KINDS.values()
        ]
        return Kinds(kinds=found, when=list(WHEN))

    @routes.get("/faults/{id}", summary="One rule in force")
    async def one(uid: Annotated[str, Path(alias="id", description="Its id.", examples=["f1"])]) -> Fault:
        live = faults.get(uid)
        if live is None:
            raise Refused(404, f"id: no fault {uid} is in force")
        return _shown(live)

    @routes.delete("/faults/{id}", summary="Remove one rule")
    async def remove(uid: Annotated[str, Path(alias="id", description="Its id.", examples=["f1"])]) -> Removed:
        if not faults.remove(uid):
            raise Refused(404, f"id: no fault {uid} is in force")
        plane.note("faults remove", ids=[uid])
        return Removed(removed=1)

    @routes.get("/profiles", summary="The profiles of the fixtures")
    async def profiles() -> Profiles:
        return Profiles(
            profiles=[
                Profile(name=name, about=rules.about, rules=len(rules), in_force=bool(_of(faults, name)))
                for name, rules in faults.profiles.items()
            ]
        )

    @routes.post("/profiles/{name}", summary="Put a profile in force")
    async def use(name: Annotated[str, Path(description="Its name.", examples=["flaky-mobile"])]) -> Faulty:
        """One that is in force already stays as it is."""
        _known(faults, name)
        try:
            live = _of(faults, name) or faults.use(name)
        except TooManyFaults as many:
            raise Refused(409, f"name: {many}") from None
        plane.note("profile use", profile=name)
        return Faulty(faults=[_shown(one) for one in live])

    @routes.delete("/profiles/{name}", summary="Take a profile out of force")
    async def drop(name: Annotated[str, Path(description="Its name.", examples=["flaky-mobile"])]) -> Removed:
        if not _of(faults, name):
            _known(faults, name)
        removed = faults.clear(PROFILE + name)
        plane.note("profile drop", profile=name)
        return Removed(removed=removed)

    return routes


def read_faults_body(item: Item) -> tuple[Rule, ...]:
    """One rule, or a mapping with `faults`."""
    if isinstance(item.node.value, dict) and "faults" in item.node.value:
        listed = item.fields(("faults",), required=("faults",))["faults"]
        return read_rules(listed, anew=False)
    rule = read_rule(item)
    return () if rule is None else (rule,)


def _shown(live: LiveRule) -> Fault:
    return Fault(id=live.id, strikes=live.strikes, source=live.rule.source, **live.rule.plain())


def _of(faults: Faults, profile: str) -> list[LiveRule]:
    return [live for live in faults if live.rule.source.startswith(f"{PROFILE}{profile}:")]


def _known(faults: Faults, profile: str) -> None:
    if profile not in faults.profiles:
        raise Refused(404, f"name: no profile {profile}; known: {', '.join(faults.profiles) or 'none'}")
