"""Access tokens of people: JWT, HS256, claims sub, sid, iat, exp. Imports PyJWT, when first used."""

from __future__ import annotations

import hmac
from collections import OrderedDict
from dataclasses import dataclass, replace

from app.hashee.identifiers import AGENT_TOKEN, TOKEN_PREFIX, digest
from app.hashee.refusals import Refused

LIFE = 300.0
"""Seconds that an access token lasts."""

INSTANT = 0.001
"""Seconds by which the moments of two tokens differ, if they do."""

MOST_READ = 4_096
"""Tokens whose signature is known to be right; checking it takes a tenth of the time of a request."""


@dataclass(frozen=True, slots=True)
class HumanCredential:
    """A valid access token: whose, of which session, made and over when (epoch seconds)."""

    user_id: str
    session: str
    issued: float
    expires: float


@dataclass(frozen=True, slots=True)
class AgentCredential:
    """A token of an agent, by its digest."""

    digest: str


Credential = HumanCredential | AgentCredential


class AccessTokens:
    """Makes and reads access tokens with one key."""

    def __init__(self, key: bytes, life: float = LIFE) -> None:
        self._key = key
        self.life = life
        self._read: OrderedDict[str, HumanCredential] = OrderedDict()

    def make(self, user_id: str, session: str, now: float, after: float = 0.0) -> str:
        """A token from `now` on; it is later than those that were over `after` some moment, in a standing time too."""
        import jwt

        issued = next_issue(now, after)
        claims = {"sub": user_id, "sid": session, "iat": issued, "exp": round(issued + self.life, 3)}
        return jwt.encode(claims, self._key, algorithm="HS256")

    def read(self, token: str, now: float) -> HumanCredential:
        """What a token says. One of a clock that was ahead is good for its life, from when it is first seen.

        Raises `Refused`: INVALID_TOKEN, TOKEN_EXPIRED.
        """
        name = digest(token)
        found = self._read.get(name)
        if found is None:
            found = self._read[name] = self._verified(token)
            if len(self._read) > MOST_READ:
                self._read.popitem(last=False)
        if found.expires > now + self.life:
            found = self._read[name] = replace(found, expires=now + self.life)
        if found.expires <= now:
            raise Refused("TOKEN_EXPIRED")
        return found

    def _verified(self, token: str) -> HumanCredential:
        import jwt

        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["HS256"],
                # The time is the emulated one: it is looked at below.
                options={"verify_exp": False, "verify_iat": False, "require": ["sub", "sid", "iat", "exp"]},
            )
            return HumanCredential(str(claims["sub"]), str(claims["sid"]), float(claims["iat"]), float(claims["exp"]))
        except (jwt.InvalidTokenError, ValueError, TypeError):
            raise Refused("INVALID_TOKEN") from None


def next_issue(now: float, after: float) -> float:
    """When a token is issued: now, and later than `after` even where the time stands still."""
    return round(max(now, after + INSTANT), 3)


def credential_of(header: str | None, tokens: AccessTokens, now: float) -> Credential:
    """Who asks, by the header Authorization. Raises `Refused`."""
    scheme, _, value = (header or "").partition(" ")
    value = value.strip()
    if scheme.lower() != "bearer" or not value:
        raise Refused("UNAUTHENTICATED")
    if value.startswith(TOKEN_PREFIX):
        return agent_credential(value)
    return tokens.read(value, now)


def agent_credential(token: str) -> AgentCredential:
    """The credential in an agent's token. Raises `Refused` for what has not its form."""
    if not AGENT_TOKEN.fullmatch(token):
        raise Refused("INVALID_TOKEN")
    return AgentCredential(digest(token))


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
