"""What a request asks of the shape of an answer: JSON, a tool that must be called, calls one by one.

The keys are those of OpenAI's chat completions, which LangChain's chat models take as keyword arguments too. PURE.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.emulation.replies import ReplyAsk

Json = dict[str, Any]

TEXT, JSON_OBJECT, JSON_SCHEMA = "text", "json_object", "json_schema"
CHOICES = ("none", "auto", "required")


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A function that may be called, and the JSON Schema of its arguments, which are an object. `number`: its place
    among the tools.
    """

    name: str
    parameters: Json
    number: int


@dataclass(frozen=True, slots=True)
class AnswerShape:
    """`choice`: `none`, `auto`, `required`, a tool's name, or None where the request does not say. `schema` is what
    `json_schema` has to satisfy; `allowed` the tools that may be called, None for all; `parallel` whether several may
    be called at once.
    """

    format: str | None = None
    schema_name: str | None = None
    schema: Json | bool | None = None
    choice: str | None = None
    tools: tuple[OfferedTool, ...] = ()
    allowed: tuple[str, ...] | None = None
    parallel: bool = True
    seed: int | None = None

    def ask(self, ask: ReplyAsk) -> ReplyAsk:
        """A question with the shape that its answer shall have."""
        return replace(ask, response_format=self.format, json_schema=self.schema_name, tool_choice=self.choice)

    @property
    def forced_tool(self) -> OfferedTool | None:
        """The tool to call where one must be called: the one that is named, or the first that is allowed."""
        return next(
            (tool for tool in self.tools if self.choice in ("required", tool.name) and self.allows(tool.name)), None
        )

    def allows(self, name: str) -> bool:
        """Whether a tool may be called."""
        return self.allowed is None or name in self.allowed


def shape_of(asked: Mapping[str, Any]) -> AnswerShape:
    """The shape that `response_format`, `tools`, `tool_choice`, `parallel_tool_calls` and `seed` ask for. What makes no
    sense counts as left out.
    """
    wanted = asked.get("response_format")
    wanted = wanted if isinstance(wanted, Mapping) and wanted.get("type") in (JSON_OBJECT, JSON_SCHEMA) else {}
    described = wanted.get(JSON_SCHEMA)
    described = described if isinstance(described, Mapping) else {}
    choice, seed = asked.get("tool_choice"), asked.get("seed")
    return AnswerShape(
        format=wanted.get("type"),
        schema_name=described.get("name"),
        schema=described.get("schema"),
        choice=chosen(choice),
        tools=tuple(_tools(asked.get("tools"))),
        allowed=allowed_names(choice),
        parallel=asked.get("parallel_tool_calls") is not False,
        seed=seed if isinstance(seed, int) else None,
    )


def chosen(choice: object) -> str | None:
    """One of `CHOICES`, or the name of a tool."""
    if isinstance(choice, Mapping):
        if choice.get("type") == "allowed_tools":
            return chosen(_allowed(choice).get("mode"))
        function = choice.get("function")
        name = function.get("name") if isinstance(function, Mapping) else None
        return name if isinstance(name, str) else None
    if choice in ("any", True):
        return "required"  # as LangChain says it
    return choice if isinstance(choice, str) else None


def allowed_names(choice: object) -> tuple[str, ...] | None:
    """The functions that a choice allows; None where it allows all."""
    if not isinstance(choice, Mapping) or choice.get("type") != "allowed_tools":
        return None
    functions = [tool.get("function") for tool in _allowed(choice).get("tools", ()) if isinstance(tool, Mapping)]
    return tuple(function["name"] for function in functions if isinstance(function, Mapping) and "name" in function)


def _allowed(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    allowed = choice.get("allowed_tools")
    return allowed if isinstance(allowed, Mapping) else {}


def _tools(tools: object) -> list[OfferedTool]:
    found = []
    for number, tool in enumerate(tools if isinstance(tools, list | tuple) else ()):
        function = tool.get("function") if isinstance(tool, Mapping) and tool.get("type") == "function" else None
        if isinstance(function, Mapping) and isinstance(function.get("name"), str):
            parameters = function.get("parameters")
            schema = parameters if isinstance(parameters, Mapping) else {}
            found.append(OfferedTool(function["name"], {"type": "object", **schema}, number))
    return found
