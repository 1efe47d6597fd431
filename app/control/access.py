"""Who may use the control plane.

With a token: everyone who shows it. Without one the server listens on this machine only, and programs on this machine
may use it. That is not enough by itself:

- A page in its browser could reach a server on loopback, under its own origin or, by rebinding a name of its own to
  127.0.0.1, under none that looks foreign. So both the address asked for and the page that asks must be of this
  machine, or allowed by the settings.
- A reverse proxy on this machine asks for clients of anywhere, and its own address, not theirs, is the peer's. So what
  came through a proxy, as far as a request shows it, needs the token, whether the proxy is trusted or not.
- The emulator itself sends requests on behalf of others (webhooks). They are recognised by their User-Agent.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Request, Security
from fastapi.security import APIKeyQuery, HTTPAuthorizationCredentials, HTTPBearer

from app.addresses import is_loopback
from app.control.refusals import Refused
from app.cors import host_of
from app.emulation.determinism import Ids
from app.emulation.outgoing import is_ours
from app.forwarding import forwarding_header

if TYPE_CHECKING:
    from app.settings import Settings

TOKEN_LENGTH = 32

_BEARER = HTTPBearer(auto_error=False, description="The token of the control plane, where one is set or was made.")
_QUERY = APIKeyQuery(name="token", auto_error=False, description="The same, for clients that cannot set headers.")


@dataclass(frozen=True, slots=True)
class Access:
    """What callers must show. `made`: the token, if it was made here because none was set; to be told once."""

    token: str | None = field(repr=False)
    made: str | None = field(repr=False)
    hosts: frozenset[str]
    origins: frozenset[str]

    @classmethod
    def of(cls, settings: Settings) -> Access:
        """As the settings want it; a token is made where other machines can call and none is set."""
        given = settings.control.token
        token = given.get_secret_value() or None if given is not None else None
        made = None
        if token is None and settings.control.enabled and not is_loopback(settings.host):
            token = made = Ids().base62(TOKEN_LENGTH)  # never of a seed: it must not be guessed
        origins = {origin.strip().rstrip("/") for origin in settings.cors.split(",")} - {"", "*"}
        return cls(token, made, frozenset((settings.host.lower(),)), frozenset(origins))

    def check(self, request: Request, shown: str | None) -> None:
        """Raises `Refused`."""
        if is_ours(request.headers):  # whoever names a webhook would ask in the emulator's place
            raise Refused(403, "user-agent: a webhook may not ask")
        if self.token is not None:
            if shown is None or not self._is_token(shown):
                raise Refused(
                    401,
                    "token: expected the token of the control plane as Authorization: Bearer, found "
                    + ("none" if shown is None else "another"),
                    headers={"www-authenticate": "Bearer"},
                )
            return
        if (proxy := _sign_of_a_proxy(request)) is not None:
            raise Refused(
                403,
                f"{proxy}: a request that came through a proxy is not one of this machine; "
                "set a token (control.token, CHLDO_CONTROL_TOKEN) and send it",
            )
        host = host_of(request.headers.get("host", ""))[0]
        if not is_loopback(host) and host not in self.hosts:
            raise Refused(403, f"host: {host or 'none'} is no name of this machine; set a token to be asked under it")
        origin = request.headers.get("origin")
        if origin is None:
            # A link of another page may show something here; a form of it may not do anything.
            follows = request.headers.get("sec-fetch-mode") == "navigate" and request.method in ("GET", "HEAD")
            if request.headers.get("sec-fetch-site") == "cross-site" and not follows:
                raise Refused(403, "origin: a page of another site may not ask; set a token")
            return
        if origin not in self.origins and not is_loopback(host_of(origin.partition("://")[2])[0]):
            raise Refused(403, f"origin: pages of {origin} may not ask; name it in the setting cors, or set a token")

    def _is_token(self, shown: str) -> bool:
        """Whether a text is the token; in a header it may be UTF-8 or Latin-1, which ASGI does not say."""
        assert self.token is not None
        spelt = {shown.encode("utf-8", "replace"), shown.encode("latin-1", "replace")}
        return any(hmac.compare_digest(one, self.token.encode()) for one in spelt)


def _sign_of_a_proxy(request: Request) -> str | None:
    """What shows that a request came through a proxy; None if nothing does. HTTP/1.0 is what older versions of nginx
    speak to the servers behind them by default, and they add no header by themselves.
    """
    if request.scope.get("http_version") == "1.0":
        return "HTTP/1.0"
    return forwarding_header(request.headers.raw)


def guard(access: Access) -> Callable[..., Awaitable[None]]:
    """The dependency of every route of the control plane."""

    async def admitted(
        request: Request,
        bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
        query: Annotated[str | None, Security(_QUERY)],
    ) -> None:
        access.check(request, bearer.credentials if bearer is not None else query)

    return admitted
