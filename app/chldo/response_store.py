"""Responses that can be asked for later: the last ones, in memory. PURE."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from app.chldo.bad_requests import Json

MAX_RESPONSES = 1_000
MAX_BYTES = 64 * 1024 * 1024
"""Bytes of all requests whose responses are kept."""


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """A response as it ended, and what led to it: `items`, each with an id, and in `context` all items of earlier
    responses. `era`: which of the store's eras it was asked for in; `size`: bytes of the request.
    """

    body: Json
    items: tuple[Json, ...]
    context: tuple[Json, ...] = ()
    era: int = 0
    size: int = 0

    @property
    def own_items(self) -> tuple[Json, ...]:
        """What came with it: its input and its output."""
        return (*self.items, *self.body["output"])


@dataclass(slots=True)
class ResponseStore:
    """Keeps responses of all spaces; the oldest is forgotten where there are too many."""

    _kept: OrderedDict[tuple[str, str], KeptResponse] = field(default_factory=OrderedDict)
    _items: dict[tuple[str, str], tuple[str, Json]] = field(default_factory=dict)
    """Items by space and id, each with the id of the response it came with."""
    _size: int = 0

    def of(self, space: str, is_over: Callable[[int], bool]) -> SpaceResponses:
        """Those of one space. `is_over`: whether the space has been reset since an era."""
        return SpaceResponses(self, space, is_over)

    def keep(self, space: str, response: KeptResponse) -> None:
        uid = response.body["id"]
        self._kept[space, uid] = response
        self._size += response.size
        for item in response.own_items:
            self._items.setdefault((space, item["id"]), (uid, item))
        while len(self._kept) > MAX_RESPONSES or (self._size > MAX_BYTES and len(self._kept) > 1):
            self.forget(*next(iter(self._kept)))

    def find(self, space: str, uid: str) -> KeptResponse | None:
        return self._kept.get((space, uid))

    def item(self, space: str, uid: str) -> tuple[str, Json]:
        """An item, and the id of the response it came with; "" for none."""
        return self._items.get((space, uid), ("", {}))

    def forget(self, space: str, uid: str) -> None:
        response = self._kept.pop((space, uid))
        self._size -= response.size
        for item in response.own_items:
            if self.item(space, item["id"])[0] == uid:
                del self._items[space, item["id"]]


@dataclass(frozen=True, slots=True)
class SpaceResponses:
    """The responses that are kept for a space. A reset of the space ends them."""

    _store: ResponseStore
    _space: str
    _is_over: Callable[[int], bool]

    def keep(self, response: KeptResponse) -> None:
        """Keeps a response."""
        self._store.keep(self._space, response)

    def find(self, uid: str) -> KeptResponse | None:
        """A response by its id."""
        found = self._store.find(self._space, uid)
        return None if found is None or self._is_over(found.era) else found

    def context(self, uid: str) -> tuple[Json, ...] | None:
        """All items up to the end of a response."""
        found = self.find(uid)
        return None if found is None else (*found.context, *found.own_items)

    def item(self, uid: str) -> Json | None:
        """An item by its id."""
        owner, item = self._store.item(self._space, uid)
        return item if owner and self.find(owner) is not None else None

    def forget(self, uid: str) -> None:
        """Forgets a response that is kept."""
        self._store.forget(self._space, uid)
