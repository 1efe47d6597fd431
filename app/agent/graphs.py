"""Finds graphs by name through `langgraph.json`, as LangGraph's own tools do.

An entry is `path/to/file.py:attribute` (relative to the json) or `package.module:attribute`; the attribute is a
compiled graph, a builder, or a function without arguments that returns either. Imports LangGraph.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph

from app.extras import install_extra

Graph = CompiledStateGraph[Any, Any, Any, Any]


class GraphError(Exception):
    """A graph that cannot be had; the text says which and why."""


class GraphShelf:
    """The graphs that `langgraph.json` names, each loaded once, when first asked for."""

    def __init__(self, listing: Path, *, saver: BaseCheckpointSaver[Any] | None = None) -> None:
        self._listing = listing
        self._saver = saver
        self._entries = _read(listing)
        self._loaded: dict[str, Graph] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names a space may use."""
        return tuple(self._entries)

    def get(self, name: str) -> Graph:
        """The compiled graph `name`. Raises `GraphError`."""
        known = self._loaded.get(name)
        if known is None:
            if name not in self._entries:
                raise GraphError(f"no graph named {name!r} in {self._listing}; it names {', '.join(self._entries)}")
            known = self._loaded[name] = self._load(name, self._entries[name])
        return known

    def remembers(self, graph: Graph) -> bool:
        """Whether the graph keeps its own threads (a room is a thread) instead of being told the history."""
        return isinstance(graph.checkpointer, BaseCheckpointSaver)

    def savers(self) -> dict[str, BaseCheckpointSaver[Any]]:
        """What keeps threads, each once: the shelf's own under "", a graph's own under the graph's name."""
        found: dict[str, BaseCheckpointSaver[Any]] = {} if self._saver is None else {"": self._saver}
        for name, graph in self._loaded.items():
            own = graph.checkpointer
            if isinstance(own, BaseCheckpointSaver) and own not in found.values():
                found[name] = own
        return found

    def declares_checkpointer(self, name: str) -> bool:
        """Whether the graph asks for a checkpointer by `compile(checkpointer=True)`."""
        return name in self._entries and self._compiled(name, self._entries[name]).checkpointer is True

    def _load(self, name: str, entry: str) -> Graph:
        graph = self._compiled(name, entry)
        if graph.checkpointer is not True:
            return graph
        if self._saver is None:
            raise GraphError(
                f"graph {name!r} declares a checkpointer: {install_extra('checkpoint')} (with PostgreSQL: postgres)"
            )
        return graph.copy(update={"checkpointer": self._saver})

    def _compiled(self, name: str, entry: str) -> Graph:
        source, _, attribute = entry.rpartition(":")
        if not source:
            raise GraphError(f"graph {name!r} in {self._listing}: expected file.py:attribute, found {entry!r}")
        try:
            found = getattr(self._module(name, source), attribute)
            if callable(found) and not isinstance(found, StateGraph | CompiledStateGraph):
                found = found()
            return found.compile() if isinstance(found, StateGraph) else _check(name, found)
        except GraphError:
            raise
        except Exception as error:
            raise GraphError(f"graph {name!r} ({entry}) cannot be loaded: {type(error).__name__}: {error}") from error

    def _module(self, name: str, source: str) -> ModuleType:
        if not source.endswith(".py"):
            return importlib.import_module(source)
        path = (self._listing.parent / source).resolve()
        packaged = f"{path.parent.name}.{path.stem}"
        spec = importlib.util.find_spec(packaged) if _is_package(path.parent.name) else None
        if spec is not None and spec.origin and (Path(spec.origin).resolve() == path or not path.exists()):
            return importlib.import_module(packaged)
        if not path.exists():
            raise GraphError(f"graph {name!r}: no such file {path}")
        spec = importlib.util.spec_from_file_location(f"chldo_graph_{name}", path)
        if spec is None or spec.loader is None:
            raise GraphError(f"graph {name!r}: {path} is no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module


def _is_package(name: str) -> bool:
    return name.isidentifier() and importlib.util.find_spec(name) is not None


def _check(name: str, found: object) -> Graph:
    if not isinstance(found, CompiledStateGraph):
        raise GraphError(f"graph {name!r}: expected a LangGraph graph, found {type(found).__name__}")
    return found


def _read(listing: Path) -> Mapping[str, str]:
    try:
        table = json.loads(listing.read_text(encoding="utf-8"))
    except OSError as error:
        raise GraphError(f"cannot read {listing}: {error.strerror}") from None
    except ValueError as error:
        raise GraphError(f"{listing} is no valid JSON: {error}") from None
    graphs = table.get("graphs") if isinstance(table, dict) else None
    if not isinstance(graphs, dict) or not all(isinstance(entry, str) for entry in graphs.values()):
        raise GraphError(f'{listing}: expected {{"graphs": {{"name": "./file.py:attribute"}}}}')
    return graphs
