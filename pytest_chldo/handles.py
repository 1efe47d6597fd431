"""What a test has put into the emulator, and can take out again."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from pytest_chldo.control import Control, EmulatorError

GONE = 404


class Handle:
    """Something at an address of the control plane, until it is removed: by hand, at the end of `with`, or at the end
    of the test.
    """

    def __init__(self, control: Control, path: Sequence[str]) -> None:
        self._control = control
        self._path = tuple(path)
        self._removed = False

    def remove(self) -> None:
        """Takes it out; a second time, or after a reset, does nothing."""
        if self._removed:
            return
        try:
            self._control.ask("DELETE", *self._path)
        except EmulatorError as error:
            if error.status != GONE:
                raise
        self._removed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


class Fault(Handle):
    """A fault in force. `id` names it in the journal, `kind` is what it does."""

    def __init__(self, control: Control, told: dict[str, Any]) -> None:
        self.id = str(told["id"])
        self.kind = str(told["fault"])
        self._strikes = 0
        super().__init__(control, ("faults", self.id))

    @property
    def strikes(self) -> int:
        """How often it has struck; after it was removed, until then."""
        if not self._removed:
            self._strikes = int(self._control.get(*self._path)["strikes"])
        return self._strikes

    def remove(self) -> None:
        """Takes it out of force; `strikes` keeps what it was."""
        if self._removed:
            return
        try:
            self._strikes = self.strikes
        except EmulatorError as error:
            if error.status != GONE:
                raise
        super().remove()

    def __repr__(self) -> str:
        return f"<Fault {self.id} {self.kind}>"


class Reply(Handle):
    """A scripted reply that comes before those of the fixture files."""

    def __init__(self, control: Control, told: dict[str, Any]) -> None:
        self.id = str(told["id"])
        super().__init__(control, ("replies", self.id))

    def __repr__(self) -> str:
        return f"<Reply {self.id}>"


class Profile(Handle):
    """A fault profile in force."""

    def __init__(self, control: Control, name: str) -> None:
        self.name = name
        super().__init__(control, ("profiles", name))

    def __repr__(self) -> str:
        return f"<Profile {self.name}>"


class Snapshot(Handle):
    """What the emulator's state was: spaces, balances, rooms and turns."""

    def __init__(self, control: Control, told: dict[str, Any]) -> None:
        self.id = str(told["id"])
        super().__init__(control, ("snapshots", self.id))

    def restore(self) -> None:
        """Brings the state back; may be done again."""
        self._control.ask("POST", *self._path, "restore")

    def __repr__(self) -> str:
        return f"<Snapshot {self.id}>"
