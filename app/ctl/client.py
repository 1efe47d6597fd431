"""Asks a server's control plane. Whatever goes wrong ends the program, with one line and the right exit code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

import typer

from app.standard_streams import typed

if TYPE_CHECKING:
    import httpx

REFUSED = 1
MISUSE = 2
NO_SERVER = 3

_ADDRESS = re.compile(r"https?://[^/]")

PATIENCE = 30.0
"""Seconds for an answer, beside the time that the server was asked to wait."""


@dataclass(frozen=True, slots=True)
class Content:
    """What is in a file, and its media type."""

    data: bytes
    kind: str


class Client:
    """A server. It is asked when a command asks it; until then nothing is read and nothing imported."""

    def __init__(self, url: str | None, token: str | None, config: Path | None) -> None:
        self._url = url
        self._token = token
        self._config = config

    def get(self, path: str, **params: Any) -> Any:
        """The answer to a GET."""
        return self.ask("GET", path, params=params)

    def ask(self, method: str, path: str, body: Any = None, *, wait: float = 0.0, **options: Any) -> Any:
        """The JSON of an answer. `body`: JSON, or what is in a file. `wait`: seconds it may take longer."""
        if isinstance(body, Content):
            options |= {"content": body.data, "headers": {"content-type": body.kind}}
        elif body is not None:
            text = typed(json.dumps(body, ensure_ascii=False))
            options |= {"content": text.encode(), "headers": {"content-type": "application/json"}}
        if "params" in options:
            options["params"] = _typed(options["params"])
        with self._opened(wait) as client:
            answer = client.request(method, path, **options)
            if not answer.is_success:
                fail(_reason(answer), REFUSED)
            return _json(answer)

    def lines(self, path: str, **params: Any) -> Iterator[str]:
        """The lines of an answer without an end."""
        with self._opened(float("inf")) as client, client.stream("GET", path, params=_typed(params)) as answer:
            if not answer.is_success:
                answer.read()
                fail(_reason(answer), REFUSED)
            yield from answer.iter_lines()

    @contextmanager
    def _opened(self, wait: float) -> Iterator[httpx.Client]:
        import httpx

        base, token = self._address()
        if not _ADDRESS.match(base):
            fail(f"{base} is no address of a server: expected http://HOST:PORT", MISUSE)
        options: dict[str, Any] = {
            "base_url": f"{base}/_emulator",
            "headers": {} if token is None else {"authorization": f"Bearer {token}"},
            "timeout": httpx.Timeout(PATIENCE, read=None if wait == float("inf") else PATIENCE + wait),
            "trust_env": False,  # no proxy stands between a shell and its emulator
            "verify": base.startswith("https:"),  # reading certificates takes longer than a local answer
        }
        try:
            with httpx.Client(**options) as client:
                yield client
        except httpx.InvalidURL:  # whose text may quote a password
            fail(f"{base} is no address of a server", MISUSE)
        except httpx.TransportError as error:
            fail(f"no server at {base}: {error or type(error).__name__}", NO_SERVER)

    def _address(self) -> tuple[str, str | None]:
        """Where the server is, and the token it wants: as given, else as the settings have it."""
        from app.settings import SettingsError, load_settings

        if self._url is not None and self._token is not None:
            return self._url.rstrip("/"), self._token
        try:
            settings = load_settings(self._config)
        except SettingsError as error:
            fail(str(error), MISUSE)
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
        if ":" in host and not host.startswith("["):
            host = f"[{host}]"
        secret = settings.control.token
        token = self._token or (secret.get_secret_value() if secret is not None else None)
        return (self._url or f"http://{host}:{settings.port}").rstrip("/"), token or None


def client_of(context: typer.Context) -> Client:
    """The client of a command."""
    found = context.obj
    assert isinstance(found, Client)
    return found


def part(text: str) -> str:
    """A name as a part of a path."""
    return quote(text, safe="", errors="surrogateescape")


def fail(text: str, code: int) -> NoReturn:
    """One line on standard error, and the end."""
    from app.redaction import redact  # here: its expressions are compiled for failures only

    typer.echo(f"chldo-emulator: {redact(text)}", err=True)
    raise typer.Exit(code)


def _typed(params: dict[str, Any]) -> dict[str, Any]:
    return {key: typed(value) if isinstance(value, str) else value for key, value in params.items()}


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        fail(f"{answer.url} answers, but not as a control plane", REFUSED)


def _reason(answer: httpx.Response) -> str:
    """Why the server does not do what it was asked."""
    try:
        told = answer.json()
        lines = told.get("problems") or [told["message"]]
    except (ValueError, KeyError, AttributeError):
        return f"{answer.url.copy_with(query=None)} answers with status {answer.status_code}: no control plane there?"
    return "\nchldo-emulator: ".join(map(str, lines))
