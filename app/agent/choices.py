"""What the user may say next: from the script, from the graph, from a structured-output call, or a few that always fit.

Imports LangChain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AnyMessage, HumanMessage
from pydantic import BaseModel, Field

from app.agent.runner import whole
from app.emulation.replies import Choice

ALWAYS = (
    Choice("조금 더 자세히 알려주시겠어요?", "공손한"),
    Choice("예를 하나 들어 주세요.", "중립적"),
    Choice("재미있네요! 계속 이야기해 주세요.", "긍정적"),
    Choice("다른 이야기를 해 볼까요?", "중립적"),
    Choice("고마워요. 오늘은 여기까지 할게요.", "긍정적"),
)
"""The default where neither script nor graph nor model offers any."""

REQUEST = (
    "Suggest up to {count} short replies that the user could send next, in the language of the conversation, "
    "each with its tone in Korean (for example 중립적, 공손한, 긍정적)."
)


class SuggestedChoice(BaseModel):
    """One thing the user could say next."""

    text: str = Field(min_length=1, max_length=200)
    tone: str = Field(default="중립적", max_length=30)


class SuggestedChoices(BaseModel):
    """What the user could say next."""

    choices: list[SuggestedChoice]


async def suggest(model: BaseChatModel, conversation: Sequence[AnyMessage], count: int) -> list[Choice]:
    """Asks a real model, by structured output. Raises what the model raises."""
    asking = [*conversation, HumanMessage(REQUEST.format(count=count))]
    answer: Any = await model.with_structured_output(SuggestedChoices, method="function_calling").ainvoke(asking)
    found = SuggestedChoices.model_validate(answer)
    return [Choice(whole(choice.text), whole(choice.tone)) for choice in found.choices[:count]]


def from_graph(offered: object) -> list[Choice] | None:
    """What a graph left under `choices` in its state, if it is of the right form."""
    if not isinstance(offered, list):
        return None
    choices = [
        Choice(whole(str(item["text"])), whole(str(item.get("tone", "중립적"))))
        for item in offered
        if isinstance(item, dict) and item.get("text")
    ]
    return choices if choices or not offered else None
