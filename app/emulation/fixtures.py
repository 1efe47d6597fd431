"""Loads the fixtures folder: `spaces.yaml`, `replies/*.yaml` in the order of their names, faults and their profiles.

docs/fixtures.md describes every key; `KEYS` is what it is held to. Reading blocks: call it in a thread.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from app.emulation.conditions import TEXT_KEYS, Condition, Exact, text_condition
from app.emulation.documents import read_document
from app.emulation.faults.files import FILE_KEYS as FAULT_KEYS
from app.emulation.faults.files import PROFILE_KEYS, read_faults, read_profiles
from app.emulation.faults.rules import RULE_KEYS, WHEN, Profile, Rule
from app.emulation.lore import KEYS as LORE_KEYS
from app.emulation.lore import read_greetings, read_memories, read_scenes
from app.emulation.nodes import Problem
from app.emulation.replies import (
    FALLBACK,
    VARIABLES,
    Choice,
    Entry,
    JsonReply,
    Pace,
    Reply,
    ReplyBook,
    ReplyError,
    ToolCall,
    texts_in,
    unknown_variables,
)
from app.emulation.report import FixtureError, Item, Report, either
from app.spaces.models import STRICT, UPLOADS, ApiKey, Space, SpaceSeed

__all__ = ["KEYS", "FixtureError", "Fixtures", "Problem", "is_reply_file", "load_fixtures"]

ANSWERS = ("reply", "tokens", "json", "error")
BESIDE = ("choices", "tool_calls")
SHAPES = ("response_format", "json_schema", "tool_choice")
"""What a request may ask of the shape of an answer."""

TEXTS = ("msg", "space", "room_uid", "user_id", "language", "model", "filename", *SHAPES)
OPTIONAL = ("msg", "filename", "scene_number", *SHAPES)
"""What a request may lack, and `null` therefore matches."""

KEYS: dict[str, tuple[str, ...]] = {
    "spaces.yaml": ("spaces",),
    "space": (
        *("uid", "name", "org_id", "api_keys", "credit", "credit_per_turn", "return_voice", "sentence_mode"),
        *("language", "model", "graph", "prompt", "greetings", "scenes", "memories", "strict"),
        *("uploads", "default"),
    ),
    **LORE_KEYS,
    "api_key": ("key", "usable"),
    "reply file": ("replies", "default", "pace"),
    "reply": ("when", *ANSWERS, *BESIDE, "pace"),
    "default": (*ANSWERS, *BESIDE, "pace"),
    "when": (*TEXTS, "scene_number", "turn"),
    "text": TEXT_KEYS,
    "choice": ("text", "tone"),
    "tool_call": ("name", "args"),
    "pace": ("first", "per_second"),
    "error": ("status", "body"),
    "faults.yaml": FAULT_KEYS,
    "profile": PROFILE_KEYS,
    "fault": RULE_KEYS,
    "fault when": WHEN,
}
"""Every key of the fixture files, by the mapping it stands in; those that each kind of fault takes are in `KINDS`."""

SUFFIXES = (".yaml", ".yml", ".json")
LARGEST_WHOLE = 2**63 - 1
SLOWEST_FIRST = 3_600.0
SLOWEST = 0.01
FASTEST = 1_000_000.0
TONE = "중립적"
"""The tone of a choice that does not say."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TOOL = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Fixtures:
    """What a fixtures folder holds."""

    spaces: tuple[SpaceSeed, ...]
    replies: ReplyBook
    unused_defaults: tuple[Reply, ...] = ()
    """Those of later files: the first one decides."""
    faults: tuple[Rule, ...] = ()
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    wires: Mapping[str, object] = field(default_factory=dict)
    """What the files of single wires hold, by file name."""
    languages: tuple[tuple[str, str], ...] = ()
    """The languages that spaces name, each after its `file:line`."""


WireFiles = Mapping[str, Callable[[Item | None], object]]
"""The files that wires read beside those of all, by name, and how: None where there is no such file."""


def load_fixtures(folder: Path, *, strict: bool = False, wires: WireFiles = MappingProxyType({})) -> Fixtures:
    """Reads and checks the whole folder. Raises `FixtureError` with every problem of every file.

    `strict`: every space is, whatever its file says.
    """
    report = Report()
    fixtures = Fixtures((), ReplyBook(()))
    try:
        there = folder.is_dir()
    except OSError:
        there = False
    if there:
        strict_spaces: set[str] = set()
        languages: list[tuple[str, str]] = []
        spaces = _spaces(folder, report, strict_spaces, languages)
        entries, defaults = _replies(folder, report)
        book = ReplyBook(entries, defaults[0] if defaults else FALLBACK, strict=strict or strict_spaces)
        faults, profiles = read_faults(folder, report), read_profiles(folder, report)
        own = {
            name: read(_open(folder, name, report) if (folder / name).exists() else None)
            for name, read in wires.items()
        }
        fixtures = Fixtures(spaces, book, tuple(defaults[1:]), faults, profiles, own, tuple(languages))
    else:
        report.note(Problem(str(folder), 1, "folder", "a folder with spaces.yaml", "no folder that can be opened"))
    report.close()
    return fixtures


