"""A made-up wire for tests: everything that the shapes can say and chldo does not use."""

from __future__ import annotations

from app.contract.schema.shapes import (
    NULL,
    Anything,
    Either,
    Flag,
    Items,
    Key,
    Named,
    Number,
    OneOf,
    Phrase,
    Record,
    Text,
    Whole,
    or_null,
)
from app.contract.schema.wire import Channel, Edition, Exchange, Message, Server, Wire

WHO = Named(
    "Who", Record((Key("name", Text(least=1), "what they are called"), Key("age", Whole(0), required=False))), "who"
)
MORE = Named("More", Record((Key("note", Text()),), open=True), "what a later version may add to")

RUNG = Message(
    "Rung",
    "Frame",
    "bell.rung",
    "The bell was rung.",
    Record(
        (
            Key("type", OneOf(("bell.rung",)), "what happened"),
            Key("from", WHO, "who rang"),
            Key("at-second", Number(0, 59.9, 0.1), "when"),
            Key("tones", Items(Items(Whole(1, 88), 1, 3), 1), "chords"),
            Key("where", Record((Key("x", Number()), Key("deep", Record((Key("y", NULL),))))), "nested twice"),
            Key("loud", Flag(), required=False),
            Key("more", or_null(MORE), required=False),
            Key("extra", Anything(), required=False),
            Key("json", Flag(), "a name that pydantic has a use for", required=False),
            Key("model_name", Text(), required=False),
            Key("_hidden", Text(), required=False),
            Key("3d", Text(), required=False),
            Key("told", Phrase(("`rung` ${", int, "} times by (", str, ")"))),
            Key("mixed", Either((Whole(), Items(OneOf(("a", 1)))))),
        )
    ),
    (
        {
            "type": "bell.rung",
            "from": {"name": "Ada"},
            "at-second": 0.3,
            "tones": [[1], [2, 88]],
            "where": {"x": 1.5, "deep": {"y": None}},
            "told": "`rung` ${3} times by (Ada)",
            "mixed": ["a", 1],
        },
        {
            "type": "bell.rung",
            "from": {"name": "Ada", "age": 36},
            "at-second": 7,
            "tones": [[1]],
            "where": {"x": 1, "deep": {"y": None}},
            "loud": True,
            "more": {"note": "", "later": [1]},
            "extra": {"any": ["thing"]},
            "json": False,
            "model_name": "large",
            "_hidden": "",
            "3d": "yes",
            "told": "`rung` ${-1} times by (you)",
            "mixed": 5,
        },
    ),
)
SILENT = Message(
    "Silent",
    "Frame",
    "bell.silent",
    "Nobody rang.",
    Record((Key("type", OneOf(("bell.silent",))),)),
    ({"type": "bell.silent"},),
)
RING = Message(
    "Ring",
    "Request",
    "ring",
    "Rings the bell.",
    Record((Key("type", OneOf(("ring",))), Key("class", Text(), required=False))),
    ({"type": "ring", "class": "first"}, {"type": "ring"}),
)

BELL = Edition(
    wire="bell",
    id="",
    title="Bell */",
    told='A wire without editions, with a \\ and "quotes".',
    frames=(RUNG, SILENT),
    requests=(RING,),
    marks=("type",),
    servers=(Server("tower", "127.0.0.1:1", "ws", "Here."),),
    channels=(
        Channel("tower", "/tower/{tower_id}/", "One tower.", Record(ordered=False), (("tower_id", "which"),)),
        Channel("quiet", "/quiet/", "Where nobody rings.", Record(ordered=False), frames=("Silent",), requests=()),
    ),
    exchanges=(Exchange("Ring", ("Rung",), "The bell answers."),),
    default=True,
)
WIRE = Wire("bell", "Bell", lambda: [BELL])
