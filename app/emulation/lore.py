"""Reads and writes what a space says and knows: the greetings, scenes and memories of `spaces.yaml`."""

from __future__ import annotations

import re
from hashlib import blake2b
from unicodedata import normalize

from app.emulation.nodes import Json
from app.emulation.report import Item
from app.spaces.models import Greeting, Memory, Scene, Space

KEYS: dict[str, tuple[str, ...]] = {
    "scene": ("name", "prompt"),
    "memory": ("uid", "name", "variants", "hotword", "text", "dictionary", "long_term"),
    "dictionary": ("k", "v"),
}

LAST_GREETING = 2**31 - 1
LAST_SCENE = 7
_UID = re.compile(r"[0-9a-f]{17}")


def written(space: Space) -> dict[str, Json]:
    """The greetings, scenes and memories of a space as a file would say them."""
    return {
        "greetings": {str(greeting.number): greeting.text for greeting in space.greetings},
        "scenes": {str(scene.number): _written_scene(scene) for scene in space.scenes},
        "memories": [_written_memory(memory) for memory in space.memories],
    }


def _written_scene(scene: Scene) -> Json:
    return {"name": scene.name, "prompt": scene.prompt} if scene.name else scene.prompt


def _written_memory(memory: Memory) -> Json:
    told: dict[str, Json] = {
        "uid": memory.uid,
        "name": memory.name,
        "variants": list(memory.variants),
        "hotword": memory.hotword,
        "long_term": memory.long_term,
    }
    if memory.text is not None:
        told["text"] = memory.text
    if memory.entries is not None:
        told["dictionary"] = [{"k": key, "v": value} for key, value in memory.entries]
    return told


def read_greetings(item: Item) -> tuple[Greeting, ...]:
    """Greetings by their numbers, from 1."""
    return tuple(Greeting(number, text.text()) for number, text in item.numbered(1, LAST_GREETING))


def read_scenes(item: Item) -> tuple[Scene, ...]:
    """Scenes by their numbers, 1 to 7; each a prompt, or a mapping with one."""
    return tuple(_scene(number, scene) for number, scene in item.numbered(1, LAST_SCENE))


def _scene(number: int, item: Item) -> Scene:
    if not item.is_mapping:
        return Scene(number, item.text("text, or a mapping with name and prompt"))
    fields = item.fields(KEYS["scene"], required=("prompt",))
    prompt = fields["prompt"].text() if "prompt" in fields else "?"
    return Scene(number, prompt, fields["name"].one_line() if "name" in fields else "")


def read_memories(item: Item, space_uid: str) -> tuple[Memory, ...]:
    """Memories in the order in which they stand in the file, each uid once."""
    first: dict[str, Item] = {}
    return tuple(_memory(memory, space_uid, first) for memory in item.items())


def _memory(item: Item, space_uid: str, first: dict[str, Item]) -> Memory:
    fields = item.fields(KEYS["memory"], required=("name",))
    name = fields["name"].one_line() if "name" in fields else "?"
    hotword = fields["hotword"].flag() if "hotword" in fields else True
    if "hotword" in fields and fields["hotword"].node.value is False and not ({"text", "dictionary"} & fields.keys()):
        item.refuse("text or dictionary, or hotword: true", "neither")
    if {"text", "dictionary"} <= fields.keys():
        item.refuse("text or dictionary", "both")
    return Memory(
        uid=_uid(item, fields, name, space_uid, first),
        name=name,
        variants=_variants(fields["variants"]) if "variants" in fields else (name,),
        hotword=hotword,
        text=fields["text"].text() if "text" in fields else None,
        entries=_dictionary(fields["dictionary"]) if "dictionary" in fields else None,
        long_term=fields["long_term"].flag() if "long_term" in fields else False,
    )


def _uid(item: Item, fields: dict[str, Item], name: str, space_uid: str, first: dict[str, Item]) -> str:
    """The uid in the file, else one that follows from the names of the space and of the memory."""
    if "uid" in fields:
        source = fields["uid"]
        uid = source.text("17 of 0-9 a-f", _UID)
        if uid == "?":
            return uid
    elif "name" in fields:
        source = fields["name"]
        uid = derived_uid(space_uid, name)
    else:
        return "?"
    earlier = first.setdefault(uid, source)
    if earlier is not source:
        expected = "each uid once in a space" if "uid" in fields else "a name that no other memory has, or a uid"
        source.refuse(expected, f"it again (first on line {earlier.line})")
    return uid


def derived_uid(space_uid: str, name: str) -> str:
    """The uid of a memory that states none: the same wherever and whenever its file is read."""
    return blake2b(f"{space_uid}\n{normalize('NFC', name)}".encode(), digest_size=9).hexdigest()[:17]


def _variants(item: Item) -> tuple[str, ...]:
    variants = tuple(variant.one_line() for variant in item.items())
    if not variants and isinstance(item.node.value, list):
        item.refuse("at least one variant")
    return variants


def _dictionary(item: Item) -> tuple[tuple[str, str], ...]:
    if item.is_mapping:
        pairs = tuple((name, value.any_text()) for name, value in item.members())
    else:
        pairs = tuple(_pair(pair) for pair in item.items())
    if not pairs and isinstance(item.node.value, list | dict):
        item.refuse("at least one entry")
    return pairs


def _pair(item: Item) -> tuple[str, str]:
    fields = item.fields(KEYS["dictionary"], required=KEYS["dictionary"])
    key = fields["k"].text() if "k" in fields else "?"
    return key, fields["v"].any_text() if "v" in fields else ""