def is_reply_file(path: Path) -> bool:
    """Whether a file of `replies/` is read, by its name."""
    return path.suffix in SUFFIXES and not path.name.startswith(".")


def _open(folder: Path, file: str, report: Report) -> Item | None:
    root, problems = read_document(folder / file, file)
    report.note(*problems)
    return None if root is None else Item.whole_file(root, file, report)


def _spaces(folder: Path, report: Report, strict: set[str], languages: list[tuple[str, str]]) -> tuple[SpaceSeed, ...]:
    """The spaces of `spaces.yaml`; the uids of those that are strict go into `strict`, the languages that any names
    into `languages`.
    """
    document = _open(folder, "spaces.yaml", report)
    if document is None:
        return ()
    listed = document.fields(KEYS["spaces.yaml"], required=("spaces",)).get("spaces")
    if listed is None:
        return ()
    items = listed.items(anew=True)
    seen: dict[tuple[str, str], Item] = {}
    seeds = tuple(_space(item, seen, strict, languages) for item in items)
    defaults = [item for item, seed in zip(items, seeds, strict=True) if seed.space.default]
    if len(defaults) != 1:
        where = defaults[1] if defaults else listed
        where.refuse("exactly one space with default: true", f"{len(defaults)} of {len(items)}")
    return seeds


def _space(
    item: Item, seen: dict[tuple[str, str], Item], strict: set[str], languages: list[tuple[str, str]]
) -> SpaceSeed:
    fields = item.fields(KEYS["space"], required=("uid",))
    values = read_space(fields, seen)
    if "language" in values:
        languages.append((fields["language"].source, values["language"]))
    uid = values.setdefault("uid", "?")
    if values.pop("strict", False):
        strict.add(uid)
    keys = values.pop("api_keys", ())
    return SpaceSeed(space=Space(**{**space_defaults(uid), **values}), keys=keys)


def space_defaults(uid: str) -> dict[str, Any]:
    """What holds for a space that says no more than its uid, by the names of `Space`."""
    return {
        "uid": uid,
        "org_id": f"org_{uid}",
        "name": uid,
        "credit": 1_000_000,
        "credit_per_turn": 0,
        "return_voice": 0,
        "sentence_mode": True,
        "language": "ko",
        "model": "scripted",
        "graph": "companion",
        "prompt": "",
        "uploads": STRICT,
        "default": False,
    }


def read_space(fields: Mapping[str, Item], seen: dict[tuple[str, str], Item], uid: str = "?") -> dict[str, Any]:
    """What the fields of a space say, by the names of `Space`; and `api_keys` and `strict`, if they are given.

    `seen`: what may be there once only, and where it was first. `uid` is the space's, if no field says it.
    """
    own = fields["uid"].node.value if "uid" in fields else uid
    money = partial(Item.whole, low=0, high=LARGEST_WHOLE)
    readers: dict[str, Callable[[Item], object]] = {
        "uid": lambda field: _once("uid", field, field.text("1 to 64 of A-Z a-z 0-9 _ . -", _NAME), seen),
        "name": Item.one_line,
        "org_id": lambda field: _once("org_id", field, field.one_line(), seen),
        "api_keys": lambda field: tuple(_api_key(key, seen) for key in field.items()),
        "credit": money,
        "credit_per_turn": money,
        "return_voice": partial(Item.whole, low=0, high=1),
        "sentence_mode": Item.flag,
        "language": Item.one_line,
        "model": Item.one_line,
        "graph": Item.one_line,
        "prompt": Item.any_text,
        "greetings": read_greetings,
        "scenes": read_scenes,
        "memories": lambda field: read_memories(field, str(own)),
        "strict": Item.flag,
        "uploads": lambda field: field.one_of(*UPLOADS),
        "default": Item.flag,
    }
    return {name: read(fields[name]) for name, read in readers.items() if name in fields}


def _api_key(item: Item, seen: dict[tuple[str, str], Item]) -> ApiKey:
    usable = True
    if item.is_mapping:
        fields = item.fields(KEYS["api_key"], required=("key",), secret=True)
        usable = fields["usable"].flag() if "usable" in fields else True
        if "key" not in fields:
            return ApiKey(key="?", usable=usable)
        item = fields["key"]
    return ApiKey(key=_once("api_key", item, item.one_line(secret=True), seen), usable=usable)


def _once(kind: str, item: Item, value: str, seen: dict[tuple[str, str], Item]) -> str:
    """The value, after noting if another space has it too."""
    first = seen.setdefault((kind, value), item)
    if first is not item and value == item.node.value:
        item.refuse(f"each {kind} once", f"it again (first on line {first.line})")
    return value


