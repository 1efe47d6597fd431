"""Asks the control plane of a server: JSON over HTTP, a connection for each question, any thread."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

PREFIX = "/_emulator"

PATIENCE = 30.0
"""Seconds that an answer may take."""


class EmulatorError(Exception):
    """The emulator cannot do what was asked, or cannot be reached. `status`: what it answered; None if nothing."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Control:
    """The control plane of the server at `url`. `fate` tells what is known of a server that does not answer."""

    def __init__(self, url: str, *, token: str | None = None, fate: Callable[[], str] | None = None) -> None:
        parts = urlsplit(url.rstrip("/"))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise EmulatorError(f"the address of an emulator begins with http:// or https:// and a host (got {url!r})")
        try:
            port = parts.port
        except ValueError as error:
            raise EmulatorError(f"the address of an emulator has no usable port: {error} (got {url!r})") from None
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path}"
        self._host, self._port, self._base = parts.hostname, port, parts.path
        self._kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._fate = fate

    def get(self, *path: str, patience: float = PATIENCE, **query: Any) -> Any:
        """What is at `path` under /_emulator; queries that are None are left out. `patience`: seconds."""
        return self.ask("GET", *path, patience=patience, query=query)

    def ask(
        self,
        method: str,
        *path: str,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        patience: float = PATIENCE,
    ) -> Any:
        """The answer's JSON; None if it has none. Raises `EmulatorError` with the server's own line, or with why there
        is no answer.
        """
        place = "/".join((PREFIX, *(quote(part, safe="") for part in path)))
        asked = urlencode({key: _plain(value) for key, value in (query or {}).items() if value is not None}, doseq=True)
        target = f"{self._base}{place}{'?' if asked else ''}{asked}"
        sent = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        headers = self._headers if sent is None else {**self._headers, "Content-Type": "application/json"}
        connection = self._kind(self._host, self._port, timeout=patience)
        try:
            connection.request(method, target, sent, headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (OSError, HTTPException) as error:
            raise EmulatorError(self._silent(error)) from None
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            raise EmulatorError(f"{_told(text)} ({method} {place}: {answer.status})", answer.status)
        try:
            return json.loads(text) if text else None
        except ValueError:
            raise EmulatorError(f"{method} {place} of {self.url} did not answer with JSON: {text[:80]!r}") from None

    def _silent(self, error: Exception) -> str:
        known = self._fate() if self._fate is not None else ""
        return known or f"the emulator at {self.url} does not answer: {error or type(error).__name__}"


def _plain(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _told(text: str) -> str:
    """The one line of an error's answer."""
    try:
        told = json.loads(text)
    except ValueError:
        told = None
    message = told.get("message") or told.get("detail") if isinstance(told, dict) else None
    return str(message) if message else (text.strip()[:200] or "no reason given")
