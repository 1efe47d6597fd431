"""Responses that can be asked for later: the last ones, in memory. PURE."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from app.chldo.bad_requests import Json

MAX_RESPONSES = 1_000
MAX_BYTES = 64 * 1024 * 1024
"""Bytes of all requests whose responses are kept."""


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """A response as it ended, and what led to it: `items`, each with an id, and in `context` all items of earlier
    responses. `size`: bytes of the request.
    """

    space: str
    body: Json
    items: tuple[Json, ...]
    context: tuple[Json, ...] = ()
    size: int = 0

    @property
    def own_items(self) -> tuple[Json, ...]:
        """What came with it: its input and its output."""
        return (*self.items, *self.body["output"])

    @property
    def all_items(self) -> tuple[Json, ...]:
        """All that was said up to its end."""
        return (*self.context, *self.own_items)


@dataclass(slots=True)
class ResponseStore:
    """Keeps responses of all spaces; the oldest is forgotten where there are too many."""

    _kept: OrderedDict[tuple[str, str], KeptResponse] = field(default_factory=OrderedDict)
    _items: dict[tuple[str, str], tuple[str, Json]] = field(default_factory=dict)
    """Items by space and id, each with the id of the response it came with."""
    _size: int = 0

    def keep(self, response: KeptResponse) -> None:
        """Keeps a response."""
        uid = response.body["id"]
        self._kept[response.space, uid] = response
        self._size += response.size
        for item in response.own_items:
            self._items.setdefault((response.space, item["id"]), (uid, item))
        while len(self._kept) > MAX_RESPONSES or (self._size > MAX_BYTES and len(self._kept) > 1):
            (space, uid), _ = next(iter(self._kept.items()))
            self.forget(space, uid)

    def find(self, space: str, uid: str) -> KeptResponse | None:
        """A response of a space."""
        return self._kept.get((space, uid))

    def item(self, space: str, uid: str) -> Json | None:
        """An item of a space."""
        found = self._items.get((space, uid))
        return None if found is None else found[1]

    def forget(self, space: str, uid: str) -> bool:
        """Forgets a response; whether it was there."""
        response = self._kept.pop((space, uid), None)
        if response is None:
            return False
        self._size -= response.size
        for item in response.own_items:
            if self._items.get((space, item["id"]), ("",))[0] == uid:
                del self._items[space, item["id"]]
        return True

    def clear(self) -> None:
        """Forgets all of them."""
        self._kept.clear()
        self._items.clear()
        self._size = 0

    def of(self, space: str) -> SpaceResponses:
        """Those of one space."""
        return SpaceResponses(self, space)


@dataclass(frozen=True, slots=True)
class SpaceResponses:
    """What a request in a space can refer to."""

    store: ResponseStore
    space: str

    def context(self, uid: str) -> tuple[Json, ...] | None:
        """All items up to the end of a response."""
        found = self.store.find(self.space, uid)
        return None if found is None else found.all_items

    def item(self, uid: str) -> Json | None:
        """An item by its id."""
        return self.store.item(self.space, uid)