def _replies(folder: Path, report: Report) -> tuple[list[Entry], list[Reply]]:
    """The entries and the defaults of all reply files, in order."""
    try:
        names = sorted(path.name for path in (folder / "replies").iterdir() if is_reply_file(path))
    except FileNotFoundError:
        names = []
    except OSError as error:
        report.note(Problem("replies", 1, "folder", "a readable folder", error.strerror or type(error).__name__))
        names = []
    entries: list[Entry] = []
    defaults: list[Reply] = []
    for name in names:
        document = _open(folder, f"replies/{name}", report)
        if document is None:
            continue
        fields = document.fields(KEYS["reply file"])
        pace = read_pace(fields["pace"]) if "pace" in fields else None
        if "replies" in fields:
            entries.extend(read_reply(item, pace) for item in fields["replies"].items(anew=True))
        if "default" in fields:
            item = fields["default"]
            defaults.append(_answer(item, item.fields(KEYS["default"]), pace))
    return entries, defaults


def read_reply(item: Item, pace: Pace | None = None) -> Entry:
    """An entry of a reply file. `pace`: the file's, for one that does not say."""
    fields = item.fields(KEYS["reply"], required=("when",))
    when: dict[str, Condition] = {}
    if "when" in fields:
        conditions = fields["when"].fields(KEYS["when"])
        if fields["when"].is_mapping and not conditions:
            fields["when"].refuse(f"at least one of {', '.join(KEYS['when'])} (`default` answers everything)")
        when = {name: _condition(name, condition) for name, condition in conditions.items()}
    return Entry(when, _answer(item, fields, pace))


def _condition(name: str, item: Item) -> Condition:
    if item.is_null and name in OPTIONAL:
        return Exact(None)
    if name not in TEXTS:
        return Exact(item.whole(1 if name == "turn" else 0, LARGEST_WHOLE))
    return text_condition(item)


def _answer(item: Item, fields: dict[str, Item], pace: Pace | None) -> Reply:
    """What an entry or a default says. `fields` are those of `item`; `pace` is the file's."""
    given = [name for name in ANSWERS if name in fields]
    if len(given) != 1 and item.is_mapping:
        item.refuse(f"exactly one of {', '.join(ANSWERS)}", " and ".join(given) or "none of them")
    text = tokens = written = error = None
    if "reply" in fields:
        text = fields["reply"].text()
        _check_variables(fields["reply"], text)
    if "tokens" in fields:
        tokens = tuple(token.text() for token in fields["tokens"].items())
        if not tokens:
            fields["tokens"].refuse("at least one token")
    if "json" in fields:
        written = JsonReply(fields["json"].json())
        for part in texts_in(written.value):
            _check_variables(fields["json"], part)
    if "error" in fields:
        error = _error(fields["error"])
    choices = tuple(_choice(choice) for choice in fields["choices"].items()) if "choices" in fields else None
    tool_calls: tuple[ToolCall, ...] = ()
    if "tool_calls" in fields:
        tool_calls = tuple(_tool_call(call) for call in fields["tool_calls"].items())
        if error is not None:
            fields["tool_calls"].refuse("reply, tokens or json beside it", "error")
        if fields["tool_calls"].node.value == []:
            fields["tool_calls"].refuse("at least one call")
    return Reply(
        text=text,
        tokens=tokens,
        json=written,
        pace=read_pace(fields["pace"]) if "pace" in fields else pace,
        error=error,
        choices=choices,
        tool_calls=tool_calls,
        source=item.source,
    )


def _check_variables(item: Item, text: str) -> None:
    for variable in unknown_variables(text):
        item.refuse(either([f"{{{{{name}}}}}" for name in VARIABLES]), variable)


def _choice(item: Item) -> Choice:
    fields = item.fields(KEYS["choice"], required=("text",))
    text = fields["text"].text() if "text" in fields else "?"
    return Choice(text, fields["tone"].one_line() if "tone" in fields else TONE)


def _tool_call(item: Item) -> ToolCall:
    fields = item.fields(KEYS["tool_call"], required=("name",))
    name = fields["name"].text("1 to 64 of A-Z a-z 0-9 _ -", _TOOL) if "name" in fields else "?"
    return ToolCall(name, {key: member.json() for key, member in fields["args"].members()} if "args" in fields else {})


def _error(item: Item) -> ReplyError:
    fields = item.fields(KEYS["error"], required=KEYS["error"])
    status = fields["status"].whole(400, 599) if "status" in fields else 400
    return ReplyError(status, fields["body"].json() if "body" in fields else None)


def read_pace(item: Item) -> Pace:
    """How fast a reply comes."""
    fields = item.fields(KEYS["pace"])
    first = fields["first"].number(0, SLOWEST_FIRST) if "first" in fields else 0.0
    per_second = fields["per_second"].number(0, FASTEST) if "per_second" in fields else 0.0
    if 0 < per_second < SLOWEST:
        fields["per_second"].refuse(f"0 (at once), or at least {SLOWEST:g} tokens per second")
    return Pace(first, per_second)
