"""What faults do to a running agent: a model that is slow, fails or hangs. Imports LangChain.

Each fault is a transform of the agent's happenings, so that several of them compose, and the scripted model and a real
one cannot tell. Whoever reads the result closes it, and with it all that it reads from.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from math import inf

from app.agent.runner import AgentMessageEnd, AgentToken, Happening
from app.agent.scripted import ScriptedFailure
from app.emulation.determinism import Clock
from app.emulation.faults.live import LiveRule
from app.emulation.nodes import Json
from app.emulation.replies import ReplyError

Happenings = AsyncGenerator[Happening, None]


def struck(happenings: Happenings, rules: Sequence[LiveRule], clock: Clock) -> Happenings:
    """The happenings as turn faults will have them; the same object where there are none. What takes time ends early
    where its rule is taken out of force.
    """
    for live in rules:
        rule = live.rule
        name = rule.kind.name
        if name == "slow-first-token":
            happenings = slow_first_token(happenings, clock, live)
        elif name == "slow-tokens":
            happenings = slow_tokens(happenings, clock, live)
        elif name == "llm-error":
            happenings = interrupted(happenings, rule["after_tokens"], partial(_fail, rule["status"], rule["body"]))
        elif name == "hang":
            happenings = interrupted(happenings, rule["after_tokens"], partial(_hang, clock, live))
        else:
            raise AssertionError(f"no turn fault: {name}")
    return happenings


async def slow_first_token(happenings: Happenings, clock: Clock, live: LiveRule) -> Happenings:
    """The first token comes `seconds` later; what comes before it does not."""
    waits = True
    async with aclosing(happenings):
        async for happening in happenings:
            if waits and type(happening) is AgentToken:
                waits = False
                await live.pause(clock, live.rule["seconds"])
            yield happening


async def slow_tokens(happenings: Happenings, clock: Clock, live: LiveRule) -> Happenings:
    """After the first one, tokens come no faster than `per_second`."""
    due = clock.monotonic()
    async with aclosing(happenings):
        async for happening in happenings:
            if type(happening) is AgentToken and not live.lifted.is_set():
                await live.pause(clock, due - clock.monotonic())
                due = max(due, clock.monotonic()) + 1 / live.rule["per_second"]
            yield happening


async def interrupted(happenings: Happenings, tokens: int, happen: Callable[[], Awaitable[None]]) -> Happenings:
    """Does `happen` once so many tokens have come, and no later than at the end of the message that has tokens.

    Where that raises, the agent has failed; where it returns, the agent goes on.
    """
    seen = 0
    waits = True
    async with aclosing(happenings):
        async for happening in happenings:
            token = type(happening) is AgentToken
            ends = isinstance(happening, AgentMessageEnd) and (seen or not tokens)
            if waits and (ends or (token and seen >= tokens)):
                waits = False
                await happen()
            seen += token
            yield happening
        if waits:
            await happen()


async def _fail(status: int, body: Json) -> None:
    raise ScriptedFailure(ReplyError(status, body))


async def _hang(clock: Clock, live: LiveRule) -> None:
    await live.pause(clock, inf)
